"""The life of an alert, as one table.

The fold says of each break whether it is active or cleared; a break it no longer knows is absent; an instance that
belongs to somebody else now has moved; and past start + lifetime an active break is expired. A person says that
somebody looks after it, or closes it. What the alert becomes follows from that and from what it was. A pair that is
not in the table changes nothing, and only a change is written. What was closed stays so, whatever the fold says; only
that the break never was is still written.

An alert that was told as firing is told when it ends, with two exceptions: one that moved goes on elsewhere under the
same `dedup_key`, and one that was resolved already has nothing to say when the break turns out never to have been.
One that fires and clears in the same breath is nobody's trouble, unless it continues an alert that was told under
another customer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from schemas.records import AlertState, Mode
from schemas.records import Run as RunKind
from streams.journey.fold import due_at
from streams.journey.plan import CompiledDefinition
from streams.journey.rules import finding_of
from streams.journey.run import Episode, Run
from streams.journey.values import AlertRecord, Book, Finding

Verdict = Literal["active", "cleared", "absent", "moved", "expired", "acknowledged", "closed"]


class Transition(NamedTuple):
    becomes: AlertState
    told: bool
    reason: str


TRANSITIONS: Final[dict[tuple[Verdict, AlertState | None], Transition]] = {
    ("active", None): Transition("firing", True, "fired"),
    ("active", "resolved"): Transition("firing", True, "fired_again"),
    ("active", "withdrawn"): Transition("firing", True, "fired_again"),
    ("active", "moved"): Transition("firing", True, "came_back"),
    ("cleared", None): Transition("resolved", False, "cleared_at_once"),
    ("cleared", "firing"): Transition("resolved", True, "cleared"),
    ("cleared", "withdrawn"): Transition("resolved", False, "cleared"),
    ("cleared", "moved"): Transition("resolved", True, "cleared"),
    ("absent", "firing"): Transition("withdrawn", True, "withdrawn"),
    ("absent", "resolved"): Transition("withdrawn", False, "withdrawn"),
    ("moved", "firing"): Transition("moved", False, "moved"),
    ("moved", "resolved"): Transition("moved", False, "moved"),
    ("expired", "firing"): Transition("resolved", True, "expired"),
    ("expired", "moved"): Transition("resolved", True, "expired"),
    ("expired", None): Transition("resolved", False, "expired"),
    ("expired", "withdrawn"): Transition("resolved", False, "expired"),
    ("acknowledged", "firing"): Transition("acknowledged", True, "acknowledged"),
    ("cleared", "acknowledged"): Transition("resolved", True, "cleared"),
    ("absent", "acknowledged"): Transition("withdrawn", True, "withdrawn"),
    ("moved", "acknowledged"): Transition("moved", False, "moved"),
    ("expired", "acknowledged"): Transition("resolved", True, "expired"),
    ("closed", "firing"): Transition("resolved", True, "closed"),
    ("closed", "acknowledged"): Transition("resolved", True, "closed"),
}


class Move(NamedTuple):
    """One change of one alert."""

    record: AlertRecord
    notify: bool
    reason: str


def findings(definition: CompiledDefinition, run: Run) -> list[Finding]:
    found: list[Finding] = []
    found.extend(late.finding for late in run.ripe)
    if run.missed:
        for step in definition.deadlines:
            if run.missed >> step.index & 1 and step.if_missing == "break":
                due = due_at(definition, run, step)
                assert due is not None, "a missed step has a deadline"
                found.append(Finding(step.name, step.kind, step.name, 1, step.severity, due, due, None))
        for rule in definition.waited:
            if run.missed >> rule.bit & 1:
                pending = run.tallies[rule.index].pending if run.tallies is not None else None
                assert pending is not None, "what is judged as missed is waited for"
                found.append(finding_of(rule, pending, None))
    for episode in run.episodes or ():
        rule = episode.rule
        if rule.kind == "experience_balance" and not (run.is_known or _was_found(run, episode)):
            continue
        found.append(
            Finding(
                rule.name,
                rule.kind,
                rule.step,
                episode.occurrence,
                rule.severity,
                episode.cause_at,
                None,
                episode.cleared_at,
            )
        )
    if len(found) > 1:
        found.sort(key=lambda finding: (finding.cause_at, finding.name, finding.occurrence))
    return found


def _was_found(run: Run, episode: Episode) -> bool:
    """What was found once stays, unless the fold itself takes it back."""
    record = (run.alerts or {}).get((episode.rule.name, episode.occurrence))
    return record is not None and record.state != "withdrawn"


def moves(found: list[Finding], book: Book, expired: bool, continues: bool, log_time: int) -> list[Move]:
    """What changes in the book; the book itself stays as it was. First what the fold found, then what it found no
    more.
    """
    changed: list[Move] = []
    for finding in found:
        verdict: Verdict = "cleared" if finding.cleared_at is not None else "expired" if expired else "active"
        known = book.get((finding.name, finding.occurrence))
        _move(changed, verdict, finding, known, continues, log_time)
    if book:
        present = {(finding.name, finding.occurrence) for finding in found}
        for key in sorted(key for key in book if key not in present):
            _move(changed, "absent", book[key].finding, book[key], continues, log_time)
    return changed


def farewells(book: Book, moved: bool, log_time: int) -> list[Move]:
    """The instance exists no more."""
    changed: list[Move] = []
    for key in sorted(book):
        _move(changed, "moved" if moved else "absent", book[key].finding, book[key], False, log_time)
    return changed


def said(known: AlertRecord, closes: bool, by: str, log_time: int) -> Move | None:
    """What a person's word changes."""
    transition = TRANSITIONS.get(("closed" if closes else "acknowledged", known.state))
    if transition is None:
        return None
    becomes, told, reason = transition
    changed_at = max(known.changed_at, log_time)
    record = AlertRecord(known.finding, becomes, known.fired_at, changed_at, by, closes)
    return Move(record, told, reason)


