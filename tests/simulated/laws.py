"""What must hold after every schedule, judged from the logs alone, as a receiver sees them."""

from __future__ import annotations

import json
from base64 import b64decode
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any, Final

from tests.oracle.attribution import customer_of
from tests.oracle.rules import DAY, HOUR, Watched
from tests.oracle.usable import Rules, cleaned
from tests.simulated.expected import Expected, expect, is_decision
from tests.simulated.log import Logs, Record
from tests.simulated.seen import new_records as new_records
from tests.simulated.source_laws import check_sources

Json = dict[str, Any]
IDENTITIES: Final = 12
"""Partitions of the topic, whatever the world has."""
REMEMBERED: Final = 2 * 72 * HOUR + DAY
TOLD: Final = (b"evidence", b"sighting", b"naming")
"""What one owner of identifiers tells another; `at` is the cause."""


class Overtaken(AssertionError):
    """A tick came before something that it covers."""


class Misnamed(AssertionError):
    """A contact names somebody else in the end than the rules say."""


class Ledger:
    """What `touchpoints` says in the end: who has which touchpoints, as their own and under which business
    key.
    """

    def __init__(self, logs: Logs, partitions: int) -> None:
        self.resolved: dict[str, Json] = {}
        self.holders: defaultdict[tuple[str, str], dict[str, Json]] = defaultdict(dict)
        self._last_word: dict[str, tuple[int, str]] = {}
        for partition in range(partitions):
            for _, body in new_records(logs.read("touchpoints", partition)):
                getattr(self, "_" + body["type"])(body)

    def _touchpoint(self, body: Json) -> None:
        assert body["touchpoint_id"] not in self.resolved, "resolved twice"
        self.resolved[body["touchpoint_id"]] = body
        self._speaks(body["touchpoint_id"], body)
        if body["customer_id"] is not None:
            held = self.holders["customer", body["customer_id"]]
            assert body["touchpoint_id"] not in held, "moved before it was resolved"
            held[body["touchpoint_id"]] = body

    def _attach(self, body: Json) -> None:
        held = self.holders[body["scope"], body["customer_id"]]
        for entry in body["entries"]:
            held[entry["touchpoint_id"]] = entry
            if body["scope"] == "customer":
                self._speaks(entry["touchpoint_id"], body)

    def _detach(self, body: Json) -> None:
        held = self.holders[body["scope"], body["customer_id"]]
        for touchpoint_id in body["touchpoint_ids"]:
            assert touchpoint_id in held, f"detached from {body['scope']} of a customer who never had it"
            del held[touchpoint_id]
            if body["scope"] == "customer" and body.get("moved_to") is None:
                self._speaks(touchpoint_id, body | {"attributed_by": "waiting"})

    def _tick(self, body: Json) -> None:
        pass

    def _speaks(self, touchpoint_id: str, body: Json) -> None:
        rev, _ = self._last_word.get(touchpoint_id, (-1, ""))
        assert rev != body["rev"], "two words of one rev on one touchpoint"
        if body["rev"] > rev:
            self._last_word[touchpoint_id] = (body["rev"], body["attributed_by"])

    def attributed_by(self, touchpoint_id: str) -> str:
        return self._last_word[touchpoint_id][1]


def check(logs: Logs, partitions: int, rules: Rules, watched: Sequence[Watched] = ()) -> Expected:
    expected, ledger = _check_all_but_owners(logs, partitions, rules, watched)
    check_attribution(expected, ledger, expected.customers)
    check_keys(expected, ledger)
    return expected


def check_long(logs: Logs, partitions: int, rules: Rules) -> Expected:
    """Of a history that is longer than what owners remember: whom contacts name whatever their age, and whose the
    touchpoints are that are remembered still. Those of keys are left out: they follow claims of any age.
    """
    expected, ledger = _check_all_but_owners(logs, partitions, rules)
    young = [
        name
        for name, one in expected.attribution.touchpoints.items()
        if logs.now - max(one.touchpoint.occurred_at, one.touchpoint.log_time) < REMEMBERED
        and one.by not in ("business_key", "waiting")
    ]
    check_attribution(expected, ledger, young)
    return expected


