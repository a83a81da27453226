-- Tables of Touchline. Every statement can run twice: an interrupted migration is simply started again.
-- Rewrites of a row (redelivery, moves, new snapshots) carry a greater version or are equal; FINAL shows the last one.

CREATE TABLE IF NOT EXISTS ${database}.touchpoints ${on_cluster}
(
    touchpoint_id    String COMMENT 'Id from source, message id and content: the same touchpoint always has the same id',
    message_id       String COMMENT 'Id given by the sender',
    customer_id      String COMMENT 'Customer at the time of arrival; empty: nobody (yet). The view v_touchpoints has the current one',
    attributed_by    LowCardinality(String) COMMENT 'Rule that chose the customer: user_id, login, device, contact, business_key, waiting, subject',
    rev              UInt64 COMMENT 'Version of the row: offset of its cause in the partition that owns the touchpoint',
    run              LowCardinality(String) COMMENT 'live, simulation, replay or backfill',
    origin           String COMMENT 'Routing identifier, kind:value; never changes',
    name             LowCardinality(String) COMMENT 'What happened, as in the touchpoint catalogue',
    declared         Bool COMMENT 'Whether the name is in the touchpoint catalogue',
    channel          LowCardinality(String) COMMENT 'web, app, store, ...',
    source           LowCardinality(String) COMMENT 'Name of the write key or system that sent it',
    occurred_at      DateTime64(3, 'UTC') COMMENT 'When it happened, the wrong clock of a client corrected',
    occurred_at_sent DateTime64(3, 'UTC') COMMENT 'When it happened, as the sender said; never changes',
    sent_at          Nullable(DateTime64(3, 'UTC')) COMMENT 'When the sender sent it, by its clock',
    received_at      Nullable(DateTime64(3, 'UTC')) COMMENT 'When the collector received it',
    log_time         DateTime64(3, 'UTC') COMMENT 'When it reached the log (Kafka)',
    sequence         UInt32 COMMENT 'Order among touchpoints of the same time',
    too_late         Bool COMMENT 'Arrived too late to take part in journeys',
    store_id         LowCardinality(String) COMMENT 'Store, from the properties, the context or the subject; empty: none',
    app_version      LowCardinality(String) COMMENT 'Version of the app, from the context or the properties; empty: unknown',
    country          LowCardinality(String) COMMENT 'Country, from the properties or the context; empty: unknown',
    subject_kind     LowCardinality(String) COMMENT 'What it is about when it names nobody: store, product, brand; empty: none',
    subject_id       String COMMENT 'Id of the subject; empty: none',
    user_id          String COMMENT 'Identifier as sent; empty: none',
    anonymous_id     String COMMENT 'Identifier as sent; empty: none',
    device_id        String COMMENT 'Identifier as sent; empty: none',
    email            String COMMENT 'Identifier as sent; empty: none',
    phone            String COMMENT 'Identifier as sent; empty: none',
    loyalty_card     String COMMENT 'Identifier as sent; empty: none',
    order_id         String COMMENT 'Business key; empty: none',
    receipt_id       String COMMENT 'Business key; empty: none',
    ticket_id        String COMMENT 'Business key; empty: none',
    claim_id         String COMMENT 'Business key; empty: none',
    properties       String COMMENT 'JSON text: what the sender said about it' CODEC(ZSTD(1)),
    context          String COMMENT 'JSON text: device, page, campaign' CODEC(ZSTD(1)),
    raw_partition    UInt32 COMMENT 'Where the touchpoint lay on touchpoints.raw: partition',
    raw_offset       UInt64 COMMENT 'Where the touchpoint lay on touchpoints.raw: offset',
    INDEX by_occurred_at occurred_at TYPE minmax GRANULARITY 1,
    INDEX by_customer customer_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_id touchpoint_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ${replicated}ReplacingMergeTree(rev)
-- A client's clock may say any year: what lies outside of these shares one partition.
PARTITION BY if(toYear(occurred_at_sent) BETWEEN 2015 AND 2045, toYYYYMM(occurred_at_sent), 0)
-- What never changes about a touchpoint. With the customer in the key, a moved one would show twice.
ORDER BY (origin, occurred_at_sent, touchpoint_id)
SETTINGS ${dedup_window}
COMMENT 'Every valid touchpoint. Read v_touchpoints: it shows each one once, with its current customer';

CREATE TABLE IF NOT EXISTS ${database}.attributions ${on_cluster}
(
    touchpoint_id String COMMENT 'The touchpoint that changed hands',
    customer_id   String COMMENT 'Its customer from now on; empty: nobody',
    attributed_by LowCardinality(String) COMMENT 'Rule that chose the customer',
    rev           UInt64 COMMENT 'Version: counts where it is not below the touchpoint''s own',
    run           LowCardinality(String) COMMENT 'live, simulation, replay or backfill'
)
ENGINE = ${replicated}ReplacingMergeTree(rev)
ORDER BY touchpoint_id
SETTINGS ${dedup_window}
COMMENT 'Touchpoints whose customer changed after they arrived';

CREATE TABLE IF NOT EXISTS ${database}.journeys ${on_cluster}
(
    journey_id      String COMMENT 'Id from definition, customer and anchor',
    version         UInt64 COMMENT 'Grows with each snapshot of the journey',
    run             LowCardinality(String) COMMENT 'live, simulation, replay or backfill',
    definition      LowCardinality(String) COMMENT 'Name of the journey definition',
    definition_version UInt32 COMMENT 'Version of the definition',
    customer_id     String COMMENT 'Whose journey it is',
    anchor          String COMMENT 'What the journey is about: kind:value of its key, or start: and a touchpoint id',
    status          LowCardinality(String) COMMENT 'open, succeeded, failed, expired; moved: it went to another customer',
    started_at      Nullable(DateTime64(3, 'UTC')) COMMENT 'When it started; null: the start was not seen',
    ended_at        Nullable(DateTime64(3, 'UTC')) COMMENT 'When it ended; null: it goes on',
    log_time        DateTime64(3, 'UTC') COMMENT 'Log time of the last change',
    truncated       Bool COMMENT 'Too many touchpoints to keep: early ones are missing',
    touchpoint_ids  Array(String) COMMENT 'Touchpoints of the journey, in their order',
    steps Nested
    (
        step          LowCardinality(String),
        status        LowCardinality(String),
        due_at        Nullable(DateTime64(3, 'UTC')),
        reached_at    Nullable(DateTime64(3, 'UTC')),
        touchpoint_id String,
        channel       LowCardinality(String)
    ) COMMENT 'Steps of the journey. Read them in the view journey_steps',
    breaks Nested
    (
        name       LowCardinality(String),
        kind       LowCardinality(String),
        step       LowCardinality(String),
        occurrence UInt32,
        severity   LowCardinality(String),
        cause_at   DateTime64(3, 'UTC'),
        due_at     Nullable(DateTime64(3, 'UTC')),
        cleared_at Nullable(DateTime64(3, 'UTC'))
    ) COMMENT 'Breaks that exist; withdrawn ones are gone. Cleared ones have cleared_at',
    INDEX by_customer customer_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ${replicated}ReplacingMergeTree(version)
ORDER BY journey_id
SETTINGS ${dedup_window}
COMMENT 'Snapshots of journeys. Read v_journeys_now: it shows each one once, as it is';

CREATE TABLE IF NOT EXISTS ${database}.alerts ${on_cluster}
(
    alert_id       String COMMENT 'Id from journey, break and occurrence',
    position       UInt64 COMMENT 'Order of the changes of one alert',
    run            LowCardinality(String) COMMENT 'live, simulation, replay or backfill',
    dedup_key      String COMMENT 'Stays the same when the journey moves to another customer',
    continues      String COMMENT 'Alert of the former customer that this one follows; empty: none',
    incident       LowCardinality(String) COMMENT 'definition/break: what is grouped',
    state          LowCardinality(String) COMMENT 'firing, acknowledged, resolved, withdrawn or moved',
    notify         Bool COMMENT 'Whether somebody is to be told',
    reason         LowCardinality(String) COMMENT 'Why, or why not',
    definition     LowCardinality(String) COMMENT 'Name of the journey definition',
    definition_version UInt32 COMMENT 'Version of the definition',
    owner          LowCardinality(String) COMMENT 'Team that owns the journey',
    severity       LowCardinality(String) COMMENT 'info, warning, error or critical',
    kind           LowCardinality(String) COMMENT 'missing_step, handoff_lost, repeated or low_score',
    break_name     LowCardinality(String) COMMENT 'Name of the break in the definition',
    step           LowCardinality(String) COMMENT 'Step that it is about; empty: none',
    occurrence     UInt32 COMMENT 'Counts the occurrences of this break in this journey',
    journey_id     String COMMENT 'The broken journey',
    customer_id    String COMMENT 'Whose journey it is',
    anchor         String COMMENT 'What the journey is about',
    cause_at       DateTime64(3, 'UTC') COMMENT 'When it broke: the deadline, or the touchpoint that broke it',
    due_at         Nullable(DateTime64(3, 'UTC')) COMMENT 'The missed deadline',
    cleared_at     Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was healed',
    fired_at       DateTime64(3, 'UTC') COMMENT 'Log time at which the alert fired first',
    changed_at     DateTime64(3, 'UTC') COMMENT 'Log time of this change',
    cause_log_time DateTime64(3, 'UTC') COMMENT 'Log time of what caused this change',
    evidence Nested
    (
        touchpoint_id String,
        name          LowCardinality(String),
        channel       LowCardinality(String),
        occurred_at   DateTime64(3, 'UTC')
    ) COMMENT 'Touchpoints that show it',
    first_line     String COMMENT 'What is wrong, for whom and why, in one sentence',
    INDEX by_customer customer_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ${replicated}ReplacingMergeTree
ORDER BY (alert_id, position)
SETTINGS ${dedup_window}
COMMENT 'Every change of every alert. Read v_alerts: each alert once, as it is';

CREATE TABLE IF NOT EXISTS ${database}.dead_letters ${on_cluster}
(
    stage     LowCardinality(String) COMMENT 'Who could not process it',
    topic     LowCardinality(String) COMMENT 'Where it lay: topic',
    partition UInt32 COMMENT 'Where it lay: partition',
    offset    UInt64 COMMENT 'Where it lay: offset',
    run       LowCardinality(String) COMMENT 'live, simulation, replay or backfill',
    failure   LowCardinality(String) COMMENT 'malformed, contract_violation, size_violation, unsupported_format, unauthentic_control or quarantined',
    field     String COMMENT 'Field that is wrong; empty: the whole',
    detail    String COMMENT 'What is wrong',
    source    LowCardinality(String) COMMENT 'Who sent it',
    log_time  DateTime64(3, 'UTC') COMMENT 'When it reached the log (Kafka)',
    headers   Map(String, String) COMMENT 'Its headers',
    payload   String COMMENT 'Its bytes, untouched, as base64' CODEC(ZSTD(1))
)
ENGINE = ${replicated}ReplacingMergeTree
PARTITION BY if(toYear(log_time) BETWEEN 2015 AND 2045, toYYYYMM(log_time), 0)
ORDER BY (stage, topic, partition, offset)
SETTINGS ${dedup_window}
COMMENT 'Records that could not be processed. Read v_dead_letters: each one once';
