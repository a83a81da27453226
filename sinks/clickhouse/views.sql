-- Views for people and BI tools. Each one shows every touchpoint, journey, alert and dead letter once, whatever was
-- delivered twice, before any merge: they read FINAL. Written anew at each run of the migrations.

CREATE OR REPLACE VIEW ${database}.v_touchpoints ${on_cluster}
(
    touchpoint_id String COMMENT 'Id of the touchpoint',
    customer_id   String COMMENT 'Its customer as known now; empty: nobody',
    attributed_by String COMMENT 'Rule that chose the customer: user_id, login, device, contact, business_key, waiting, subject',
    name          String COMMENT 'What happened, as in the touchpoint catalogue',
    declared      Bool COMMENT 'Whether the name is in the touchpoint catalogue',
    channel       String COMMENT 'web, app, store, ...',
    source        String COMMENT 'Name of the write key or system that sent it',
    occurred_at   DateTime64(3, 'UTC') COMMENT 'When it happened, the wrong clock of a client corrected',
    log_time      DateTime64(3, 'UTC') COMMENT 'When it reached the log (Kafka)',
    sequence      UInt32 COMMENT 'Order among touchpoints of the same time',
    too_late      Bool COMMENT 'Arrived too late to take part in journeys',
    store_id      String COMMENT 'Store; empty: none',
    app_version   String COMMENT 'Version of the app; empty: unknown',
    country       String COMMENT 'Country; empty: unknown',
    subject_kind  String COMMENT 'What it is about when it names nobody: store, product, brand; empty: none',
    subject_id    String COMMENT 'Id of the subject; empty: none',
    order_id      String COMMENT 'Business key; empty: none',
    receipt_id    String COMMENT 'Business key; empty: none',
    ticket_id     String COMMENT 'Business key; empty: none',
    claim_id      String COMMENT 'Business key; empty: none',
    properties    String COMMENT 'JSON text: what the sender said about it',
    context       String COMMENT 'JSON text: device, page, campaign',
    run           String COMMENT 'live, simulation, replay or backfill',
    message_id    String COMMENT 'Id given by the sender',
    origin        String COMMENT 'Routing identifier, kind:value',
    occurred_at_sent DateTime64(3, 'UTC') COMMENT 'When it happened, as the sender said',
    received_at   Nullable(DateTime64(3, 'UTC')) COMMENT 'When the collector received it',
    raw_partition UInt32 COMMENT 'Where it lay on touchpoints.raw: partition',
    raw_offset    UInt64 COMMENT 'Where it lay on touchpoints.raw: offset'
)
AS SELECT
    t.touchpoint_id AS touchpoint_id,
    if(a.touchpoint_id != '' AND a.rev >= t.rev, a.customer_id, t.customer_id) AS customer_id,
    if(a.touchpoint_id != '' AND a.rev >= t.rev, a.attributed_by, t.attributed_by) AS attributed_by,
    t.name AS name, t.declared AS declared, t.channel AS channel, t.source AS source, t.occurred_at AS occurred_at,
    t.log_time AS log_time, t.sequence AS sequence, t.too_late AS too_late, t.store_id AS store_id,
    t.app_version AS app_version, t.country AS country, t.subject_kind AS subject_kind, t.subject_id AS subject_id,
    t.order_id AS order_id, t.receipt_id AS receipt_id, t.ticket_id AS ticket_id, t.claim_id AS claim_id,
    t.properties AS properties, t.context AS context, t.run AS run, t.message_id AS message_id, t.origin AS origin,
    t.occurred_at_sent AS occurred_at_sent, t.received_at AS received_at, t.raw_partition AS raw_partition,
    t.raw_offset AS raw_offset
FROM ${database}.touchpoints AS t FINAL
LEFT ANY JOIN (SELECT touchpoint_id, customer_id, attributed_by, rev FROM ${database}.attributions FINAL) AS a
    ON a.touchpoint_id = t.touchpoint_id;

