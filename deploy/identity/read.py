"""What ClickHouse knows of touchpoints and decisions, as frozen values. Every answer is bounded.

A touchpoint's contacts count as `resolve` said when it came (column `contacts`), whatever the rules are today.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from deploy.identity.touch import Owner, Reads, Row, Touch, touch_of
from schemas.control_records import Decision
from schemas.identifiers import BUILT_IN_KINDS, IdentifierKinds
from schemas.identity_reader import DEFAULT_READER
from sinks.clickhouse.statements import column_of

Ask = Callable[[str, Mapping[str, Any]], Sequence[Row]]
"""A query (`DB.` stands for the database) and its parameters."""


def filled(query: str, **parts: object) -> str:
    """The query with our own words in the places `<name>`. Values go as parameters, never here."""
    for name, part in parts.items():
        query = query.replace(f"<{name}>", str(part))
    return query


NEAR: Final = "origin IN (SELECT origin FROM DB.touchpoints WHERE <where>)"
"""Put before a condition. Rows are sorted by origin, and identifiers never change: so the indexes find the origins in a
plain read, and FINAL reads no more than these.
"""
TOUCHES: Final = filled(
    """
SELECT touchpoint_id, message_id, name, channel, source, origin, toUnixTimestamp64Milli(occurred_at) AS at, sequence,
    toUnixTimestamp64Milli(log_time) AS arrived_at, too_late, customer_id, attributed_by, user_id,
    <kinds>, contacts, other_identifiers,
    source IN {browsers:Array(String)} AS weak, raw_partition, raw_offset
FROM DB.touchpoints FINAL WHERE <near> AND (<where>) ORDER BY <order> LIMIT {most:UInt32}""",
    near=NEAR,
    kinds=", ".join((*BUILT_IN_KINDS.contacts, *BUILT_IN_KINDS.keys)),
)
OWNERS: Final = filled(
    """
SELECT touchpoint_id, customer_id, attributed_by FROM DB.v_touchpoints
WHERE <near> AND touchpoint_id IN (SELECT touchpoint_id FROM DB.touchpoints WHERE <where>)""",
    near=NEAR,
)
DECISIONS: Final = """
SELECT decision_id, kind, identifier, user_id, reason, decided_by, toUnixTimestamp64Milli(decided_at) AS at FROM (
    SELECT * FROM DB.identity_decisions FINAL
    ORDER BY position DESC, decision_id DESC LIMIT 1 BY identifier, user_id
) WHERE kind != 'lift' ORDER BY position DESC, decision_id DESC LIMIT 20000"""
"""Workers hold 10,000 at most; were there more, it is not the newest that are left out."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where answers come from. `browsers`: sources whose write key a browser holds. `reads`: what counts.
    `kinds`: of identifiers.
    """

    ask: Ask
    browsers: tuple[str, ...] = ()
    reads: Reads = DEFAULT_READER.read
    kinds: IdentifierKinds = BUILT_IN_KINDS

    def touches(
        self, where: str, parameters: Mapping[str, Any], most: int, order: str = "occurred_at, sequence, touchpoint_id"
    ) -> list[Touch]:
        """With the owners of now."""
        given = dict(parameters)
        query = filled(TOUCHES, where=where, order=order)
        rows = self.ask(query, given | {"browsers": list(self.browsers), "most": most})
        if not rows:
            return []
        found = self.ask(filled(OWNERS, where=where), given)
        owners = {row["touchpoint_id"]: Owner(row["customer_id"] or None, row["attributed_by"]) for row in found}
        return [touch_of(row, owners.get(row["touchpoint_id"]), self.reads, self.kinds) for row in rows]

    def carrying(self, key: str, most: int) -> list[Touch]:
        """All on-time touchpoints with this business key."""
        kind, _, value = key.partition(":")
        return self.touches(f"{column_of(kind)} = {{value:String}} AND NOT too_late", {"value": value}, most)

    def touchpoint(self, wanted: str) -> list[Touch]:
        """By id, by message id, or by the beginning of an id as screens show it; two at most."""
        for where in (
            "touchpoint_id = {id:String}",
            "message_id = {id:String}",
            "startsWith(touchpoint_id, {id:String})",
        ):
            is_beginning = where.startswith("starts")
            if is_beginning and not (8 <= len(wanted) < 32 and set(wanted) <= set("0123456789abcdef")):
                continue
            found = self.touches(where, {"id": wanted}, 6)
            if found:
                return found
        return []

    def decisions(self) -> list[Decision]:
        """The last word on each identifier and user that was not taken back, in the order in which they count."""
        newest = [
            Decision(
                at=("identity", 0, 0, 0),
                decision_id=row["decision_id"],
                kind=row["kind"],
                identifier=row["identifier"],
                user_id=row["user_id"] or None,
                reason=row["reason"],
                decided_by=row["decided_by"],
                decided_at=row["at"],
            )
            for row in self.ask(DECISIONS, {})
        ]
        return newest[::-1]
