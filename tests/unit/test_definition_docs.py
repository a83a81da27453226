"""The pages about definitions say what the program says: fields, explanations, drawings, alerts."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy.cli.explain import explained
from deploy.cli.main import app
from schemas.break_shapes import SHAPES
from schemas.definition import Definition, shape_of
from schemas.definition_files import load_catalogue, load_definition
from schemas.definition_reference import CATALOGUE_PARTS, DEFINITION_PARTS, reference
from schemas.definition_schema import catalogue_schema, definition_schema
from schemas.records import Entry
from streams.journey.compile import compile_definitions
from streams.journey.track import Track
from tests.journey_case import DAY, HOUR, MINUTE, NOON, Log, placed, play, touch

PAGE = Path("docs/definitions.md").read_text()
CATALOGUE = load_catalogue(Path("touchpoints.yaml"))
JOURNEYS = sorted(Path("journeys").glob("*.yaml"))


def test_the_tables_are_those_of_the_models() -> None:
    assert f"\n{reference()}\n" in PAGE


def test_no_part_and_no_field_is_left_out() -> None:
    parts = {**definition_schema()["$defs"], **catalogue_schema()["$defs"], "Definition": definition_schema()}
    assert set(parts) == set(DEFINITION_PARTS) | set(CATALOGUE_PARTS)
    rows = reference().split("\n")
    for part in parts.values():
        assert all(any(row.startswith(f"| `{field}` | ") for row in rows) for field in part["properties"])
    assert all(row.count(" | ") == 3 for row in rows if row.startswith("| "))


def test_the_example_is_explained_by_the_command(tmp_path: Path) -> None:
    file = tmp_path / "refund.yaml"
    example = re.search(r"```yaml\n(journey: .*?)```", PAGE, re.DOTALL)
    shown = re.search(r"````markdown\n(.*?)````\n", PAGE, re.DOTALL)
    assert example is not None
    assert shown is not None
    file.write_text(example[1])
    told = CliRunner().invoke(app, ["explain", str(file)])
    assert told.exit_code == 0
    assert told.stdout == shown[1]


@pytest.mark.parametrize("file", JOURNEYS, ids=lambda file: file.stem)
def test_each_shipped_definition_has_a_page_that_explains_it(file: Path) -> None:
    page = Path(f"docs/journeys/{file.stem}.md").read_text()
    assert page.startswith(explained(load_definition(file, CATALOGUE), CATALOGUE, False) + "\n## Why\n")
    assert f"(journeys/{file.stem}.md)" in PAGE
    assert "## What the alert" in page


def checkout() -> Log:
    log = Log()
    for number in range(5):
        log.resolved(touch("checkout_started", NOON + number * 5 * MINUTE, order=None))
    log.tick(NOON + 21 * MINUTE)
    log.resolved(touch("order_placed", NOON + 25 * MINUTE, order=None))
    log.tick(NOON + 26 * MINUTE)
    return log


def click_and_collect() -> Log:
    log, ready = Log(), NOON + 4 * HOUR
    log.attach(placed())
    for number in range(3):
        log.attach(touch("payment_declined", NOON + (2 + number) * MINUTE))
    log.tick(NOON + 11 * MINUTE)
    log.attach(touch("payment_captured", NOON + 14 * MINUTE))
    log.tick(NOON + 15 * MINUTE)
    log.attach(touch("ready_for_pickup", ready, channel="store"))
    log.tick(ready + 2 * DAY + 21 * MINUTE - 1)
    log.tick(ready + 2 * DAY + 21 * MINUTE)
    log.attach(touch("picked_up", NOON + 2 * DAY, channel="store", log=ready + 2 * DAY + 30 * MINUTE))
    log.tick(ready + 2 * DAY + 31 * MINUTE)
    log.attach(touch("feedback_given", NOON + 2 * DAY + 5 * HOUR, channel="email", csat=1))
    log.tick(NOON + 2 * DAY + 6 * HOUR)
    handed_out(log, NOON + 3 * DAY)
    two_act(log, NOON + 4 * DAY)
    return log


def handed_out(log: Log, at: int) -> None:
    """Another order, collected before it is paid, and then cancelled."""
    scope = "order_id:8"
    log.attach(placed(at, order="8"), scope=scope)
    log.attach(touch("picked_up", at + 5 * MINUTE, order="8", channel="store"), scope=scope)
    log.tick(at + 36 * MINUTE)
    log.attach(touch("payment_captured", at + 50 * MINUTE, order="8"), scope=scope)
    log.tick(at + 51 * MINUTE)
    log.attach(touch("order_cancelled", at + 90 * MINUTE, order="8", channel="phone"), scope=scope)
    log.tick(at + 91 * MINUTE)


def two_act(log: Log, at: int) -> None:
    """A third order, changed by somebody who did not place it, and never asked about."""
    scope = "order_id:9"
    log.attach(placed(at, order="9").model_copy(update={"person": "c1"}), scope=scope)
    log.attach(touch("payment_captured", at + MINUTE, order="9"), scope=scope)
    changed = touch("order_changed", at + HOUR, order="9").model_copy(update={"person": "c2"})
    log.attach(changed, scope=scope)
    log.attach(touch("ready_for_pickup", at + 2 * HOUR, order="9", channel="store"), scope=scope)
    log.attach(touch("picked_up", at + 3 * HOUR, order="9", channel="store"), scope=scope)
    log.tick(at + DAY + 3 * HOUR + 31 * MINUTE)


def relationship() -> Log:
    log = Log()
    for hour, name in enumerate(
        ("order_placed", "delivery_failed", "delivery_failed", "complaint_made", "complaint_made")
    ):
        log.resolved(touch(name, NOON + hour * HOUR, order=None))
    log.tick(NOON + 4 * HOUR)
    for hour, name in enumerate(("parcel_delivered", "voucher_given", "recommended"), 5):
        log.resolved(touch(name, NOON + hour * HOUR, order=None))
    log.tick(NOON + 8 * HOUR)
    return log


def of_ticket(log: Log, ticket: str, name: str, at: int, channel: str = "email", **facts: Any) -> None:
    entry = touch(name, at, channel=channel, order=None, **facts).model_copy(update={"keys": {"ticket_id": ticket}})
    log.attach(entry, scope=f"ticket_id:{ticket}")


def service_case() -> Log:
    log = Log()
    of_ticket(log, "T7", "ticket_opened", NOON, "phone")
    of_ticket(log, "T7", "reply_failed", NOON + 20 * MINUTE)
    log.tick(NOON + 66 * MINUTE)
    of_ticket(log, "T7", "ticket_answered", NOON + 90 * MINUTE)
    of_ticket(log, "T7", "ticket_solved", NOON + 3 * HOUR)
    log.tick(NOON + 5 * HOUR + MINUTE)
    of_ticket(log, "T7", "solution_sent", NOON + 6 * HOUR)
    of_ticket(log, "T7", "ticket_reopened", NOON + 7 * HOUR, "phone")
    of_ticket(log, "T7", "ticket_reopened", NOON + 8 * HOUR, "web")
    of_ticket(log, "T7", "service_rated", NOON + 9 * HOUR, ease=1)
    of_ticket(log, "T7", "nps_given", NOON + 10 * HOUR, nps=6)
    of_ticket(log, "T7", "nps_given", NOON + 11 * HOUR, nps=7)
    neglected(log, NOON + DAY)
    return log


def neglected(log: Log, at: int) -> None:
    """Another ticket: nobody answers in time, the customer is asked how it was, and then it is forgotten."""
    of_ticket(log, "T8", "ticket_opened", at, "web")
    log.tick(at + 4 * HOUR + 16 * MINUTE)
    of_ticket(log, "T8", "ticket_answered", at + 5 * HOUR)
    of_ticket(log, "T8", "service_rating_requested", at + 6 * HOUR)
    log.tick(at + 6 * HOUR + 31 * MINUTE)
    log.tick(at + 3 * DAY + 6 * HOUR + 16 * MINUTE)
    of_ticket(log, "T8", "ticket_solved", at + 3 * DAY + 8 * HOUR)
    log.tick(at + 3 * DAY + 8 * HOUR)


SHOWN = [
    ("checkout", checkout()),
    ("click_and_collect", click_and_collect()),
    ("relationship", relationship()),
    ("service_case", service_case()),
]


@pytest.mark.parametrize(("journey", "log"), SHOWN)
def test_the_alerts_on_a_page_are_those_that_fire(journey: str, log: Log) -> None:
    definition = load_definition(Path(f"journeys/{journey}.yaml"), CATALOGUE)
    stage = Track(0, compile_definitions([definition], CATALOGUE), "live")
    fired = [alert["first_line"] for alert in play(log, stage, range(len(log.records))).alerts]
    blocks = re.findall(r"```text\n(.*?)```", Path(f"docs/journeys/{journey}.md").read_text(), re.DOTALL)
    assert [line for block in blocks for line in block.splitlines()] == fired


CHOICE = PAGE.split("\n## Which break for which trouble\n")[1].split("\n## ")[0]
SHAPE_OF_HEADING = {
    "Repetition": "repeated",
    "Failure": "failure_event",
    "Wrong order": "out_of_order",
    "Skipped step": "skipped_step",
    "Ban": "forbidden",
    "Abandonment": "abandoned",
    "Low score": "low_score",
    "Balance": "experience_balance",
    "Conflict of persons": "identity_conflict",
}
HISTORIES: dict[str, tuple[Entry | int, ...]] = {
    "Repetition": tuple(touch("payment_declined", NOON + minute * MINUTE) for minute in (2, 3, 4)),
    "Failure": (touch("payment_declined", NOON + 2 * MINUTE), NOON + 8 * MINUTE),
    "Wrong order": (touch("picked_up", NOON + HOUR, channel="store"), NOON + 2 * HOUR + MINUTE),
    "Skipped step": (touch("picked_up", NOON + HOUR, channel="store"), NOON + 91 * MINUTE),
    "Ban": (
        touch("order_refunded", NOON + HOUR),
        touch("order_refunded", NOON + 2 * HOUR),
        touch("picked_up", NOON + 150 * MINUTE, channel="store"),
    ),
    "Abandonment": (NOON + 3 * DAY + 31 * MINUTE,),
    "Low score": (
        touch("picked_up", NOON + 4 * HOUR, channel="store"),
        touch("feedback_given", NOON + 5 * HOUR, csat=1),
    ),
    "Balance": (
        touch("delivery_failed", NOON + MINUTE),
        touch("delivery_failed", NOON + HOUR),
        touch("delivery_failed", NOON + HOUR, tid="again"),
        NOON + HOUR,
    ),
    "Conflict of persons": (touch("order_cancelled", NOON + HOUR).model_copy(update={"person": "another customer"}),),
}


def sections() -> dict[str, str]:
    found = re.split(r"^### (.*)$", CHOICE, flags=re.MULTILINE)[1:]
    return dict(zip(found[::2], found[1::2], strict=True))


def with_breaks(tmp_path: Path, title: str) -> Definition:
    """Click and collect with the example's breaks, and no deadline that would alarm beside them."""
    (example,) = re.findall(r"```yaml\n(.*?)```", sections()[title], re.DOTALL)
    text = Path("journeys/click_and_collect.yaml").read_text()
    lines = "".join(f"  {line}\n" for line in example.splitlines())
    file = tmp_path / "example.yaml"
    file.write_text(f"{text[: text.index('breaks:')]}breaks:\n{lines}{text[text.index('grace:') :]}")
    whole = load_definition(file, CATALOGUE)
    steps = {name: step.model_copy(update={"within": None}) for name, step in whole.steps.items()}
    return whole.model_copy(update={"steps": steps})