CREATE OR REPLACE VIEW ${database}.v_journeys_now ${on_cluster}
(
    journey_id      String COMMENT 'Id of the journey',
    definition      String COMMENT 'Name of the journey definition',
    definition_version UInt32 COMMENT 'Version of the definition',
    customer_id     String COMMENT 'Whose journey it is',
    anchor          String COMMENT 'What it is about: kind:value of its key, or start: and a touchpoint id',
    status          String COMMENT 'open, succeeded, failed or expired',
    started_at      Nullable(DateTime64(3, 'UTC')) COMMENT 'When it started; null: the start was not seen',
    ended_at        Nullable(DateTime64(3, 'UTC')) COMMENT 'When it ended; null: it goes on',
    reached_steps   Array(String) COMMENT 'Steps that were reached',
    waiting_steps   Array(String) COMMENT 'Steps that are still to come',
    missed_steps    Array(String) COMMENT 'Steps whose deadline passed',
    active_breaks   Array(String) COMMENT 'Breaks that are not cleared',
    all_breaks      Array(String) COMMENT 'Breaks that exist, cleared ones too; withdrawn ones are gone',
    touchpoint_ids  Array(String) COMMENT 'Touchpoints of the journey, in their order',
    truncated       Bool COMMENT 'Too many touchpoints to keep: early ones are missing',
    run             String COMMENT 'live, simulation, replay or backfill',
    log_time        DateTime64(3, 'UTC') COMMENT 'Log time of the last change'
)
AS SELECT
    journey_id, definition, definition_version, customer_id, anchor, status, started_at, ended_at,
    arrayFilter((step, state) -> state = 'reached', steps.step, steps.status) AS reached_steps,
    arrayFilter((step, state) -> state = 'waiting', steps.step, steps.status) AS waiting_steps,
    arrayFilter((step, state) -> state = 'missed', steps.step, steps.status) AS missed_steps,
    arrayFilter((name, cleared) -> cleared IS NULL, breaks.name, breaks.cleared_at) AS active_breaks,
    breaks.name AS all_breaks,
    touchpoint_ids, truncated, run, log_time
FROM ${database}.journeys FINAL
-- A moved one goes on under its new customer.
WHERE status != 'moved';

CREATE OR REPLACE VIEW ${database}.journey_steps ${on_cluster}
(
    journey_id    String COMMENT 'Id of the journey',
    definition    String COMMENT 'Name of the journey definition',
    definition_version UInt32 COMMENT 'Version of the definition',
    customer_id   String COMMENT 'Whose journey it is',
    journey_status String COMMENT 'open, succeeded, failed or expired',
    started_at    Nullable(DateTime64(3, 'UTC')) COMMENT 'When the journey started; null: the start was not seen',
    step          String COMMENT 'Name of the step',
    step_status   String COMMENT 'waiting, reached, skipped or missed',
    due_at        Nullable(DateTime64(3, 'UTC')) COMMENT 'Its deadline; null: none',
    reached_at    Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was reached; null: not reached',
    touchpoint_id String COMMENT 'Touchpoint that reached it; empty: none',
    channel       String COMMENT 'Channel on which it was reached; empty: not reached',
    run           String COMMENT 'live, simulation, replay or backfill'
)
AS SELECT
    journey_id, definition, definition_version, customer_id, status AS journey_status, started_at,
    s.1 AS step, s.2 AS step_status, s.3 AS due_at, s.4 AS reached_at, s.5 AS touchpoint_id, s.6 AS channel, run
FROM ${database}.journeys FINAL
ARRAY JOIN arrayZip(steps.step, steps.status, steps.due_at, steps.reached_at, steps.touchpoint_id, steps.channel) AS s
WHERE status != 'moved';

CREATE OR REPLACE VIEW ${database}.v_alerts ${on_cluster}
(
    alert_id    String COMMENT 'Id of the alert',
    state       String COMMENT 'firing, acknowledged, resolved, withdrawn; moved: the journey went to another customer',
    severity    String COMMENT 'info, warning, error or critical',
    first_line  String COMMENT 'What is wrong, for whom and why, in one sentence',
    owner       String COMMENT 'Team that owns the journey',
    incident    String COMMENT 'definition/break: what is grouped',
    definition  String COMMENT 'Name of the journey definition',
    definition_version UInt32 COMMENT 'Version of the definition',
    kind        String COMMENT 'missing_step, handoff_lost, repeated or low_score',
    break_name  String COMMENT 'Name of the break in the definition',
    step        String COMMENT 'Step that it is about; empty: none',
    occurrence  UInt32 COMMENT 'Counts the occurrences of this break in this journey',
    journey_id  String COMMENT 'The broken journey',
    customer_id String COMMENT 'Whose journey it is',
    anchor      String COMMENT 'What the journey is about',
    cause_at    DateTime64(3, 'UTC') COMMENT 'When it broke: the deadline, or the touchpoint that broke it',
    due_at      Nullable(DateTime64(3, 'UTC')) COMMENT 'The missed deadline',
    cleared_at  Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was healed',
    fired_at    DateTime64(3, 'UTC') COMMENT 'Log time at which it fired first',
    changed_at  DateTime64(3, 'UTC') COMMENT 'Log time of the last change',
    notify      Bool COMMENT 'Whether somebody was to be told of the last change',
    reason      String COMMENT 'Why, or why not',
    dedup_key   String COMMENT 'Stays the same when the journey moves to another customer',
    continues   String COMMENT 'Alert of the former customer that this one follows; empty: none',
    run         String COMMENT 'live, simulation, replay or backfill',
    evidence    Array(Tuple(touchpoint_id String, name String, channel String, occurred_at DateTime64(3, 'UTC'))) COMMENT 'Touchpoints that show it'
)
AS SELECT
    alert_id, state, severity, first_line, owner, incident, definition, definition_version, kind, break_name, step,
    occurrence, journey_id, customer_id, anchor, cause_at, due_at, cleared_at, fired_at, changed_at, notify, reason,
    dedup_key, continues, run,
    arrayZip(evidence.touchpoint_id, evidence.name, evidence.channel, evidence.occurred_at) AS evidence
