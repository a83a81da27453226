"""A person's decision about an identifier: the record, and its way to the workers. docs/identity.md, "By hand"."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final, Literal

from deploy.identity.asked import Identifier, Unclear
from deploy.identity.judge import in_force
from deploy.identity.preview import Preview
from deploy.identity.read import Source
from deploy.identity.refusals import nothing_to_lift, which_to_lift
from deploy.spoken import speak
from schemas.control_records import Decision, DecisionKind
from schemas.fast import encode

IDS_AT_ONCE: Final = 100
LOOKED_AT_MAX: Final = 1_000
REASON_MAX: Final = 500
Verb = Literal["link", "unlink", "block", "lift"]


def decision_of(
    kind: DecisionKind, identifier: Identifier, user_id: str | None, reason: str, decided_by: str, decided_at: int
) -> Decision:
    """Its id follows from its content and time: sent twice it is the same decision. `decided_at` is ms."""
    content = "\0".join((kind, identifier.text, user_id or "", reason, decided_by, str(decided_at)))
    decision_id = blake2b(content.encode(), digest_size=16).hexdigest()
    return Decision(
        at=("identity", 0, decided_at, 0),
        decision_id=decision_id,
        kind=kind,
        identifier=identifier.text,
        user_id=user_id,
        reason=reason,
        decided_by=decided_by,
        decided_at=decided_at,
    )


def user_to_lift(identifier: Identifier, made: list[Decision], said: str | None) -> str | None:
    """Which decision on the identifier is lifted: that about `said`, else the only one. Raises Unclear."""
    standing = in_force(made).of(identifier.text)
    found = [(user, one.kind) for user, one in standing]
    if said is not None:
        found = [(user, kind) for user, kind in found if user == said]
    if not found:
        raise Unclear(nothing_to_lift(identifier.text, said))
    if len(found) > 1:
        raise Unclear(which_to_lift(identifier.text, [(kind, user) for user, kind in found]))
    return found[0][0]


def send(kafka: Mapping[str, Any], prefix: str, decision: Decision, secret: bytes) -> None:
    """Returns once Kafka has it. Raises KafkaError."""
    speak(kafka, prefix, "decision", encode(decision), secret)


def has_arrived(source: Source, decision: Decision) -> bool:
    """Whether the workers have taken it and ClickHouse knows."""
    query = "SELECT 1 FROM DB.identity_decisions WHERE decision_id = {id:String} LIMIT 1"
    return bool(source.ask(query, {"id": decision.decision_id}))


def moved(source: Source, expected: Preview) -> tuple[int, int]:
    """How many of the touchpoints that a preview named have their new customer, of how many looked at."""
    moves = {move.touch.touchpoint_id: move.after.customer_id or "" for move in expected.moves[:LOOKED_AT_MAX]}
    ids, there = list(moves), 0
    query = "SELECT touchpoint_id, customer_id FROM DB.v_touchpoints WHERE touchpoint_id IN {ids:Array(String)}"
    for start in range(0, len(ids), IDS_AT_ONCE):
        rows = source.ask(query, {"ids": ids[start : start + IDS_AT_ONCE]})
        there += sum(moves[row["touchpoint_id"]] == row["customer_id"] for row in rows)
    return there, len(ids)
