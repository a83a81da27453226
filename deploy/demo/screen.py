"""What the live demo shows: numbers in, lines out. Pure. Fits any terminal from 60 columns and 20 rows on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from rich.text import Text

from deploy.demo.alert_book import Change

COLOURS: Final = {
    "firing": "bold red",
    "acknowledged": "yellow",
    "resolved": "green",
    "withdrawn": "cyan",
    "moved": "magenta",
}
LABEL: Final = 13
CUSTOMER: Final = re.compile(r" \(customer [0-9a-f]+\)")
INCIDENT_ROWS: Final = 4
ROOMY: Final = 32
"""From so many rows on there is room for empty ones."""
READERS: Final = {
    "touchline touchpoints.raw": "resolve",
    "touchline progress": "keep_time",
    "touchline touchpoints": "track",
    "loader": "loader",
    "notifier": "notifier",
}
"""Group and topic, or the group alone, and the reader's name."""


@dataclass(frozen=True, slots=True)
class Flow:
    """Touchpoints so far, and per second in the last few seconds."""

    total: int = 0
    rate: float = 0.0


@dataclass(frozen=True, slots=True)
class Addresses:
    data_dir: str
    collector: str
    kafka: str
    clickhouse: str
    user: str
    password: str
    database: str


@dataclass(frozen=True, slots=True)
class View:
    """Everything on one screen. `log_time` in ms, `latency` p50 and p99 in ms."""

    seconds: float
    log_time: int
    pace: float
    waiting: bool
    planted: tuple[str, ...]
    sent: Flow
    resolved: Flow
    stored: Flow
    open_journeys: int
    journeys: int
    refused: int
    duplicates: int
    dead_letters: int
    too_late: int
    suppressed: int
    lag: dict[str, int]
    latency: tuple[int, int] | None
    open_alerts: list[tuple[str, int]]
    alert_states: dict[str, int]
    changes: list[Change]
    trouble: str
    addresses: Addresses


def lines_of(view: View, width: int, height: int) -> list[Text]:
    """Exactly `height` lines, none longer than `width`. Changes of alerts take what room is left."""
    gap = [Text("")] if height >= ROOMY else []
    above = [_title(view, width), *gap, *_numbers(view), *gap, *_open(view, width), *gap]
    below = [*gap, *_footer(view.addresses)]
    if height < len(above) + len(below) + 3:
        below = []
    room = max(0, height - len(above) - len(below))
    changes = [_change(change, width) for change in view.changes[-room:]] if room else []
    if not changes and room:
        changes = [Text("no alert has changed yet: the first deadlines are still to come", style="dim")]
    lines = [*above, *changes, *(Text("") for _ in range(room - len(changes))), *below][:height]
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return lines


def plain_line(view: View) -> str:
    """One line for a log."""
    behind = sum(view.lag.values())
    opened = sum(count for _, count in view.open_alerts)
    speed = "no alert yet" if view.latency is None else f"alert p50 {view.latency[0]} ms p99 {view.latency[1]} ms"
    waits = ", log time waits" if view.waiting else ""
    return (
        f"{clock(view.seconds)}  log time {moment(view.log_time)}{waits}  sent {view.sent.total} "
        f"({view.sent.rate:.0f}/s) resolved {view.resolved.total} stored {view.stored.total}  "
        f"journeys open {view.open_journeys}  alerts open {opened} "
        f"({', '.join(f'{count} {state}' for state, count in sorted(view.alert_states.items())) or 'none yet'})  "
        f"dead letters {view.dead_letters} duplicates {view.duplicates}  behind {behind}  {speed}"
    )


def query_lines(addresses: Addresses) -> list[str]:
    """A query to paste, short enough for a narrow terminal."""
    return [
        f"curl -u {addresses.user}:{addresses.password} \\",
        f"  '{addresses.clickhouse}/?database={addresses.database}' \\",
        "  -d 'SELECT first_line FROM v_broken_journeys_now LIMIT 5'",
    ]


def moment(log_time: int) -> str:
    return datetime.fromtimestamp(log_time / 1000, UTC).strftime("%a %Y-%m-%d %H:%M")


def clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def grouped(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def behind_by_reader(lag: dict[str, int]) -> dict[str, int]:
    """The stages of the workers one by one; the topics of the loader together."""
    found: dict[str, int] = {}
    for place, count in lag.items():
        reader = READERS.get(place) or READERS.get(place.partition(" ")[0], place)
        found[reader] = found.get(reader, 0) + count
    return found


def _title(view: View, width: int) -> Text:
    left = Text.assemble(("Touchline", "bold"), "  log time ", (moment(view.log_time), "bold"))
    left.append(
        "  waits for the workers" if view.waiting else f"  {view.pace:g} min/s", "yellow" if view.waiting else "dim"
    )
    right = f"{clock(view.seconds)}"
    left.pad_right(max(1, width - left.cell_len - len(right)))
    return left.append(right, "dim")


def _row(label: str, *parts: str | tuple[str, str]) -> Text:
    return Text.assemble((label.ljust(LABEL), "dim"), *parts)


def _numbers(view: View) -> list[Text]:
    behind = behind_by_reader(view.lag)
    if view.latency is None:
        speed = _row("latency", "no alert yet")
    else:
        p50, p99 = view.latency
        speed = _row("latency", f"p50 {p50} ms  p99 {p99} ms", ("  from cause to alert on Kafka", "dim"))
    planted = _row("planted now", (", ".join(view.planted) or "nothing", "yellow" if view.planted else ""))
    return [
        _row(
            "touchpoints", *_flow("sent", view.sent), *_flow("resolved", view.resolved), *_flow("stored", view.stored)
        ),
        _row("journeys", (f"{grouped(view.open_journeys)}", "bold"), f" open of {grouped(view.journeys)}"),
        _row(
            "bad input",
            f"dead letters {view.dead_letters}  refused {view.refused}  duplicates {view.duplicates}  "
            f"too late {view.too_late}  suppressed {view.suppressed}",
        ),
        _row("behind", "  ".join(f"{name} {count}" for name, count in behind.items()) or "not known yet"),
        speed,
        _row("trouble", (view.trouble, "red")) if view.trouble else planted,
    ]


def _flow(name: str, flow: Flow) -> tuple[str | tuple[str, str], ...]:
    return f"{name} ", (f"{flow.rate:.0f}/s", "bold"), (f" {grouped(flow.total)}   ", "dim")


def _open(view: View, width: int) -> list[Text]:
    total = sum(count for _, count in view.open_alerts)
    states = view.alert_states
    looked_after = f"  acknowledged {states['acknowledged']}" if "acknowledged" in states else ""
    head = _row(
        "open alerts",
        (str(total), "bold red" if total else "bold"),
        f"   fired {states.get('firing', 0)}  healed {states.get('resolved', 0)}  "
        f"withdrawn {states.get('withdrawn', 0)}  moved {states.get('moved', 0)}{looked_after}",
    )
    half = (width - 2) // 2
    cells = [Text.assemble((f"{count:>6} ", "red"), incident) for incident, count in view.open_alerts]
    rows = [head]
    for first in range(0, min(len(cells), 2 * INCIDENT_ROWS), 2):
        row = cells[first]
        row.truncate(half, overflow="ellipsis", pad=True)
        rows.append(row.append_text(cells[first + 1]) if first + 1 < len(cells) else row)
    return rows


def _change(change: Change, width: int) -> Text:
    text = Text.assemble(
        (f"{moment(change.log_time)[-5:]} ", "dim"), (f"{change.state:<10}", COLOURS.get(change.state, ""))
    )
    return text.append(fitted(change, width - text.cell_len))


def fitted(change: Change, width: int) -> str:
    """The first line; where it does not fit, without the customer and the definition."""
    text = change.first_line
    if len(text) > width:
        text = CUSTOMER.sub("", text, count=1)
    if len(text) > width:
        definition = change.incident.partition("/")[0]
        text = text.replace(f": {definition}, ", ": ", 1)
    return text


def _footer(addresses: Addresses) -> list[Text]:
    keys = f"{addresses.data_dir}/write-keys.yaml"
    return [
        Text.assemble(("collector ", "dim"), addresses.collector, ("  Kafka ", "dim"), addresses.kafka),
        Text.assemble(("write keys ", "dim"), keys),
        Text.assemble(("read-only ClickHouse ", "dim"), addresses.user, ("  to paste, Ctrl-C ends it all:", "dim")),
        *(Text(line) for line in query_lines(addresses)),
    ]
