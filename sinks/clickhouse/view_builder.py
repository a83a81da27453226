"""Views that follow from a journey definition, so that BI counts with the same steps as the detector. Pure: text out.

`v_funnel_<journey>` counts journeys by version, mode, day of their start and step; `v_step_durations_<journey>` has one
row per reached step, for any percentile. Versions stand side by side, each with its own order of steps, and a customer
may be in several: so choose one, or one mode. Journeys that moved to another customer count there, and withdrawn breaks
nowhere: they are in no snapshot. Steps of a version whose file is gone have the number 999. `v_definition_modes` says
which version is in which mode now.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from schemas.definition import Catalogue, Definition, duration_ms, step_order
from sinks.clickhouse.catalogue_views import catalogue_views
from sinks.clickhouse.statements import Target, text, variables

_OTHER: Final = 999

_FUNNEL: Final = """CREATE OR REPLACE VIEW {database}.v_funnel_{journey} {on_cluster}
(
    definition_version UInt32 COMMENT 'Version of the definition',
    mode       String COMMENT 'live; shadow: a version that is tried',
    started_on Date COMMENT 'Day (UTC) on which the journeys started',
    step_no    UInt16 COMMENT 'Order of the steps; 0 is the start, {other}: the version''s file is gone',
    step       String COMMENT 'Step of the journey',
    journeys   UInt64 COMMENT 'Journeys that started on that day and know this step',
    reached    UInt64 COMMENT 'of these, that reached the step',
    skipped    UInt64 COMMENT 'of these, that went past it',
    missed     UInt64 COMMENT 'of these, that missed its deadline',
    waiting    UInt64 COMMENT 'of these, that may still reach it',
    failed     UInt64 COMMENT 'of these, that ended in failure'
)
AS SELECT
    definition_version, mode, toDate(assumeNotNull(started_at)) AS started_on,
    if(s.1 = 'start', 0, toUInt16(transform(concat(toString(definition_version), '/', s.1), {names}, {numbers},
        toInt64({other})))) AS step_no,
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
GROUP BY definition_version, mode, started_on, step_no, step"""

_DURATIONS: Final = """CREATE OR REPLACE VIEW {database}.v_step_durations_{journey} {on_cluster}
(
    journey_id  String COMMENT 'Id of the journey',
    definition_version UInt32 COMMENT 'Version of the definition',
    mode        String COMMENT 'live; shadow: a version that is tried',
    customer_id String COMMENT 'Whose journey it is',
    started_on  Date COMMENT 'Day (UTC) on which the journey started',
    step_no     UInt16 COMMENT 'Order of the steps; {other}: the version''s file is gone',
    step        String COMMENT 'Step that was reached',
    after       String COMMENT 'Step from which the time counts',
    channel     String COMMENT 'Channel on which it was reached',
    reached_at  DateTime64(3, 'UTC') COMMENT 'When it was reached',
    duration_ms Nullable(Int64) COMMENT 'From `after` to this step; null: `after` was not reached',
    within_ms   Nullable(Int64) COMMENT 'What the definition allows; null: any time',
    in_time     Nullable(Bool) COMMENT 'Whether it took no longer than allowed; null: no limit, or unknown'
)
AS SELECT
    journey_id, definition_version, mode, customer_id, toDate(assumeNotNull(started_at)) AS started_on,
    concat(toString(definition_version), '/', s.1) AS versioned,
    toUInt16(transform(versioned, {names}, {numbers}, toInt64({other}))) AS step_no,
    s.1 AS step,
    transform(versioned, {names}, {afters}, '') AS after,
    s.3 AS channel,
    assumeNotNull(s.2) AS reached_at,
    if(after = 'start', started_at, times[indexOf(arrayMap(x -> toString(x), steps.step), after)]) AS from_at,
    toInt64(dateDiff('millisecond', from_at, reached_at)) AS duration_ms,
    nullIf(transform(versioned, {names}, {withins}, toInt64(0)), 0) AS within_ms,
    if(isNull(duration_ms) OR isNull(within_ms), NULL, duration_ms <= within_ms) AS in_time
