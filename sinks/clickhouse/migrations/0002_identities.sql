-- Identity: the company a customer acts for, the contacts that may attribute a touchpoint, whom contacts name, and what
-- people decided. Every statement can run twice.

ALTER TABLE ${database}.touchpoints ${on_cluster} ADD COLUMN IF NOT EXISTS account_id String COMMENT 'Company for which the person acts; attributes nothing; empty: none' AFTER claim_id;

ALTER TABLE ${database}.touchpoints ${on_cluster} ADD COLUMN IF NOT EXISTS contacts Array(String) COMMENT 'Its usable contacts, each kind:value: whom they name may attribute it' AFTER account_id;

CREATE TABLE IF NOT EXISTS ${database}.contact_namings ${on_cluster}
(
    contact     String COMMENT 'E-mail, phone or card, kind:value; personal ones hashed',
    user_id     String COMMENT 'The user whom it names; empty: nobody',
    customer_id String COMMENT 'The customer of that user, or the contact''s own',
    rev         UInt64 COMMENT 'Version: offset of its cause in the partition that keeps all links',
    run         LowCardinality(String) COMMENT 'live, simulation, replay or backfill'
)
ENGINE = ${replicated}ReplacingMergeTree(rev)
ORDER BY contact
SETTINGS ${dedup_window}
COMMENT 'Whom each contact names, with FINAL: as known now';

CREATE TABLE IF NOT EXISTS ${database}.identity_decisions ${on_cluster}
(
    decision_id String COMMENT 'Id of the decision',
    kind        LowCardinality(String) COMMENT 'link, unlink, block or lift',
    identifier  String COMMENT 'What it is about, kind:value; personal ones hashed',
    user_id     String COMMENT 'The user of a link or unlink, or of what is lifted; empty: none',
    reason      String COMMENT 'Why, in the words of who decided',
    decided_by  String COMMENT 'Who decided',
    decided_at  DateTime64(3, 'UTC') COMMENT 'When it was decided',
    position    UInt64 COMMENT 'Order of the decisions: of several on the same identifier and user the last one counts'
)
ENGINE = ${replicated}ReplacingMergeTree(position)
ORDER BY decision_id
SETTINGS ${dedup_window}
COMMENT 'What people decided about identifiers. Read with FINAL';

-- For look-ups by identifier. They help a plain read, 40 times fewer rows of 2 million, and hardly one with FINAL: so look
-- for the origins first, plainly (identifiers never change), then read WHERE origin IN (...) FINAL. anonymous_id needs
-- none: where there is one, it is the origin.
ALTER TABLE ${database}.touchpoints ${on_cluster} ADD INDEX IF NOT EXISTS by_user_id user_id TYPE bloom_filter(0.01) GRANULARITY 1,
    ADD INDEX IF NOT EXISTS by_device_id device_id TYPE bloom_filter(0.01) GRANULARITY 1,
    ADD INDEX IF NOT EXISTS by_email email TYPE bloom_filter(0.01) GRANULARITY 1,
    ADD INDEX IF NOT EXISTS by_phone phone TYPE bloom_filter(0.01) GRANULARITY 1,
    ADD INDEX IF NOT EXISTS by_loyalty_card loyalty_card TYPE bloom_filter(0.01) GRANULARITY 1,
    ADD INDEX IF NOT EXISTS by_order_id order_id TYPE bloom_filter(0.01) GRANULARITY 1,
    ADD INDEX IF NOT EXISTS by_receipt_id receipt_id TYPE bloom_filter(0.01) GRANULARITY 1,
    ADD INDEX IF NOT EXISTS by_ticket_id ticket_id TYPE bloom_filter(0.01) GRANULARITY 1,
    ADD INDEX IF NOT EXISTS by_claim_id claim_id TYPE bloom_filter(0.01) GRANULARITY 1,
    ADD INDEX IF NOT EXISTS by_contacts contacts TYPE bloom_filter(0.01) GRANULARITY 1;

ALTER TABLE ${database}.touchpoints ${on_cluster} MATERIALIZE INDEX IF EXISTS by_user_id,
    MATERIALIZE INDEX IF EXISTS by_device_id,
    MATERIALIZE INDEX IF EXISTS by_email,
    MATERIALIZE INDEX IF EXISTS by_phone,
    MATERIALIZE INDEX IF EXISTS by_loyalty_card,
    MATERIALIZE INDEX IF EXISTS by_order_id,
    MATERIALIZE INDEX IF EXISTS by_receipt_id,
    MATERIALIZE INDEX IF EXISTS by_ticket_id,
    MATERIALIZE INDEX IF EXISTS by_claim_id,
    MATERIALIZE INDEX IF EXISTS by_contacts;
