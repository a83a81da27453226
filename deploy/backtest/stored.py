"""What ClickHouse has stored: touchpoints as the journeys were told of them, and the alerts of the time.

Attribution is that of now (v_touchpoints); arrival times are the recorded ones. A business key belongs to the customer
of its earliest claim that is not a browser's, else of its earliest (docs/identity.md, rule 4), and what carries it is
told from the first claim on. Customers are cut into slices by a hash, so that one answer stays small: the read-only
user of a deployment may ask for 30 s and 5,000,000 rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from deploy.backtest.course import AlertChange
from deploy.backtest.figures import Raised, Subject
from deploy.backtest.hearing import Heard
from deploy.backtest.stretches import SilenceTold, stretches
from deploy.backtest.told import Told
from deploy.identity.asked import Unclear
from schemas.identifiers import BUSINESS_KINDS
from schemas.sources import SOURCES_MAX, SourceRules, forms_of
from sinks.clickhouse.statements import column_of
from streams.journey.instances import CUSTOMER
from streams.pace.silence import Watch

Rows = Sequence[Mapping[str, Any]]
Ask = Callable[[str, Mapping[str, Any]], Rows]
"""A query (`DB.` stands for the database) and its parameters."""
Blocks = AbstractContextManager[Iterator[Sequence[Sequence[Any]]]]
Stream = Callable[[str, Mapping[str, Any]], Blocks]
"""The same, block by block of rows."""

HEARD_MAX: Final = 1_000_000
"""Intervals in which watched sources were heard, all together."""
BEAT_MS: Final = 250
"""Within the time between two beats a source is heard throughout if it was heard in it."""
SLICE_ROWS: Final = 100_000
CLAIMS: Final = "('user_id', 'login', 'manual', 'device', 'contact')"
"""The rules by which a touchpoint names a person or device (docs/identity.md, rules 1 to 3)."""

EXTENT: Final = """
SELECT count() AS touchpoints, toUnixTimestamp64Milli(min(log_time)) AS first_at,
    toUnixTimestamp64Milli(max(log_time)) AS last_at
FROM DB.touchpoints WHERE NOT too_late"""

RELEVANT: Final = """NOT too_late AND log_time >= fromUnixTimestamp64Milli({excused_since:Int64})
    AND log_time <= fromUnixTimestamp64Milli({until:Int64})
    AND (
        log_time >= fromUnixTimestamp64Milli({since:Int64})
        AND (name IN {names:Array(String)} OR arrayExists(fact -> JSONHas(properties, fact), {facts:Array(String)}))
        OR name IN {excuses:Array(String)}
    )"""
"""An excuse counts for what starts long after it, so it is looked for further back."""

OWNERS: Final = """
LEFT ANY JOIN
(
    SELECT key, argMin(customer_id, (weak, occurred_at, sequence, touchpoint_id)) AS owner, min(log_time) AS claimed_at
    FROM
    (
        SELECT <column> AS key, customer_id, source IN {browsers:Array(String)} AS weak, occurred_at, sequence,
            touchpoint_id, log_time
        FROM DB.v_touchpoints
        WHERE <column> != '' AND NOT too_late AND attributed_by IN <claims>
            AND log_time <= fromUnixTimestamp64Milli({until:Int64})
            AND <column> IN (SELECT <column> FROM DB.touchpoints WHERE <column> != '' AND <relevant>)
    )
    WHERE concat('<kind>:', key) NOT IN (SELECT identifier FROM DB.v_identity_decisions WHERE kind = 'block')
    GROUP BY key
) AS of_<kind> ON of_<kind>.key = t.<column>"""

TOLD: Final = """
SELECT
    toUnixTimestamp64Milli(effect.3) AS at, effect.1 AS scope, effect.2 AS customer, touchpoint_id, name, channel,
    toUnixTimestamp64Milli(occurred_at), sequence, toUnixTimestamp64Milli(log_time),
    customer_id, attributed_by, keys, properties
FROM
(
    SELECT
        t.touchpoint_id AS touchpoint_id, t.customer_id AS customer_id, t.attributed_by AS attributed_by,
        t.name AS name, t.channel AS channel, t.occurred_at AS occurred_at, t.sequence AS sequence,
        t.log_time AS log_time, t.raw_partition AS raw_partition, t.raw_offset AS raw_offset,
        <properties> AS properties, [<keys>] AS keys,
        arrayJoin(arrayFilter(one -> one.2 != '', [<effects>])) AS effect
    FROM (SELECT * FROM DB.v_touchpoints WHERE <relevant>) AS t <owners>
)
WHERE cityHash64(effect.2) % {slices:UInt32} = {slice:UInt32}"""

OF_CUSTOMER: Final = f"('{CUSTOMER}', toString(t.customer_id), greatest(t.log_time, <claimed>))"
OF_KEY: Final = "('<kind>', toString(of_<kind>.owner), greatest(t.log_time, of_<kind>.claimed_at))"

MOVED: Final = """
SELECT count() AS moved FROM
(
    SELECT touchpoint_id, customer_id, rev FROM DB.touchpoints FINAL WHERE customer_id != '' AND <relevant>
) AS t INNER ANY JOIN (SELECT touchpoint_id, customer_id, rev FROM DB.attributions FINAL) AS a
    ON a.touchpoint_id = t.touchpoint_id
