-- Identifiers of kinds that a deployment adds in identity.yaml: they have no column, and need none of their own, so a new
-- kind needs no migration. What was stored before has none. Every statement can run twice.

ALTER TABLE ${database}.touchpoints ${on_cluster} ADD COLUMN IF NOT EXISTS other_identifiers Map(LowCardinality(String), String) COMMENT 'By kind, identifiers of kinds that identity.yaml adds; as sent, of a business key the text that counts';

-- For look-ups by such an identifier, as those in 0002.
ALTER TABLE ${database}.touchpoints ${on_cluster} ADD INDEX IF NOT EXISTS by_other_identifiers mapValues(other_identifiers) TYPE bloom_filter(0.01) GRANULARITY 1;

ALTER TABLE ${database}.touchpoints ${on_cluster} MATERIALIZE INDEX IF EXISTS by_other_identifiers;
