-- Alerts, each once as it stands, and what is open now of sources and of contracts; of journeys: view_open_breaks.sql.
-- After views.sql, which they read. Written anew at each run of the migrations.

CREATE OR REPLACE VIEW ${database}.v_alerts ${on_cluster}
(
    alert_id    String COMMENT 'Id of the alert',
    state       String COMMENT 'firing, acknowledged, resolved, withdrawn; moved: the journey went to another customer',
    severity    String COMMENT 'info, warning, error or critical',
    first_line  String COMMENT 'What is wrong, for whom and why, in one sentence',
    owner       String COMMENT 'Team that answers for the journey, the source or the touchpoint',
    runbook     String COMMENT 'What to do about it: a link; empty: none',
    acknowledged_by String COMMENT 'Who looks after it, or closed it; empty: nobody',
    mode        String COMMENT 'live; shadow: nobody is told',
    scope       String COMMENT 'What it is about: journey, source or touchpoint',
    incident    String COMMENT 'What is grouped: definition/break, sources/entry or catalogue/touchpoint',
    definition  String COMMENT 'Name of the journey definition; sources or catalogue for what is about no journey',
    definition_version UInt32 COMMENT 'Version of the definition',
    kind        String COMMENT '${kinds}; silent_source, broken_contract',
    break_name  String COMMENT 'Name of the break in the definition; silent_source, broken_contract',
    step        String COMMENT 'Step that it is about; empty: none',
    occurrence  UInt32 COMMENT 'Counts the occurrences of this break in this journey, or of this source or touchpoint',
    journey_id  String COMMENT 'The broken journey; empty: it is about none',
    customer_id String COMMENT 'Whose journey it is; empty: it is about no customer',
    anchor      String COMMENT 'What it is about: kind:value of the key, start: and a touchpoint id, source:NAME or touchpoint:NAME',
    cause_at    DateTime64(3, 'UTC') COMMENT 'When it broke: the deadline, or the touchpoint that broke it',
    due_at      Nullable(DateTime64(3, 'UTC')) COMMENT 'The missed deadline, or the end of what was waited out; null: neither',
    cleared_at  Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was healed',
    fired_at    DateTime64(3, 'UTC') COMMENT 'Log time at which it fired first',
    changed_at  DateTime64(3, 'UTC') COMMENT 'Log time of the last change',
    notify      Bool COMMENT 'Whether somebody was to be told of the last change',
    reason      String COMMENT 'Why, or why not; closed: a person says that it is over',
    dedup_key   String COMMENT 'Stays the same when the journey moves to another customer',
    continues   String COMMENT 'Alert of the former customer that this one follows; empty: none',
    run         String COMMENT 'live, simulation, replay or backfill',
    evidence    Array(Tuple(touchpoint_id String, name String, channel String, occurred_at DateTime64(3, 'UTC'))) COMMENT 'Touchpoints that show it'
)
AS SELECT
    alert_id, state, severity, first_line, owner, runbook, acknowledged_by, mode, scope, incident, definition,
    definition_version, kind, break_name, step, occurrence, journey_id, customer_id, anchor, cause_at, due_at, cleared_at,
    fired_at, changed_at, notify, reason, dedup_key, continues, run,
    arrayZip(evidence.touchpoint_id, evidence.name, evidence.channel, evidence.occurred_at) AS evidence
FROM ${database}.alerts
-- The last change counts; it makes repeated deliveries harmless, too.
ORDER BY alert_id, position DESC
LIMIT 1 BY alert_id;

CREATE OR REPLACE VIEW ${database}.v_sources_silent ${on_cluster}
(
    source       String COMMENT 'The source that is silent now',
    entry        String COMMENT 'Its entry in sources.yaml; of a form, the form as it is written',
    silent_since DateTime64(3, 'UTC') COMMENT 'When it became silent: its time without a sign of life was over',
    fired_at     DateTime64(3, 'UTC') COMMENT 'Log time at which the alert fired',
    state        String COMMENT 'firing or acknowledged',
    severity     String COMMENT 'info, warning, error or critical',
    owner        String COMMENT 'Team that answers for the source',
    runbook      String COMMENT 'What to do about it: a link; empty: none',
    acknowledged_by String COMMENT 'Who looks after it; empty: nobody',
    occurrence   UInt32 COMMENT 'Counts the silences of this source',
    alert_id     String COMMENT 'Id of the alert',
    run          String COMMENT 'live, simulation, replay or backfill'
)
AS SELECT
    substring(anchor, 8) AS source, substring(incident, 9) AS entry, cause_at AS silent_since, fired_at, state, severity,
    owner, runbook, acknowledged_by, occurrence, alert_id, run
FROM ${database}.v_alerts
WHERE scope = 'source' AND state IN ('firing', 'acknowledged');