def test_the_example_of_open_time_is_right(tmp_path: Path) -> None:
    """The question is asked on Saturday at 17:00, so two open hours end on Monday at 10:00."""
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE.split("\n## Open time\n")[1].split("\n## ")[0], re.DOTALL)
    file = tmp_path / "example.yaml"
    file.write_text(example)
    (compiled,) = compile_definitions([load_definition(file, CATALOGUE)], CATALOGUE).definitions
    asked, due = datetime(2026, 2, 28, 16, tzinfo=UTC), datetime(2026, 3, 2, 9, tzinfo=UTC)
    assert compiled.steps[0].due(int(asked.timestamp()) * 1000) == int(due.timestamp()) * 1000
    assert [rule.name for rule in compiled.waited] == ["quiet"]


def test_there_is_an_example_and_a_trap_for_every_shape() -> None:
    assert [SHAPE_OF_HEADING[title] for title in sections()] == list(SHAPE_OF_HEADING.values())
    assert set(SHAPE_OF_HEADING.values()) == {shape.kind for shape in SHAPES}
    assert all("The trap: " in text for text in sections().values())
    rows = re.findall(r"^\| .*? \| (.*?) \| `(\w+)` \| .* \|$", CHOICE, re.MULTILINE)
    assert [kind for _, kind in rows] == list(SHAPE_OF_HEADING.values())
    shapes = {shape.kind: {*shape.needs, *shape.needs_one} for shape in SHAPES}
    assert {kind: set(re.findall(r"`(\w+)`", said)) for said, kind in rows} == shapes


@pytest.mark.parametrize("title", SHAPE_OF_HEADING)
def test_the_example_of_a_shape_is_right_and_its_alert_says_what_the_page_says(tmp_path: Path, title: str) -> None:
    definition = with_breaks(tmp_path, title)
    assert {shape_of(rule).kind for rule in definition.breaks.values()} == {SHAPE_OF_HEADING[title]}
    log = Log()
    log.attach(placed().model_copy(update={"person": "the customer"}))
    for item in HISTORIES[title]:
        if isinstance(item, int):
            log.tick(item)
        else:
            log.attach(item)
    alerts = play(log, Track(0, compile_definitions([definition], CATALOGUE), "live"), range(len(log.records))).alerts
    assert {alert["state"] for alert in alerts} == {"firing"}
    said = [alert["first_line"].split("click_and_collect, ")[1].split(". Last: ")[0] for alert in alerts]
    (shown,) = re.findall(r"```text\n(.*?)```", sections()[title], re.DOTALL)
    assert said == shown.splitlines()
