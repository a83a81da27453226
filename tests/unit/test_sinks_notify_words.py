"""What people read: the lines of Slack, the alert of Alertmanager, as docs/notifications.md shows them."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import Any, Final, get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.records import BreakKind
from schemas.templates import TEMPLATE_FIELDS, fill
from sinks.notify import alertmanager, slack
from sinks.notify.alertmanager import Pace, Report, alertmanager_alert, alertmanager_body
from sinks.notify.incident import Incident, IncidentNews, Labels, News
from sinks.notify.slack import TEXT_MAX, escaped, slack_body, slack_text
from sinks.notify.wording import fields_of, shortened, what
from tests.sink_records import customer

PAGE: Final = Path(__file__).parents[2] / "docs" / "notifications.md"
RUNBOOK: Final = "https://wiki.example/click-and-collect?part=ready&lang=en"
OPENED_AT: Final = 1_780_000_860_000
NOW: Final = OPENED_AT + 120_000
PACE: Final = Pace(60_000, 300_000)


def incident(**changes: Any) -> Incident:
    fields: dict[str, Any] = {
        "labels": Labels(
            journey="click_and_collect",
            break_name="ready",
            kind="missing_step",
            severity="error",
            owner="team-stores",
            run="live",
        ),
        "step": "ready",
        "count": 12,
        "peak": 12,
        "opened_at": OPENED_AT,
        "closed_at": None,
        "line": "order_id:4711 (customer 1f0c9a52): click_and_collect, step ready is 9 min late (due 20:31 UTC)."
        " Last: order_placed web 12:31, payment_captured web 12:32.",
        "sample": [f"order_id:{number}" for number in (4711, 4718, 4720, 4731, 4733)],
    }
    return Incident(**(fields | changes))


def news(kind: News = "fired", key: str = "k", **changes: Any) -> IncidentNews:
    return IncidentNews(key=key, news=kind, incident=incident(**changes))


def runbook(_: Incident) -> str | None:
    return RUNBOOK


def no_runbook(_: Incident) -> str | None:
    return None


OVER: Final[dict[str, Any]] = {
    "count": 0,
    "sample": [],
    "closed_at": NOW,
    "line": "order_id:4733 (customer 77aa01bc): click_and_collect, step ready was 41 min late (due 20:40 UTC), over at"
    " 21:21 UTC. Last: order_placed web 12:40, ready_for_pickup store 21:21.",
}


def examples() -> list[str]:
    """What the page shows, in its order."""
    fired = slack_text([news()], slack.TEMPLATE, runbook)
    over = slack_text([news("resolved", **OVER)], slack.TEMPLATE, no_runbook)
    payment = incident().labels.model_copy(
        update={"journey": "checkout", "break_name": "payment_trouble", "kind": "repeated", "severity": "critical"}
    )
    several = [news("grew", "l", labels=payment, count=100, peak=100), news("resolved", "m", **OVER)]
    alert = alertmanager_alert(Report(incident(), True, RUNBOOK), alertmanager.SUMMARY, NOW, PACE, None)
    return [fired, over, slack_text(several, slack.TEMPLATE, runbook), json.dumps(alert, indent=2)]


def test_the_page_shows_what_is_sent() -> None:
    text = PAGE.read_text("utf-8")
    for shown in examples():
        assert f"```\n{shown}\n```" in text or f"```json\n{shown}\n```" in text, shown
    assert all(f"`{field}`" in text for field in TEMPLATE_FIELDS)


def test_the_first_line_says_what_how_bad_and_how_many() -> None:
    first = slack_text([news()], slack.TEMPLATE, runbook).splitlines()[0]
    assert first == "*FIRING* error: click_and_collect, step ready is missing: 12 alerts open"


def test_a_simulation_says_that_it_is_one() -> None:
    simulated = incident().labels.model_copy(update={"run": "simulation"})
    assert slack_text([news(labels=simulated)], slack.TEMPLATE, runbook).startswith("*FIRING (simulation)* error")


def test_a_line_without_anything_in_it_is_left_out() -> None:
    text = slack_text([news(count=1, sample=["order_id:1"])], slack.TEMPLATE, no_runbook)
    assert "Also" not in text
    assert "Runbook" not in text
    assert fill("always\n{runbook}\n{state}", fields_of(incident(), "fired", None)) == "always\nFIRING"


@pytest.mark.parametrize("kind", get_args(BreakKind))
def test_every_field_has_a_value(kind: BreakKind) -> None:
    labels = incident().labels.model_copy(update={"kind": kind})
    fields = fields_of(incident(labels=labels), "grew", None)
    assert set(fields) == set(TEMPLATE_FIELDS)
    assert "ready" in fields["what"]


def of_kind(kind: BreakKind, name: str, **changes: Any) -> Incident:
    labels = incident().labels.model_copy(update={"kind": kind, "break_name": name})
    return incident(labels=labels, **changes)


def test_the_page_says_of_every_kind_what_is_said_of_it() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    shown = {kind: said for kind, said, _ in rows if kind in get_args(BreakKind)}
    assert list(shown) == list(get_args(BreakKind))
    assert shown == {kind: what(of_kind(kind, "x")) for kind in get_args(BreakKind)}


@pytest.mark.parametrize(
    ("kind", "name", "is_open", "is_over"),
    [
        ("failure_event", "declined", "declined is a failure not put right", "declined was a failure not put right"),
        ("out_of_order", "unpaid", "unpaid is a wrong order", "unpaid was a wrong order"),
        ("skipped_step", "unready", "unready is a skipped step", "unready was a skipped step"),
        ("abandoned", "quiet", "quiet is an abandonment", "quiet was an abandonment"),
        ("forbidden", "refunded_twice", "refunded_twice is forbidden", "refunded_twice was forbidden"),
    ],
)
def test_the_first_line_of_each_kind_reads_as_a_sentence(
    kind: BreakKind, name: str, is_open: str, is_over: str
) -> None:
    fired = slack_text([IncidentNews(key="k", news="fired", incident=of_kind(kind, name))], slack.TEMPLATE, no_runbook)
    assert fired.splitlines()[0] == f"*FIRING* error: click_and_collect, {is_open}: 12 alerts open"
    ended = IncidentNews(key="k", news="resolved", incident=of_kind(kind, name, **OVER))
    first = slack_text([ended], slack.TEMPLATE, no_runbook).splitlines()[0]
    assert first == f"*RESOLVED* error: click_and_collect, {is_over}: none open, 12 at most"


def test_alertmanager_has_the_kind_as_a_label_and_no_step_of_what_names_none() -> None:
    found = parsed(Report(of_kind("abandoned", "quiet", step=None), True))
    assert (found["labels"]["kind"], found["labels"]["break"]) == ("abandoned", "quiet")
    assert found["annotations"]["summary"] == "click_and_collect, quiet is an abandonment: 12 alerts open"
    assert "step" not in found["annotations"]


@example("<!channel> & <https://b.example|b>")
@given(st.text("<>&;!lt \nä", max_size=80))
def test_nothing_that_a_touchpoint_says_is_markup_in_slack(said: str) -> None:
    text = slack_text([news(line=said, sample=["x", said])], "<https://a.example|{first_line}> {sample}", no_runbook)
    assert text.startswith("<https://a.example|")
    inside = text.removeprefix("<https://a.example|")
    assert inside.count(">") == 1
    assert "<" not in inside
    assert not re.search(r"&(?!amp;|lt;|gt;)", inside)
    flat = shortened(said, 500)
    assert unescape(escaped(flat).replace("&amp;", "&#38;")) == unescape(flat.replace("&", "&#38;"))


def test_the_template_is_not_filled_twice() -> None:
    assert fill("{first_line}", fields_of(incident(line="{owner} {x}"), "fired", None)) == "{owner} {x}"


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=60), st.integers(1, 4_000))
def test_a_text_has_a_bound_and_says_what_it_leaves_out(counts: list[int], length: int) -> None:
    found = [news(key=str(number), count=count, line="x" * length) for number, count in enumerate(counts)]
    text = slack_text(found, slack.TEMPLATE, runbook)
    assert len(text) <= TEXT_MAX + 2
    if len(counts) > 1:
        assert text.startswith(f"{len(counts)} incidents changed")
    if len(counts) > slack.LISTED_MAX:
        assert text.endswith(f"and {len(counts) - slack.LISTED_MAX} more")


def test_slack_gets_utf_8_json() -> None:
    assert json.loads(slack_body("größer\n…")) == {"text": "größer\n…"}


def parsed(report: Report, generator_url: str | None = None) -> dict[str, Any]:
    (found,) = json.loads(alertmanager_body([report], alertmanager.SUMMARY, NOW, PACE, generator_url))
    return dict(found)


def test_an_open_incident_ends_ahead_and_a_closed_one_in_the_past() -> None:
    assert parsed(Report(incident(), True))["endsAt"] == "2026-05-28T20:48:00.000Z"
    closed = parsed(Report(incident(count=0, sample=[], closed_at=NOW - 5_000), False))
    assert closed["endsAt"] == "2026-05-28T20:42:55.000Z"
    assert closed["startsAt"] == "2026-05-28T20:41:00.000Z"


@pytest.mark.parametrize("closed_at", [None, OPENED_AT - 1, OPENED_AT, NOW + 99_999])
def test_an_end_is_never_before_the_beginning_nor_ahead(closed_at: int | None) -> None:
    found = parsed(Report(incident(count=0, sample=[], closed_at=closed_at), False))
    assert found["startsAt"] <= found["endsAt"] <= "2026-05-28T20:43:00.000Z"


def test_labels_are_few_and_what_is_not_there_is_left_out() -> None:
    bare = parsed(Report(incident(count=0, sample=[], step=None, closed_at=NOW), False))
    assert set(bare) == {"labels", "annotations", "startsAt", "endsAt"}
    assert set(bare["labels"]) == {"alertname", "journey", "break", "kind", "severity", "owner", "run"}
    assert set(bare["annotations"]) == {"summary", "description", "count"}
    full = parsed(Report(incident(), True, RUNBOOK), "https://touchline.example/")
    assert full["generatorURL"] == "https://touchline.example/"
    assert full["annotations"]["runbook_url"] == RUNBOOK


def test_no_customer_is_named() -> None:
    found = news(sample=["order_id:1"])
    assert customer(1) not in slack_text([found], slack.TEMPLATE, runbook) + json.dumps(
        parsed(Report(incident(), True))
    )
