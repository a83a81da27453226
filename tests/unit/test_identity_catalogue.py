"""What the catalogue does to a touchpoint on its way in: suppressed, refused, and what is told of it."""

from __future__ import annotations

import json
from typing import Any

from schemas.definition import Catalogue
from schemas.identifiers import partition_of
from streams.stage import Effect
from tests.simulated.generate import rfc3339
from tests.unit.identity_bench import START, Bench
from tests.unit.test_property_contracts import entry

KNOWN = Catalogue(
    touchpoints={
        "page_viewed": entry(),
        "heartbeat": entry("ignore", level={"type": "integer", "required": True}),
        "order_placed": entry("control", order_id={"type": "string", "required": True}),
        "rated": entry(grade={"type": "integer"}),
    }
)


def raw(name: str, number: int = 1, *, identifiers: dict[str, str] | None = None, **properties: Any) -> bytes:
    body = {
        "message_id": f"m{number}",
        "name": name,
        "occurred_at": rfc3339(START + number),
        "identifiers": identifiers or {"anonymous_id": "a1"},
        "properties": properties,
    }
    return json.dumps(body).encode()


def counts(bench: Bench) -> dict[str, int]:
    body = bench.body(bench.beat(START)[0])
    return {name: count for name, count in body["counts"].items() if count}


def test_an_ignored_touchpoint_is_counted_by_name_and_leaves_nothing() -> None:
    bench = Bench(known=KNOWN)
    for _ in range(3):  # Duplicates are suppressed, too.
        assert bench.touchpoint(raw("heartbeat", identifiers={"user_id": "u", "order_id": "7"}), START) == []
    assert bench.touchpoint(raw("heartbeat", 2, level="not an integer"), START) == []
    assert counts(bench) == {"read": 4, "suppressed": 4}
    numbers = bench.stage.numbers()
    assert (numbers["suppressed:heartbeat"], numbers["identifiers"], numbers["touchpoints"]) == (4, 0, 0)
    assert bench.kinds(bench.touchpoint(b"{", START)) == ["dead_letter"]
    (letter,) = bench.touchpoint(raw("heartbeat")[:-1] + b', "unknown": 1}', START)
    assert bench.body(letter)["failure"] == "contract_violation", "what cannot be decoded is no heartbeat"


def test_an_ignored_or_refused_touchpoint_is_never_forwarded() -> None:
    user = next(f"u{n}" for n in range(99) if partition_of(f"user_id:u{n}", 2) == 1)
    bench = Bench(0, 2, known=KNOWN)
    assert bench.touchpoint(raw("heartbeat", identifiers={"user_id": user}), START) == []
    (letter,) = bench.touchpoint(raw("order_placed", identifiers={"user_id": user}), START)
    assert letter.topic == "dead_letters"
    assert counts(bench) == {"read": 2, "suppressed": 1, "dead_letters": 1}


def test_a_broken_contract_is_a_dead_letter_that_names_the_property() -> None:
    bench = Bench(known=KNOWN)
    for properties, field in (({}, "order_id"), ({"order_id": None}, "order_id"), ({"order_id": 7}, "order_id")):
        (effect,) = bench.touchpoint(raw("order_placed", **properties), START)
        letter = bench.body(effect)
        assert (effect.topic, letter["failure"]) == ("dead_letters", "contract_violation")
        assert letter["field"] == f"properties.{field}"
    (effect,) = bench.touchpoint(raw("rated", grade="sehr gut"), START)
    assert "sehr gut" not in bench.body(effect)["detail"]
    assert bench.kinds(bench.touchpoint(raw("rated", 2, grade=3.0, order_id=7), START)) == ["touchpoint"]
    assert bench.kinds(bench.touchpoint(raw("order_placed", 3, order_id="7"), START)) == ["touchpoint"]
    assert counts(bench) == {"read": 6, "resolved": 2, "dead_letters": 4}


def violations(effects: list[Effect]) -> Any:
    return json.loads(effects[-1].value)["violations"]


def test_only_control_is_told_of_and_only_since_the_last_report() -> None:
    bench = Bench(known=KNOWN)
    for at in (START + 5, START + 2, START + 9):
        bench.touchpoint(raw("order_placed"), at)
        bench.touchpoint(raw("rated", grade="x"), at)
    bench.store()
    again = Bench(known=KNOWN)
    again.stage.restore(bench.state.items())
    again.offset = bench.offset
    told = bench.beat(START + 10)
    assert violations(told) == {"order_placed": [START + 2, START + 9]}
    assert again.beat(START + 10) == told, "a restart between a violation and its report changes nothing"
    assert violations(bench.beat(START + 11)) == {}
    bench.touchpoint(raw("order_placed"), START + 12)
    assert violations(bench.mark(START + 11)) == {"order_placed": [START + 12, START + 12]}


def test_what_was_suppressed_survives_a_restart() -> None:
    bench = Bench(known=KNOWN)
    bench.touchpoint(raw("heartbeat"), START)
    bench.store()
    again = Bench(known=KNOWN)
    again.stage.restore(bench.state.items())
    assert again.stage.changes() == []
    again.touchpoint(raw("heartbeat"), START)
    assert again.stage.numbers()["suppressed:heartbeat"] == 2
    assert counts(again) == {"read": 2, "suppressed": 2}