WHERE a.rev >= t.rev AND a.customer_id != t.customer_id"""

ALERTS: Final = """
SELECT alert_id, state, notify, reason, severity, kind, break_name, occurrence, customer_id, anchor,
    toUnixTimestamp64Milli(cause_at) AS cause_at_ms, toUnixTimestamp64Milli(first_fired_at) AS fired_at_ms,
    toUnixTimestamp64Milli(changed_at) AS changed_at_ms, first_line
FROM
(
    SELECT *, min(fired_at) OVER (PARTITION BY dedup_key) AS first_fired_at,
        countIf(state != 'moved') OVER (PARTITION BY dedup_key) AS standing
    FROM DB.v_alerts
    WHERE definition = {definition:String} AND mode = 'live' AND run NOT IN ('replay', 'backfill')
)
WHERE (state != 'moved' OR standing = 0) AND first_fired_at >= fromUnixTimestamp64Milli({since:Int64})
    AND first_fired_at <= fromUnixTimestamp64Milli({until:Int64})
    AND cityHash64(customer_id) % {slices:UInt32} = {slice:UInt32}"""
"""An alert that moved goes on under another customer; both have one dedup_key, and fired when the first one did. One
that nothing continues was no break there: it counts as withdrawn. What a replay found, nobody was told of.
"""


SOURCES: Final = "SELECT DISTINCT source FROM DB.touchpoints UNION DISTINCT SELECT DISTINCT source FROM DB.dead_letters"

HEARD: Final = """
SELECT source, toUnixTimestamp64Milli(min(first_at)) AS first_ms, toUnixTimestamp64Milli(max(last_at)) AS last_ms
FROM
(
    SELECT source, first_at, last_at, sum(begins) OVER (PARTITION BY source ORDER BY first_at) AS number
    FROM
    (
        SELECT source, first_at, last_at,
            first_at > addMilliseconds(lagInFrame(last_at) OVER (
                PARTITION BY source ORDER BY first_at ROWS BETWEEN 1 PRECEDING AND CURRENT ROW
            ), {gap:Int64}) AS begins
        FROM
        (
            SELECT source, min(log_time) AS first_at, max(log_time) AS last_at
            FROM
            (
                SELECT source, log_time FROM DB.touchpoints
                UNION ALL
                SELECT source, log_time FROM DB.dead_letters
            )
            WHERE source IN {sources:Array(String)} AND log_time >= fromUnixTimestamp64Milli({since:Int64})
                AND log_time <= fromUnixTimestamp64Milli({until:Int64})
            GROUP BY source, intDiv(toUnixTimestamp64Milli(log_time), {beat:Int64})
        )
    )
)
GROUP BY source, number
ORDER BY first_ms, source
LIMIT {most:UInt32}"""
"""When each source was heard, without the gaps that are none."""


SILENCES: Final = """
SELECT anchor, toUnixTimestamp64Milli(cause_at) AS due_ms, toUnixTimestamp64Milli(cleared_at) AS again_ms
FROM DB.v_alerts
WHERE kind = 'silent_source' AND cause_at >= fromUnixTimestamp64Milli({since:Int64})
    AND cause_at <= fromUnixTimestamp64Milli({until:Int64})