FROM ${database}.alerts
-- The last change counts; it makes repeated deliveries harmless, too.
ORDER BY alert_id, position DESC
LIMIT 1 BY alert_id;

CREATE OR REPLACE VIEW ${database}.v_broken_journeys_now ${on_cluster}
(
    alert_id    String COMMENT 'Id of the open alert',
    state       String COMMENT 'firing or acknowledged',
    severity    String COMMENT 'info, warning, error or critical',
    first_line  String COMMENT 'What is wrong, for whom and why, in one sentence',
    owner       String COMMENT 'Team that owns the journey',
    definition  String COMMENT 'Name of the journey definition',
    break_name  String COMMENT 'Name of the break in the definition',
    kind        String COMMENT 'missing_step, handoff_lost, repeated or low_score',
    step        String COMMENT 'Step that it is about; empty: none',
    journey_id  String COMMENT 'The broken journey',
    customer_id String COMMENT 'Whose journey it is',
    anchor      String COMMENT 'What the journey is about',
    cause_at    DateTime64(3, 'UTC') COMMENT 'When it broke',
    fired_at    DateTime64(3, 'UTC') COMMENT 'Log time at which the alert fired',
    run         String COMMENT 'live, simulation, replay or backfill'
)
AS SELECT
    alert_id, state, severity, first_line, owner, definition, break_name, kind, step, journey_id, customer_id, anchor,
    cause_at, fired_at, run
FROM ${database}.v_alerts
WHERE state IN ('firing', 'acknowledged');

CREATE OR REPLACE VIEW ${database}.v_customer_timeline ${on_cluster}
(
    customer_id   String COMMENT 'Filter by this',
    at            DateTime64(3, 'UTC') COMMENT 'When it happened',
    what          String COMMENT 'touchpoint, journey or alert',
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
WHERE started_at IS NOT NULL
UNION ALL
SELECT customer_id, cause_at, 'alert', incident, '', concat(state, ': ', first_line), alert_id
FROM ${database}.v_alerts
WHERE state != 'moved';

CREATE OR REPLACE VIEW ${database}.v_dead_letters ${on_cluster}
(
    stage     String COMMENT 'Who could not process it',
    topic     String COMMENT 'Where it lay: topic',
    partition UInt32 COMMENT 'Where it lay: partition',
    offset    UInt64 COMMENT 'Where it lay: offset',
    failure   String COMMENT 'What kind of fault',
    field     String COMMENT 'Field that is wrong; empty: the whole',
    detail    String COMMENT 'What is wrong',
    source    String COMMENT 'Who sent it',
    log_time  DateTime64(3, 'UTC') COMMENT 'When it reached the log (Kafka)',
    run       String COMMENT 'live, simulation, replay or backfill',
    headers   Map(String, String) COMMENT 'Its headers',
    payload   String COMMENT 'Its bytes, untouched, as base64'
)
AS SELECT stage, topic, partition, offset, failure, field, detail, source, log_time, run, headers, payload
FROM ${database}.dead_letters FINAL;

CREATE OR REPLACE VIEW ${database}.v_undeclared_touchpoints ${on_cluster}
(
    name     String COMMENT 'Name that is not in the touchpoint catalogue',
    source   String COMMENT 'Who sends it',
    count    UInt64 COMMENT 'How many touchpoints',
    first_at DateTime64(3, 'UTC') COMMENT 'Log time of the first',
    last_at  DateTime64(3, 'UTC') COMMENT 'Log time of the last'
)
AS SELECT name, source, count() AS count, min(log_time) AS first_at, max(log_time) AS last_at
FROM ${database}.touchpoints FINAL
WHERE NOT declared
GROUP BY name, source;
