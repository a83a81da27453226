"""Reads what came of all situations: the views of ClickHouse for the end, the topic `touchpoints` for the way there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from deploy.demo.results import read_topic
from schemas.identifiers import ROUTING_ORDER, alert_id_of, journey_id_of
from schemas.placeholders import is_placeholder
from tests.situations.naming import Naming
from tests.situations.outcome import Found, FoundAlert, FoundJourney, Outcome, Owner
from tests.situations.script import Arrival, ByHand, Script
from tests.situations.world import Row, World

TOUCHPOINTS: Final = "SELECT * FROM v_touchpoints"
JOURNEYS: Final = "SELECT definition, customer_id, anchor, status, touchpoint_ids FROM v_journeys_now"
MOVED: Final = (
    "SELECT definition, customer_id, anchor, status, touchpoint_ids FROM journeys FINAL WHERE status = 'moved'"
)
ALERTS: Final = "SELECT * FROM v_alerts"
CHANGES: Final = "SELECT alert_id, state FROM alerts FINAL ORDER BY position"
History = Mapping[str, list[Owner]]


def collect(world: World, scripts: Sequence[Script], naming: Naming) -> list[Outcome]:
    touchpoints = world.select(TOUCHPOINTS)
    journeys = world.select(JOURNEYS) + world.select(MOVED)
    alerts, changes = world.select(ALERTS), world.select(CHANGES)
    history = histories(read_topic(world.stack.kafka_options(), world.topic("touchpoints")))
    went: dict[str, list[str]] = defaultdict(list)
    for change in changes:
        went[change["alert_id"]].append(change["state"])
    return [_outcome(script, touchpoints, journeys, alerts, went, history, naming) for script in scripts]


def histories(records: Iterable[Row]) -> History:
    """Every owner of each touchpoint, by the revisions of the partition that attributes it. A redo repeats itself."""
    found: dict[str, dict[int, Owner]] = defaultdict(dict)
    for record in records:
        if record["type"] == "touchpoint":
            owner = Owner(record["customer_id"] or "", record["attributed_by"])
            found[record["touchpoint_id"]][record["rev"]] = owner
        elif record["type"] == "attach" and record["scope"] == "customer":
            for entry in record["entries"]:
                found[entry["touchpoint_id"]][record["rev"]] = Owner(record["customer_id"], record["attributed_by"])
        elif record["type"] == "detach" and record["scope"] == "customer" and record["moved_to"] is None:
            for touchpoint_id in record["touchpoint_ids"]:
                found[touchpoint_id][record["rev"]] = Owner("", "waiting")
    return {one: [owners[rev] for rev in sorted(owners)] for one, owners in found.items()}


def _outcome(
    script: Script,
    touchpoints: Sequence[Row],
    journeys: Sequence[Row],
    alerts: Sequence[Row],
    went: Mapping[str, list[str]],
    history: History,
    naming: Naming,
) -> Outcome:
    start = script.wire_id("")
    rows = {row["message_id"].removeprefix(start): row for row in touchpoints if row["message_id"].startswith(start)}
    ids = {row["touchpoint_id"]: message_id for message_id, row in rows.items()}
    customers = {text: naming.customer(text) for text in _identifiers(script)}

    def is_ours(row: Row) -> bool:
        return (about := _about(row, ids)) is not None and (about in customers or about.startswith("start:"))

    return Outcome(
        name=script.name,
        customers=customers,
        carries={line.message_id: _carried(line) for line in script.arrivals()},
        touchpoints={one: _found(row, history) for one, row in rows.items()},
        journeys=[
            FoundJourney(
                row["definition"],
                row["customer_id"],
                str(_about(row, ids)),
                row["status"],
                [ids.get(one, one) for one in row["touchpoint_ids"]],
            )
            for row in journeys
            if is_ours(row)
        ],
        alerts=[
            FoundAlert(
                row["incident"],
                row["customer_id"],
                str(_about(row, ids)),
                row["state"],
                _predecessor(row, customers.values()) if row["continues"] else None,
                went[row["alert_id"]],
            )
            for row in alerts
            if is_ours(row)
        ],
    )


def _about(row: Row, ids: Mapping[str, str]) -> str | None:
    """The anchor with the message id of its start; None when the start is a touchpoint of another situation."""
    kind, _, value = str(row["anchor"]).partition(":")
    if kind != "start":
        return str(row["anchor"])
    return f"start:{ids[value]}" if value in ids else None


def _predecessor(row: Row, customers: Iterable[str]) -> str:
    """Whose alert it continues. An id follows from content, so it says so of one that never fired, too."""

    def id_under(customer: str) -> str:
        journey_id = journey_id_of(row["definition"], row["definition_version"], customer, row["anchor"])
        return alert_id_of(journey_id, row["break_name"], row["occurrence"])

    return next((one for one in customers if id_under(one) == row["continues"]), str(row["continues"]))


def _found(row: Row, history: History) -> Found:
    return Found(
        owner=Owner(row["customer_id"], row["attributed_by"]),
        too_late=row["too_late"],
        occurred_at=_ms(row["occurred_at"]),
        log_time=_ms(row["log_time"]),
        history=history.get(row["touchpoint_id"], []),
    )


def _ms(time: datetime) -> int:
    """The engine's DateTime64(3, UTC) arrives naive or in UTC."""
    return round(time.replace(tzinfo=UTC).timestamp() * 1000)


def _identifiers(script: Script) -> set[str]:
    carried = {text for line in script.arrivals() for text in _carried(line)}
    decided = {line for line in script.lines if isinstance(line, ByHand)}
    users = {f"user_id:{line.user_id}" for line in decided if line.user_id is not None}
    return carried | users | {line.identifier for line in decided}


def _carried(line: Arrival) -> list[str]:
    sent: dict[str, Any] = line.identifiers
    return [f"{kind}:{sent[kind]}" for kind in ROUTING_ORDER if kind in sent and not is_placeholder(sent[kind])]