FROM (SELECT *, steps.reached_at AS times FROM {database}.journeys FINAL)
ARRAY JOIN arrayZip(arrayMap(x -> toString(x), steps.step), steps.reached_at, arrayMap(x -> toString(x),
steps.channel)) AS s
WHERE definition = '{journey}' AND status != 'moved' AND started_at IS NOT NULL AND s.2 IS NOT NULL"""


_MODES: Final = """CREATE OR REPLACE VIEW {database}.v_definition_modes {on_cluster}
(
    definition String COMMENT 'Name of the journey definition',
    version    UInt32 COMMENT 'Version of the definition',
    owner      String COMMENT 'Team that answers for the journey',
    file_mode  String COMMENT 'Mode that its file says: live or shadow',
    mode       String COMMENT 'Mode of journeys that start now: off, shadow or live',
    since      Nullable(DateTime64(3, 'UTC')) COMMENT 'Since when; null: from the beginning, as its file says',
    reason     String COMMENT 'Why it was switched; empty: never, or another version went live',
    decided_by String COMMENT 'Who switched it; empty: nobody'
)
AS WITH words AS
(
    -- Of several switches of a version from one moment on the last in the log counts; of all, the latest by now.
    SELECT
        definition, version, from_at, argMax((mode, reason, decided_by), position) AS last, max(position) AS place
    FROM {database}.definition_modes
    WHERE from_at <= now64(3)
    GROUP BY definition, version, from_at
)
SELECT
    f.definition AS definition, f.version AS version, f.owner AS owner, f.file_mode AS file_mode,
    if(w.found, w.word.1, f.file_mode) AS own_mode,
    -- Later words by which other versions went live: they put this one off.
    arrayFilter(one -> one.3 != f.version AND (NOT w.found OR (one.1, one.2) > (w.began_at, w.nth)), l.lives)
        AS displacing,
    own_mode = 'live' AND notEmpty(displacing) AS is_displaced,
    if(is_displaced, 'off', own_mode) AS mode,
    if(is_displaced, arraySort(displacing)[1].1, if(w.found, w.began_at, NULL)) AS since,
    if(w.found AND NOT is_displaced, w.word.2, '') AS reason,
    if(w.found AND NOT is_displaced, w.word.3, '') AS decided_by
FROM
(
    SELECT entry.1 AS definition, entry.2 AS version, entry.3 AS file_mode, entry.4 AS owner
    FROM (SELECT arrayJoin(CAST({files}, 'Array(Tuple(String, UInt32, String, String))')) AS entry)
) AS f
LEFT ANY JOIN
(
    SELECT definition, version, true AS found, max(from_at) AS began_at, argMax(last, from_at) AS word,
        argMax(place, from_at) AS nth
    FROM words
    GROUP BY definition, version
) AS w ON w.definition = f.definition AND w.version = f.version
LEFT ANY JOIN
(
    SELECT definition, groupArray((from_at, place, version)) AS lives
    FROM words
    WHERE last.1 = 'live' AND has(CAST({versions}, 'Array(String)'), concat(definition, '/', toString(version)))
    GROUP BY definition
) AS l ON l.definition = f.definition"""


def deployment_views(definitions: Sequence[Definition], catalogue: Catalogue, target: Target) -> list[str]:
    """CREATE statements for everything that follows from the files of a deployment."""
    return [
        *catalogue_views(catalogue, target),
        *definition_views(definitions, target),
        modes_view(definitions, target),
    ]


def definition_views(definitions: Iterable[Definition], target: Target) -> list[str]:
    """CREATE statements for each definition, all its versions together."""
    named: dict[str, list[Definition]] = {}
    for definition in sorted(definitions, key=lambda found: (found.journey, found.version)):
        named.setdefault(definition.journey, []).append(definition)
    return [_filled(template, versions, target) for versions in named.values() for template in (_FUNNEL, _DURATIONS)]


def modes_view(definitions: Iterable[Definition], target: Target) -> str:
    """The CREATE statement of v_definition_modes."""
    found = sorted(definitions, key=lambda one: (one.journey, one.version))
    files = ", ".join(f"({text(one.journey)}, {one.version}, {text(one.mode)}, {text(one.owner)})" for one in found)
    versions = ", ".join(text(f"{one.journey}/{one.version}") for one in found)
    given = variables(target)
    return _MODES.format(
        database=given["database"], on_cluster=given["on_cluster"], files=f"[{files}]", versions=f"[{versions}]"
    )


def _filled(template: str, versions: Sequence[Definition], target: Target) -> str:
    given = variables(target)
    names: list[str] = []
    numbers: list[int] = []
    afters: list[str] = []
    withins: list[int] = []
    for definition in versions:
        for number, name in enumerate(step_order(definition), 1):
            step = definition.steps[name]
            names.append(f"{definition.version}/{name}")
            numbers.append(number)
            afters.append(step.after)
            withins.append(duration_ms(step.within) if step.within else 0)
    return template.format(
        database=given["database"],
        on_cluster=given["on_cluster"],
        journey=versions[0].journey,
        other=_OTHER,
        names=_texts(names),
        numbers=_numbers(numbers),
        afters=_texts(afters),
        withins=_numbers(withins),
    )


def _numbers(values: Iterable[int]) -> str:
    return f"CAST([{', '.join(map(str, values))}], 'Array(Int64)')"


def _texts(words: Iterable[str]) -> str:
    """A journey may have no steps, so the type is said."""
    return f"CAST([{', '.join(map(text, words))}], 'Array(String)')"
