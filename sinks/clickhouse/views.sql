-- Views for people and BI tools. Each one shows every touchpoint, journey, alert and dead letter once, whatever was
-- delivered twice, before any merge: they read FINAL. Written anew at each run of the migrations.

-- Whose a touchpoint is, rule by rule: docs/identity.md. What `resolve` remembers it moves itself (`attributions`). What is
-- older follows from what is true now: whom its contacts name, and what people decided about its device or key.

CREATE OR REPLACE VIEW ${database}.v_identity_decisions ${on_cluster}
(
    identifier  String COMMENT 'What it is about, kind:value; personal ones hashed',
    user_id     String COMMENT 'The user of a link or unlink; empty: none',
    customer_id String COMMENT 'The customer of that user; of a block, the customer that the identifier alone stands for',
    kind        String COMMENT 'link, unlink or block; lifted: kept here to say that there was one, and counts no more',
    reason      String COMMENT 'Why, in the words of who decided',
    decided_by  String COMMENT 'Who decided',
    decided_at  DateTime64(3, 'UTC') COMMENT 'When it was decided',
    decision_id String COMMENT 'Id of the decision',
    position    UInt64 COMMENT 'Order of the decisions'
)
AS SELECT
    identifier, user_id,
    concat(substring(digest, 1, 8), '-', substring(digest, 9, 4), '-5', substring(digest, 14, 3), '-',
        substring('89ab89ab89ab89ab', position('0123456789abcdef', substring(digest, 17, 1)), 1),
        substring(digest, 18, 3), '-', substring(digest, 21, 12)) AS customer_id,
    if(last.1 = 'lift', 'lifted', last.1) AS kind,
    last.2 AS reason, last.3 AS decided_by, last.4 AS decided_at, last.5 AS decision_id, greatest_position AS position
FROM
(
    SELECT
        identifier, user_id,
        argMax((kind, reason, decided_by, decided_at, decision_id), position) AS last,
        max(position) AS greatest_position,
        lower(hex(SHA1(concat(unhex('6f1d4c1e7f0b5d0e9a556c1b7d3f4a10'),
            if(user_id = '', identifier, concat('user_id:', user_id)))))) AS digest
    FROM ${database}.identity_decisions
    GROUP BY identifier, user_id
);

CREATE OR REPLACE VIEW ${database}.v_touchpoints ${on_cluster}
(
    touchpoint_id String COMMENT 'Id of the touchpoint',
    customer_id   String COMMENT 'Its customer as known now; empty: nobody',
    attributed_by String COMMENT 'Rule that chose the customer: user_id, login, manual, device, contact, business_key, waiting, subject',
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
    account_id    String COMMENT 'Company for which the person acts; empty: none',
    properties    String COMMENT 'JSON text: what the sender said about it',
    context       String COMMENT 'JSON text: device, page, campaign',
    run           String COMMENT 'live, simulation, replay or backfill',
    message_id    String COMMENT 'Id given by the sender',
    origin        String COMMENT 'Routing identifier, kind:value',
    occurred_at_sent DateTime64(3, 'UTC') COMMENT 'When it happened, as the sender said',
    received_at   Nullable(DateTime64(3, 'UTC')) COMMENT 'When the collector received it',
    raw_partition UInt32 COMMENT 'Where it lay on touchpoints.raw: partition',
    raw_offset    UInt64 COMMENT 'Where it lay on touchpoints.raw: offset',
    other_identifiers Map(LowCardinality(String), String) COMMENT 'By kind, identifiers of kinds that identity.yaml adds'
)
AS SELECT
    touchpoint_id,
    multiIf(
        rule = 'stored', stored_customer,
        rule = 'waiting', '',
        rule = 'manual', linked,
        named != '', named,
        -- schemas.identifiers.customer_of its routing identifier: UUID version 5.
        concat(
            substring(lower(hex(SHA1(concat(unhex('6f1d4c1e7f0b5d0e9a556c1b7d3f4a10'), origin)))) AS digest, 1, 8),
            '-', substring(digest, 9, 4), '-5', substring(digest, 14, 3),
            '-', substring('89ab89ab89ab89ab', position('0123456789abcdef', substring(digest, 17, 1)), 1),
            substring(digest, 18, 3), '-', substring(digest, 21, 12)
        )
    ) AS customer_id,
    if(rule = 'stored', stored_rule, rule) AS attributed_by,
    name, declared, channel, source, occurred_at, log_time, sequence, too_late, store_id, app_version, country, subject_kind,
    subject_id, order_id, receipt_id, ticket_id, claim_id, account_id, properties, context, run, message_id, origin,
    occurred_at_sent, received_at, raw_partition, raw_offset, other_identifiers