CREATE OR REPLACE VIEW ${database}.v_contracts_broken ${on_cluster}
(
    name         String COMMENT 'The touchpoint of mode control whose contract is broken now',
    broken_since DateTime64(3, 'UTC') COMMENT 'Log time of the first violation; the dead letters name the property',
    fired_at     DateTime64(3, 'UTC') COMMENT 'Log time at which the alert fired',
    state        String COMMENT 'firing or acknowledged',
    severity     String COMMENT 'error or warning',
    owner        String COMMENT 'Team that answers for the touchpoint',
    acknowledged_by String COMMENT 'Who looks after it; empty: nobody',
    occurrence   UInt32 COMMENT 'Counts the alerts about this touchpoint',
    alert_id     String COMMENT 'Id of the alert',
    run          String COMMENT 'live, simulation, replay or backfill'
)
AS SELECT
    substring(anchor, 12) AS name, cause_at AS broken_since, fired_at, state, severity, owner, acknowledged_by, occurrence,
    alert_id, run
FROM ${database}.v_alerts
WHERE scope = 'touchpoint' AND state IN ('firing', 'acknowledged');

CREATE OR REPLACE VIEW ${database}.v_break_rates ${on_cluster}
(
    definition  String COMMENT 'Name of the journey definition',
    definition_version UInt32 COMMENT 'Version of the definition',
    mode        String COMMENT 'live; shadow: a version that is tried',
    started_on  Date COMMENT 'Day (UTC) on which the journeys started',
    break_name  String COMMENT 'Name of the break in the definition',
    kind        String COMMENT '${kinds}',
    journeys    UInt64 COMMENT 'Journeys of the version that started on that day, broken or not',
    broken      UInt64 COMMENT 'of these, that had this break; withdrawn ones and those that a person closed do not count',
    closed      UInt64 COMMENT 'of these, whose break a person closed, and that had no other of this name',
    withdrawn   UInt64 COMMENT 'of these, whose break turned out never to have been, and that had no other of this name',
    rate        Float64 COMMENT 'broken / (journeys - closed); 0 where nothing is left'
)
AS SELECT
    definition, definition_version, mode, started_on, break_name, kind, any(all_journeys) AS journeys,
    countIf(is_broken) AS broken, countIf(is_closed AND NOT is_broken) AS closed,
    countIf(NOT is_closed AND NOT is_broken) AS withdrawn,
    if(journeys > closed, broken / (journeys - closed), 0) AS rate
FROM
(
    SELECT
        j.definition AS definition, j.definition_version AS definition_version, j.mode AS mode, j.started_on AS started_on,
        a.break_name AS break_name, a.kind AS kind, a.is_closed AS is_closed, a.is_broken AS is_broken,
        d.journeys AS all_journeys
    FROM
    (
        SELECT journey_id, definition, definition_version, mode, toDate(assumeNotNull(started_at)) AS started_on
        FROM ${database}.v_journeys_now
        WHERE started_at IS NOT NULL
    ) AS j
    INNER JOIN
    (
        SELECT
            journey_id, break_name, kind, max(state != 'withdrawn' AND reason != 'closed') AS is_broken,
            max(state != 'withdrawn' AND reason = 'closed') AS is_closed
        FROM ${database}.v_alerts
        WHERE scope = 'journey' AND state != 'moved'
        GROUP BY journey_id, break_name, kind
    ) AS a ON a.journey_id = j.journey_id
    INNER JOIN
    (
        SELECT definition, definition_version, mode, toDate(assumeNotNull(started_at)) AS started_on, count() AS journeys
        FROM ${database}.v_journeys_now
        WHERE started_at IS NOT NULL
        GROUP BY definition, definition_version, mode, started_on
    ) AS d ON d.definition = j.definition AND d.definition_version = j.definition_version AND d.mode = j.mode
        AND d.started_on = j.started_on
)
GROUP BY definition, definition_version, mode, started_on, break_name, kind;

CREATE OR REPLACE VIEW ${database}.v_customer_timeline ${on_cluster}
(
    customer_id   String COMMENT 'Filter by this',
    at            DateTime64(3, 'UTC') COMMENT 'When it happened',
    what          String COMMENT 'touchpoint, journey or alert; of versions that are tried neither',
    name          String COMMENT 'Name of the touchpoint, of the definition, or of definition/break',
    channel       String COMMENT 'Channel of the touchpoint; empty for the others',
    detail        String COMMENT 'Rule of attribution; status of the journey; state and first line of the alert',
    id            String COMMENT 'Id of the touchpoint, journey or alert'
)
AS SELECT customer_id, occurred_at AS at, 'touchpoint' AS what, name, channel, attributed_by AS detail, touchpoint_id AS id
FROM ${database}.v_touchpoints
UNION ALL
SELECT customer_id, assumeNotNull(started_at) AS at, 'journey', definition, '', status, journey_id
FROM ${database}.v_journeys_now
WHERE started_at IS NOT NULL AND mode = 'live'
UNION ALL
SELECT customer_id, cause_at, 'alert', incident, '', concat(state, ': ', first_line), alert_id
FROM ${database}.v_alerts
WHERE state != 'moved' AND scope = 'journey' AND mode = 'live';
