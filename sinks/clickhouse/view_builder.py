"""Views that follow from a journey definition, so that BI counts with the same steps as the detector. Pure: text out.

`v_funnel_<journey>` counts journeys by day of their start and step; `v_step_durations_<journey>` has one row
per reached
step, for any percentile. Journeys that moved to another customer count there, and withdrawn breaks nowhere: they
are in no snapshot. Steps of older versions of a definition keep their names; they have the number 999.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from schemas.definition import Definition, duration_ms, step_order
from sinks.clickhouse.statements import Target, variables

_OTHER: Final = 999

_FUNNEL: Final = """CREATE OR REPLACE VIEW {database}.v_funnel_{journey} {on_cluster}
(
    started_on Date COMMENT 'Day (UTC) on which the journeys started',
    step_no    UInt16 COMMENT 'Order of the steps; 0 is the start, {other} is a step of an older version',
    step       String COMMENT 'Step of the journey',
    journeys   UInt64 COMMENT 'Journeys that started on that day and know this step',
    reached    UInt64 COMMENT 'of these, that reached the step',
    skipped    UInt64 COMMENT 'of these, that went past it',
    missed     UInt64 COMMENT 'of these, that missed its deadline',
    waiting    UInt64 COMMENT 'of these, that may still reach it',
    failed     UInt64 COMMENT 'of these, that ended in failure'
)
AS SELECT
    toDate(assumeNotNull(started_at)) AS started_on,
    toUInt16(transform(s.1, {names}, {numbers}, toInt64({other}))) AS step_no,
    s.1 AS step,
    count() AS journeys,
    countIf(s.2 = 'reached') AS reached,
    countIf(s.2 = 'skipped') AS skipped,
    countIf(s.2 = 'missed') AS missed,
    countIf(s.2 = 'waiting') AS waiting,
    countIf(status = 'failed') AS failed
FROM {database}.journeys FINAL
ARRAY JOIN arrayZip(
    arrayConcat(['start'], arrayMap(x -> toString(x), steps.step)),
    arrayConcat(['reached'], arrayMap(x -> toString(x), steps.status))
) AS s
WHERE definition = '{journey}' AND status != 'moved' AND started_at IS NOT NULL
GROUP BY started_on, step_no, step"""

_DURATIONS: Final = """CREATE OR REPLACE VIEW {database}.v_step_durations_{journey} {on_cluster}
(
    journey_id  String COMMENT 'Id of the journey',
    customer_id String COMMENT 'Whose journey it is',
    started_on  Date COMMENT 'Day (UTC) on which the journey started',
    step_no     UInt16 COMMENT 'Order of the steps; {other} is a step of an older version',
    step        String COMMENT 'Step that was reached',
    after       String COMMENT 'Step from which the time counts',
    channel     String COMMENT 'Channel on which it was reached',
    reached_at  DateTime64(3, 'UTC') COMMENT 'When it was reached',
    duration_ms Nullable(Int64) COMMENT 'From `after` to this step; null: `after` was not reached',
    within_ms   Nullable(Int64) COMMENT 'What the definition allows; null: any time',
    in_time     Nullable(Bool) COMMENT 'Whether it took no longer than allowed; null: no limit, or unknown'
)
AS SELECT
    journey_id, customer_id, toDate(assumeNotNull(started_at)) AS started_on,
    toUInt16(transform(s.1, {names}, {numbers}, toInt64({other}))) AS step_no,
    s.1 AS step,
    transform(s.1, {names}, {afters}, '') AS after,
    s.3 AS channel,
    assumeNotNull(s.2) AS reached_at,
    if(after = 'start', started_at, times[indexOf(arrayMap(x -> toString(x), steps.step), after)]) AS from_at,
    toInt64(dateDiff('millisecond', from_at, reached_at)) AS duration_ms,
    nullIf(transform(s.1, {names}, {withins}, toInt64(0)), 0) AS within_ms,
    if(isNull(duration_ms) OR isNull(within_ms), NULL, duration_ms <= within_ms) AS in_time
FROM (SELECT *, steps.reached_at AS times FROM {database}.journeys FINAL)
ARRAY JOIN arrayZip(arrayMap(x -> toString(x), steps.step), steps.reached_at, arrayMap(x -> toString(x),
steps.channel)) AS s
WHERE definition = '{journey}' AND status != 'moved' AND started_at IS NOT NULL AND s.2 IS NOT NULL"""


def definition_views(definitions: Iterable[Definition], target: Target) -> list[str]:
    """CREATE statements for the newest version of each definition."""
    newest: dict[str, Definition] = {}
    for definition in sorted(definitions, key=lambda found: (found.journey, found.version)):
        newest[definition.journey] = definition
    return [_filled(template, found, target) for found in newest.values() for template in (_FUNNEL, _DURATIONS)]


def _filled(template: str, definition: Definition, target: Target) -> str:
    order = step_order(definition)
    steps = [definition.steps[name] for name in order]
    given = variables(target)
    return template.format(
        database=given["database"],
        on_cluster=given["on_cluster"],
        journey=definition.journey,
        other=_OTHER,
        names=_texts(["start", *order]),
        numbers=_numbers(range(len(order) + 1)),
        afters=_texts(["", *(step.after for step in steps)]),
        withins=_numbers([0, *(duration_ms(step.within) if step.within else 0 for step in steps)]),
    )


def _numbers(values: Iterable[int]) -> str:
    return "[" + ", ".join(f"toInt64({value})" for value in values) + "]"


def _texts(words: Iterable[str]) -> str:
    """Words are [a-z0-9_] by contract, so quotes are enough."""
    return "[" + ", ".join(f"'{word}'" for word in words) + "]"