FROM
(
    SELECT
        t.touchpoint_id AS touchpoint_id,
        -- ifNull: a client may have set join_use_nulls.
        ifNull(a.touchpoint_id != '' AND a.rev >= t.rev, false) AS moved,
        ifNull(if(moved, a.customer_id, t.customer_id), '') AS stored_customer,
        ifNull(if(moved, a.attributed_by, t.attributed_by), '') AS stored_rule,
        ifNull(d.linked, '') AS linked,
        ifNull(d.blocked, false) AS blocked,
        ${t_on_device} AS on_device,
        -- The one user whom its contacts name: all of them that name somebody name the greatest.
        ifNull(e.customer_id, '') AS by_email,
        ifNull(p.customer_id, '') AS by_phone,
        ifNull(l.customer_id, '') AS by_card,
        ${own_named}greatest(by_email, by_phone, by_card${own_greatest}) AS greatest_named,
        if(
            (by_email = '' OR by_email = greatest_named) AND (by_phone = '' OR by_phone = greatest_named)
                AND (by_card = '' OR by_card = greatest_named)${own_agree},
            greatest_named, ''
        ) AS named,
        multiIf(
            t.too_late OR stored_rule NOT IN ('login', 'manual', 'contact', 'device', 'business_key'), 'stored',
            stored_rule = 'business_key', if(blocked, 'waiting', 'stored'),
            on_device AND linked != '' AND NOT blocked, 'manual',
            stored_rule = 'login' AND NOT blocked AND NOT has(d.unlinked, stored_customer) AND stored_customer NOT IN (
                SELECT customer_id FROM ${database}.v_identity_decisions
                WHERE kind = 'block' AND startsWith(identifier, 'user_id:')
            ), 'stored',
            -- The decision itself may come a moment later than what follows from it.
            stored_rule = 'manual' AND ifNull(d.identifier, '') = '', 'stored',
            stored_rule IN ('contact', 'device') AND empty(t.contacts), 'stored',
            named != '', 'contact',
            on_device, 'device',
            'contact'
        ) AS rule,
        t.name AS name, t.declared AS declared, t.channel AS channel, t.source AS source, t.occurred_at AS occurred_at,
        t.log_time AS log_time, t.sequence AS sequence, t.too_late AS too_late, t.store_id AS store_id,
        t.app_version AS app_version, t.country AS country, t.subject_kind AS subject_kind, t.subject_id AS subject_id,
        t.order_id AS order_id, t.receipt_id AS receipt_id, t.ticket_id AS ticket_id, t.claim_id AS claim_id,
        t.account_id AS account_id, t.properties AS properties, t.context AS context, t.run AS run,
        t.message_id AS message_id, t.origin AS origin, t.occurred_at_sent AS occurred_at_sent,
        t.received_at AS received_at, t.raw_partition AS raw_partition, t.raw_offset AS raw_offset,
        t.other_identifiers AS other_identifiers
    FROM ${database}.touchpoints AS t FINAL
    LEFT ANY JOIN (SELECT touchpoint_id, customer_id, attributed_by, rev FROM ${database}.attributions FINAL) AS a
        ON a.touchpoint_id = t.touchpoint_id
    LEFT ANY JOIN
    (
        SELECT contact, customer_id FROM ${database}.contact_namings FINAL
        WHERE user_id != '' AND startsWith(contact, 'email:')
    ) AS e ON e.contact = arrayFirst(one -> startsWith(one, 'email:'), t.contacts)
    LEFT ANY JOIN
    (
        SELECT contact, customer_id FROM ${database}.contact_namings FINAL
        WHERE user_id != '' AND startsWith(contact, 'phone:')
    ) AS p ON p.contact = arrayFirst(one -> startsWith(one, 'phone:'), t.contacts)
    LEFT ANY JOIN
    (
        SELECT contact, customer_id FROM ${database}.contact_namings FINAL
        WHERE user_id != '' AND startsWith(contact, 'loyalty_card:')
    ) AS l ON l.contact = arrayFirst(one -> startsWith(one, 'loyalty_card:'), t.contacts)
    ${own_joins}LEFT ANY JOIN
    (
        SELECT
            identifier,
            argMaxIf(customer_id, position, kind = 'link') AS linked,
            countIf(kind = 'block') > 0 AS blocked,
            groupArrayIf(customer_id, kind = 'unlink') AS unlinked
        FROM ${database}.v_identity_decisions
        GROUP BY identifier
    ) AS d ON d.identifier = t.origin
);

CREATE OR REPLACE VIEW ${database}.v_journeys_now ${on_cluster}
(
    journey_id      String COMMENT 'Id of the journey',
    definition      String COMMENT 'Name of the journey definition',
    definition_version UInt32 COMMENT 'Version of the definition',
    mode            String COMMENT 'live; shadow: a version that is tried, so nobody is told',
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
    journey_id, definition, definition_version, mode, customer_id, anchor, status, started_at, ended_at,
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
    mode          String COMMENT 'live; shadow: a version that is tried',
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
    journey_id, definition, definition_version, mode, customer_id, status AS journey_status, started_at,
    s.1 AS step, s.2 AS step_status, s.3 AS due_at, s.4 AS reached_at, s.5 AS touchpoint_id, s.6 AS channel, run
FROM ${database}.journeys FINAL
ARRAY JOIN arrayZip(steps.step, steps.status, steps.due_at, steps.reached_at, steps.touchpoint_id, steps.channel) AS s
WHERE status != 'moved';

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
