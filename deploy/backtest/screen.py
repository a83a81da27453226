"""What `touchline backtest` shows: a rich drawing of a Report. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from deploy.backtest.figures import Difference, End, Sample, total
from deploy.backtest.run import Report

COLUMNS: Final = (
    ("alerts", "alerts"),
    ("told", "told"),
    ("open", "open"),
    ("cleared", "cleared"),
    ("cleared_at_once", "at once"),
    ("expired", "expired"),
    ("withdrawn", "withdrawn"),
)
"""Of BreakFigures, and the headings."""


def screen(report: Report) -> RenderableType:
    parts: list[RenderableType] = [Text(f"{report.definition} version {report.version}", style="bold")]
    parts += [Text(line) for line in _extent(report)]
    parts.append(Text())
    if report.breaks:
        parts += [_breaks(report), Text(), *[Text(line) for line in _days(report)], Text()]
        parts += [Text("examples, as they would have fired", style="bold"), *_samples(_examples(report)), Text()]
    else:
        parts += [Text("It would have raised no alert."), Text()]
    parts += _difference(report.difference)
    parts += [Text(), *[Text(line, style="dim") for line in _notes(report)]]
    return Group(*parts)


def _extent(report: Report) -> Iterator[str]:
    yield f"log time {report.since} to {report.until}"
    run_up = f", from {report.run_up_from} on" if report.run_up_from < report.since else ""
    yield f"{report.touchpoints:,} touchpoints that it looks at{run_up}"
    journeys = ", ".join(f"{count:,} {status}" for status, count in report.journeys.items())
    yield f"journeys that began: {journeys or 'none'}; journeys with an alert: {report.broken:,}"


def _breaks(report: Report) -> Table:
    table = Table("break", box=None, header_style="bold", pad_edge=False)
    for _, heading in COLUMNS:
        table.add_column(heading, justify="right")
    for name, found in report.breaks.items():
        table.add_row(name, *[_number(int(getattr(found, field))) for field, _ in COLUMNS])
    if len(report.breaks) > 1:
        sums = [_number(total(report.breaks.values(), field)) for field, _ in COLUMNS]
        table.add_row("all", *sums, style="bold")
    return table


def _number(count: int) -> str:
    return f"{count:,}" if count else "-"


def _days(report: Report) -> Iterator[str]:
    days = report.told_per_day
    if not days.told:
        yield f"Nobody would have been told in {days.days} days."
        return
    busiest = ", ".join(f"{day}: {count:,}" for day, count in days.busiest)
    times = "time" if days.told == 1 else "times"
    yield f"Somebody would have been told {days.told:,} {times} that something is wrong, in {days.days} days (UTC):"
    yield f"median {days.median:,} a day, most {days.most:,} ({busiest})."


def _examples(report: Report) -> list[Sample]:
    return [sample for found in report.breaks.values() for sample in found.samples]


def _samples(samples: Sequence[Sample]) -> Iterator[RenderableType]:
    for sample in samples:
        yield Text(f"{sample.fired_at}  {sample.break_name}: {_words(sample.ended)}", style="cyan")
        yield Text(f"  {sample.first_line}")


def _words(ended: End) -> str:
    return ended.replace("_", " ")


def _difference(found: Difference) -> Iterator[RenderableType]:
    yield Text(f"compared with {found.against}", style="bold")
    if not found.only_here and not found.only_there:
        yield Text(f"the same alerts: {found.both:,}")
        yield from _otherwise(found)
        return
    false_here, false_there = _withdrawn(found.false_here), _withdrawn(found.false_there)
    yield Text(f"raised by both {found.both:,}; only here {found.only_here:,}{false_here};")
    yield Text(f"only there {found.only_there:,}{false_there}")
    table = Table("break", box=None, header_style="bold", pad_edge=False)
    for heading in ("both", "only here", "only there"):
        table.add_column(heading, justify="right")
    for name, counts in sorted(found.by_break.items()):
        table.add_row(name, *[_number(count) for count in counts])
    yield table
    for heading, samples in (("only here", found.samples_here), ("only there", found.samples_there)):
        if samples:
            yield Text()
            yield Text(heading, style="bold")
            yield from _samples(samples)
    yield from _otherwise(found)


def _otherwise(found: Difference) -> Iterator[RenderableType]:
    if found.at_once_otherwise:
        text = f"cleared by both, but by one in the same breath, so that nobody was told: {found.at_once_otherwise:,}"
        yield Text(text)
    if not found.ended_otherwise:
        return
    yield Text()
    yield Text(f"raised by both, but ended otherwise: {found.ended_otherwise:,}", style="bold")
    for one in found.samples_otherwise:
        ends = f"{_words(one.here.ended)} here, {_words(one.ended_there)} there"
        yield Text(f"{one.here.fired_at}  {one.here.break_name}: {ends}", style="cyan")
        yield Text(f"  {one.here.first_line}")


def _withdrawn(count: int) -> str:
    return f" ({count:,} of them withdrawn later)" if count else ""


def _notes(report: Report) -> Iterator[str]:
    if report.moved:
        yield (
            f"{report.moved:,} of these touchpoints belonged to somebody else when they arrived. Here they belong to "
            "whom they belong to now, from their arrival on: alerts may differ from those of the time."
        )
    yield "Nothing was sent or stored."