def _move(
    changed: list[Move], verdict: Verdict, finding: Finding, known: AlertRecord | None, continues: bool, log_time: int
) -> None:
    transition = TRANSITIONS.get((verdict, known.state if known is not None else None))
    if transition is None or (known is not None and known.closed and verdict != "absent"):
        return
    becomes, told, reason = transition
    told = told or (verdict == "cleared" and known is None and continues)
    if known is None or becomes == "firing":
        changed_at = log_time if known is None else max(known.changed_at, log_time)
        record = AlertRecord(finding, becomes, log_time, changed_at)
    else:
        changed_at = max(known.changed_at, log_time)
        record = AlertRecord(finding, becomes, known.fired_at, changed_at, known.acknowledged_by, known.closed)
    changed.append(Move(record, told, reason))


def told(definition: CompiledDefinition, mode: Mode | None, run: RunKind, move: Move) -> tuple[bool, str]:
    """Whether somebody is to be told, and why or why not. `mode`: that of the instance."""
    if not move.notify:
        return False, move.reason
    if mode != "live":
        return False, "shadow"
    if move.record.finding.name in definition.monitored:
        return False, "monitored"
    if run in ("replay", "backfill"):
        return False, run
    return True, move.reason


HEAD: Final = (
    "# Alert states",
    "",
    "Generated from the table in `streams/journey/alerting.py`; a test compares. A bell says that somebody is told.",
    "The meaning of the words: [journeys](journeys.md).",
    "",
    "```mermaid",
    "stateDiagram-v2",
)


def drawing() -> str:
    """The table as a Mermaid state diagram, for docs/alert-states.md."""
    return "\n".join([*HEAD, *_arrows(), "```", ""])


def _arrows() -> Iterator[str]:
    for (verdict, was), (becomes, told, reason) in TRANSITIONS.items():
        label = verdict if verdict == reason else f"{verdict} ({reason})"
        yield f"    {was or '[*]'} --> {becomes}: {label}{' 🔔' if told else ''}"