LIMIT {most:UInt32}"""


class Extent(NamedTuple):
    """What is stored: how many touchpoints, and the log times of the first and the last."""

    touchpoints: int
    first_at: int
    last_at: int


class Wanted(NamedTuple):
    """Which touchpoints: names, properties by which one matters whatever its name, and the kinds of business keys
    under which they are told. `of_customers`: they are told to their customers, too. `needs_properties`: a definition
    looks at them. `keys`: all business keys of the deployment. `excuses`: names that are wanted from `excuse_ms` before
    the time on.
    """

    names: Sequence[str]
    facts: Sequence[str]
    kinds: Sequence[str]
    of_customers: bool
    needs_properties: bool
    keys: Sequence[str] = BUSINESS_KINDS
    excuses: Sequence[str] = ()
    excuse_ms: int = 0

    @property
    def owned(self) -> Sequence[str]:
        """The kinds of keys whose owners have to be known."""
        return self.keys if self.of_customers else self.kinds


@dataclass(frozen=True, slots=True)
class Store:
    """`browsers`: sources whose write key a browser holds; their claims are weak."""

    ask: Ask
    stream: Stream
    browsers: Sequence[str] = ()

    def extent(self) -> Extent:
        (row,) = self.ask(EXTENT, {})
        return Extent(int(row["touchpoints"]), int(row["first_at"]), int(row["last_at"]))

    def count(self, wanted: Wanted, since: int, until: int) -> int:
        """Of touchpoints, before they are told under their headings."""
        query = f"SELECT count() AS found FROM DB.touchpoints WHERE {RELEVANT}"  # noqa: S608  our own words
        return int(self.ask(query, self._span(wanted, since, until))[0]["found"])

    def moved(self, wanted: Wanted, since: int, until: int) -> int:
        """Touchpoints that had another customer when they arrived."""
        return int(self.ask(_filled(MOVED), self._span(wanted, since, until))[0]["moved"])

    def told(self, wanted: Wanted, since: int, until: int, slice_: int, slices: int) -> list[Told]:
        """In the order in which they could be known. Read to the end before anything is done with them: the read-only
        user has 30 s for an answer.
        """
        parameters = self._span(wanted, since, until) | {"slice": slice_, "slices": slices}
        query = f"{query_of(wanted)}\nORDER BY at, raw_partition, raw_offset, touchpoint_id, scope"
        with self.stream(query, parameters) as blocks:
            return [Told(*row) for block in blocks for row in block]

    def alerts(self, definition: str, since: int, until: int, slice_: int, slices: int) -> dict[Subject, Raised]:
        parameters = {"definition": definition, "since": since, "until": until, "slice": slice_, "slices": slices}
        found = [raised_of(row) for row in self.ask(ALERTS, parameters)]
        return {one.subject: one for one in found}

    def heard(self, rules: SourceRules, watches: dict[str, Watch], since: int, until: int) -> list[Heard]:
        """Of the watched sources. Raises Unclear."""
        gap_ms = min((watch.gap_ms for watch in watches.values()), default=0)
        forms = forms_of(rules)
        sources = [str(row["source"]) for row in self.ask(SOURCES, {})] if forms else []
        watched = sorted(source for source in sources if forms.of(source) is not None)[:SOURCES_MAX]
        parameters = {"sources": watched, "gap": gap_ms, "beat": BEAT_MS, "since": since, "until": until}
        found = self.ask(HEARD, parameters | {"most": HEARD_MAX + 1})
        if len(found) > HEARD_MAX:
            raise Unclear(f"the watched sources fell quiet more than {HEARD_MAX:,} times: choose a shorter time")
        heard = [Heard(row["source"], row["first_ms"], row["last_ms"]) for row in found]
        rows = self.ask(SILENCES, {"since": since, "until": until, "most": HEARD_MAX}) if forms else []
        told = [SilenceTold(row["anchor"].removeprefix("source:"), row["due_ms"], row["again_ms"]) for row in rows]
        return stretches(heard, told, forms, watches, until)

    def _span(self, wanted: Wanted, since: int, until: int) -> dict[str, Any]:
        lists = {"names": wanted.names, "facts": wanted.facts, "browsers": self.browsers, "excuses": wanted.excuses}
        excused_since = since - wanted.excuse_ms if wanted.excuses else since
        times = {"since": since, "until": until, "excused_since": excused_since}
        return {name: list(words) for name, words in lists.items()} | times


def query_of(wanted: Wanted) -> str:
    """Without an order. Each kind of key costs one look at all claims."""
    effects = [OF_KEY.replace("<kind>", kind) for kind in wanted.kinds]
    if wanted.of_customers:
        effects.insert(0, OF_CUSTOMER.replace("<claimed>", _claimed(wanted.owned)))
    return _filled(
        TOLD.replace("<effects>", ", ".join(effects))
        .replace("<owners>", "".join(_owners_of(kind) for kind in wanted.owned))
        .replace("<keys>", ", ".join(f"t.{column_of(kind)}" for kind in wanted.keys))
        .replace("<properties>", "t.properties" if wanted.needs_properties else "''")
    )


def _owners_of(kind: str) -> str:
    return OWNERS.replace("<kind>", kind).replace("<column>", column_of(kind))


def _claimed(kinds: Sequence[str]) -> str:
    """When a touchpoint that carries only a business key got its customer; the beginning of time for all others."""
    cases = [f"t.origin = concat('{kind}:', t.{column_of(kind)}), of_{kind}.claimed_at" for kind in kinds]
    return f"multiIf({', '.join(cases)}, toDateTime64(0, 3, 'UTC'))" if cases else "toDateTime64(0, 3, 'UTC')"


def _filled(query: str) -> str:
    """Our own words only; values go as parameters."""
    return query.replace("<relevant>", RELEVANT).replace("<claims>", CLAIMS)


def raised_of(row: Mapping[str, Any]) -> Raised:
    moved = row["state"] == "moved"
    change = AlertChange(
        alert_id=row["alert_id"],
        state="withdrawn" if moved else row["state"],
        notify=row["notify"],
        reason="withdrawn" if moved else row["reason"],
        severity=row["severity"],
        kind=row["kind"],
        break_name=row["break_name"],
        occurrence=row["occurrence"],
        customer_id=row["customer_id"],
        anchor=row["anchor"],
        cause_at=row["cause_at_ms"],
        due_at=None,
        cleared_at=None,
        fired_at=row["fired_at_ms"],
        changed_at=row["changed_at_ms"],
        first_line=row["first_line"],
    )
    return Raised(change, change.state, change.reason, change.notify)
