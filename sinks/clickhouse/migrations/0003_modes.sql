-- Modes and versions of definitions, alerts that are about no customer, what people do with alerts. Every statement can
-- run twice. What was stored before is of mode live and about a journey.

ALTER TABLE ${database}.journeys ${on_cluster} ADD COLUMN IF NOT EXISTS mode LowCardinality(String) DEFAULT 'live' COMMENT 'live or shadow: what its version was when it started' AFTER definition_version,
    COMMENT COLUMN IF EXISTS journey_id 'Id from definition, version, customer and anchor';

ALTER TABLE ${database}.alerts ${on_cluster} ADD COLUMN IF NOT EXISTS mode LowCardinality(String) DEFAULT 'live' COMMENT 'live, or shadow: nobody is told' AFTER definition_version,
    ADD COLUMN IF NOT EXISTS scope LowCardinality(String) DEFAULT 'journey' COMMENT 'What it is about: journey, source or touchpoint' AFTER mode,
    ADD COLUMN IF NOT EXISTS runbook String COMMENT 'What to do about it: a link; empty: none' AFTER owner,
    ADD COLUMN IF NOT EXISTS acknowledged_by String COMMENT 'Who looks after it, or closed it; empty: nobody' AFTER cause_log_time;

ALTER TABLE ${database}.alerts ${on_cluster} COMMENT COLUMN IF EXISTS incident 'What is grouped: definition/break, sources/entry or catalogue/touchpoint',
    COMMENT COLUMN IF EXISTS definition 'Name of the journey definition; sources or catalogue for what is about no journey',
    COMMENT COLUMN IF EXISTS owner 'Team that answers for the journey, the source or the touchpoint',
    COMMENT COLUMN IF EXISTS kind 'missing_step, handoff_lost, feedback_not_asked, repeated, low_score, failure_event, out_of_order, skipped_step, abandoned, forbidden, experience_balance, identity_conflict, silent_source or broken_contract',
    COMMENT COLUMN IF EXISTS break_name 'Name of the break in the definition; silent_source, broken_contract',
    COMMENT COLUMN IF EXISTS occurrence 'Counts the occurrences of this break in this journey, or of this source or touchpoint',
    COMMENT COLUMN IF EXISTS journey_id 'The broken journey; empty: it is about none',
    COMMENT COLUMN IF EXISTS customer_id 'Whose journey it is; empty: it is about no customer',
    COMMENT COLUMN IF EXISTS anchor 'What it is about: kind:value of the key, start: and a touchpoint id, source:NAME or touchpoint:NAME',
    COMMENT COLUMN IF EXISTS due_at 'The missed deadline, or the end of what was waited out; null: neither';

CREATE TABLE IF NOT EXISTS ${database}.definition_modes ${on_cluster}
(
    definition LowCardinality(String) COMMENT 'Name of the journey definition',
    version    UInt32 COMMENT 'Version that was switched',
    position   UInt64 COMMENT 'Order of the switches: of several from one moment on the last one counts',
    mode       LowCardinality(String) COMMENT 'off, shadow or live',
    from_at    DateTime64(3, 'UTC') COMMENT 'It counts for journeys that start from then on',
    reason     String COMMENT 'Why, in the words of who decided',
    decided_by String COMMENT 'Who decided',
    decided_at DateTime64(3, 'UTC') COMMENT 'When it was decided'
)
-- Every partition of touchpoints carries a copy: they are one row.
ENGINE = ${replicated}ReplacingMergeTree
ORDER BY (definition, version, position)
SETTINGS ${dedup_window}
COMMENT 'What people switched. Read v_definition_modes: the mode of each version now';

CREATE TABLE IF NOT EXISTS ${database}.touchpoint_catalogue ${on_cluster}
(
    catalogue   String COMMENT 'Which state of the catalogue it is: a digest of the whole',
    name        String COMMENT 'Name of the touchpoint',
    owner       String COMMENT 'Team that answers for it',
    mode        LowCardinality(String) COMMENT 'How it is managed: ignore, monitor, participate, activate or control',
    stage       LowCardinality(String) COMMENT 'Stage of the customer''s way',
    criticality LowCardinality(String) COMMENT 'low, medium or high: how much a bad experience here costs',
    valence     LowCardinality(String) COMMENT 'positive, neutral or negative: what it is to the customer when it happens',
    media       LowCardinality(String) COMMENT 'Whose voice it is: owned, paid or earned',
    channel     LowCardinality(String) COMMENT 'Channel of those that name none; empty: none',
    has_weight  Bool COMMENT 'Whether it counts in a balance',
    experience  Float64 COMMENT 'What it is worth, -1 to 1, where no score says it',
    factor      Float64 COMMENT 'How much it counts: 1, 2 or 4',
    score       String COMMENT 'Property that says how the customer felt; empty: the valence says it',
    worst       Float64 COMMENT 'Value of that property that is worth -1',
    neutral     Float64 COMMENT 'Value that is worth nothing',
    best        Float64 COMMENT 'Value that is worth 1',
    referrer    String COMMENT 'Property that holds the user_id of who recommended; empty: none',
    answer      String COMMENT 'Touchpoint with which its owner must answer; empty: none',
    answer_within_ms Nullable(Int64) COMMENT 'Time allowed for the answer; null: none is due'
)
ENGINE = ${replicated}ReplacingMergeTree
ORDER BY (catalogue, name)
SETTINGS ${dedup_window}
COMMENT 'The touchpoint catalogue as of each migration. Read v_touchpoint_catalogue: the one in force';