def _check_all_but_owners(
    logs: Logs, partitions: int, rules: Rules, watched: Sequence[Watched] = ()
) -> tuple[Expected, Ledger]:
    raw = [logs.read("touchpoints.raw", partition) for partition in range(partitions)]
    last = check_ticks(logs, partitions)
    expected = expect(raw, logs.read("progress", 0), rules, last // DAY)
    ledger = Ledger(logs, partitions)
    check_nothing_lost(logs, expected, ledger, partitions, rules)
    check_names(logs, expected)
    check_decisions(logs)
    check_nothing_personal(logs, rules)
    check_sources(logs, expected, partitions, watched)
    return expected, ledger


def check_nothing_lost(logs: Logs, expected: Expected, ledger: Ledger, partitions: int, rules: Rules) -> None:
    assert ledger.resolved.keys() == expected.customers.keys(), "resolved touchpoints are not those that arrived"
    assert {key for key, body in ledger.resolved.items() if body["too_late"]} == expected.too_late
    counts: dict[int, Json] = {}
    for _, body in new_records([one for one in logs.read("progress", 0) if not is_decision(one)]):
        counts[body["at"][1]] = body.get("counts", {})
    for partition, tally in enumerate(expected.tallies):
        wanted = tally.counts()
        assert {name: counts[partition].get(name, 0) for name in wanted} == wanted, f"counts of {partition}"
        assert tally.read == tally.resolved + tally.duplicates + tally.dead_letters + tally.forwarded + tally.suppressed
        letters = [body for _, body in new_records(logs.read("dead_letters", partition))]
        assert len(letters) == tally.dead_letters
        raw = logs.read("touchpoints.raw", partition)
        for letter in letters:
            sent = raw[letter["offset"]].value
            assert b64decode(letter["payload"]) in (sent, cleaned(sent, rules)), "a dead letter holds other bytes"


def check_attribution(expected: Expected, ledger: Ledger, names: Iterable[str]) -> None:
    holders: defaultdict[str, list[str]] = defaultdict(list)
    for (scope, holder), held in ledger.holders.items():
        if scope == "customer":
            for touchpoint_id in held:
                holders[touchpoint_id].append(holder)
    for touchpoint_id in names:
        customer, by = expected.customers[touchpoint_id]
        said = (holders[touchpoint_id], ledger.attributed_by(touchpoint_id))
        assert said == ([customer] if customer else [], by), f"{touchpoint_id}: {said}, expected {(customer, by)}"


def check_keys(expected: Expected, ledger: Ledger) -> None:
    held = {holder: ids.keys() for holder, ids in ledger.holders.items() if holder[0] != "customer" and ids}
    due = {(key, owner): ids for key, (owner, ids) in expected.keyed.items() if owner is not None}
    assert held == due
    for (scope, _), entries in ledger.holders.items():
        for entry in entries.values():
            full = ledger.resolved[entry["touchpoint_id"]]
            for name in ("occurred_at", "sequence", "name", "log_time", "channel", "keys", "facts"):
                assert entry[name] == full[name], f"{scope}: an entry differs from its touchpoint in {name}"
            user = full["customer_id"] if full["attributed_by"] == "user_id" else None
            assert entry is full or entry.get("person") == user, (
                f"{scope}: an entry tells another person than its touchpoint"
            )


def check_names(logs: Logs, expected: Expected) -> None:
    """The last naming of each contact; one that was never named names nobody."""
    last: dict[str, Json] = {}
    for _, body in identities(logs, "naming"):
        last[body["contact"]] = body
    said = {contact: body["user_id"] for contact, body in last.items()}
    for contact in expected.names.keys() | said.keys():
        wanted = expected.names.get(contact)
        if said.get(contact) != wanted:
            raise Misnamed(f"{contact} names {said.get(contact)}, expected {wanted}")
    for contact, body in last.items():
        user = body["user_id"]
        kind, _, value = contact.partition(":")
        assert body["customer_id"] == customer_of(("user_id", user) if user else (kind, value)), f"{contact}: customer"


def check_decisions(logs: Logs) -> None:
    """What people decided reaches `identities`, each decision once."""
    made = [json.loads(record.value) for record in logs.read("progress", 0) if is_decision(record)]
    told = [body for _, body in identities(logs, "decision")]
    by_id = [sorted(({**one, "at": None} for one in group), key=itemgetter("decision_id")) for group in (made, told)]
    assert by_id[0] == by_id[1], "decisions on identities are not those that were made"


def identities(logs: Logs, kind: str) -> Iterator[tuple[Record, Json]]:
    for partition in range(IDENTITIES):
        for record, body in new_records(logs.read("identities", partition)):
            if body["type"] == kind:
                yield record, body


def check_nothing_personal(logs: Logs, rules: Rules) -> None:
    """Behind raw there is no clear e-mail. (The histories' phone numbers are no telling text.)"""
    if rules.personal_key is None:
        return
    for topic in ("touchpoints", "identities", "journeys", "alerts"):
        for partition in range(IDENTITIES):
            for record in logs.read(topic, partition):
                assert b"@example" not in record.value.lower(), f"an e-mail in clear on {topic}"


def check_ticks(logs: Logs, partitions: int) -> int:
    """tick(W) lies behind every effect of what arrived by W. Returns the last W."""
    raw = [logs.read("touchpoints.raw", partition) for partition in range(partitions)]
    last = -1
    for partition in range(partitions):
        ticked = -1
        for _, body in new_records(logs.read("touchpoints", partition)):
            if body["type"] == "tick":
                assert body["log_time"] > ticked, "ticks must rise"
                ticked = body["log_time"]
            else:
                arrived = arrived_at(raw, body["at"][1], body["at"][2])
                if arrived is not None and arrived <= ticked:
                    raise Overtaken(f"partition {partition}: behind tick {ticked}, but its cause arrived at {arrived}")
        last = max(last, ticked)
    newest = max((record.timestamp for log in raw for record in log if not record.header("control")), default=0)
    assert last >= newest, "time stands still"
    return last


def arrived_at(raw: list[list[Record]], partition: int, offset: int) -> int | None:
    """Log time of the touchpoint that this raw record follows from. None: it follows from what a person decided."""
    record = raw[partition][offset]
    control = record.header("control")
    if control == b"decision":
        return None
    if control in TOLD:
        _, origin, cause, _ = json.loads(record.value)["at"]
        return arrived_at(raw, origin, cause)
    carried = record.header("log_time")
    return record.timestamp if carried is None else int(carried)
