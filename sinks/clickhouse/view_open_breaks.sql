-- What is open now of journeys: one text for two views, of live journeys and of versions that are tried (migrate.py says
-- how they differ). After views_alerts.sql, which it reads. Written anew at each run of the migrations.

CREATE OR REPLACE VIEW ${database}.${view} ${on_cluster}
(
    alert_id    String COMMENT 'Id of the open alert, ${whose}',
    state       String COMMENT 'firing or acknowledged',
    severity    String COMMENT 'info, warning, error or critical',
    first_line  String COMMENT 'What is wrong, for whom and why, in one sentence',
    owner       String COMMENT 'Team that owns the journey',
    runbook     String COMMENT 'What to do about it: a link; empty: none',
    acknowledged_by String COMMENT 'Who looks after it; empty: nobody',
    definition  String COMMENT 'Name of the journey definition',
    definition_version UInt32 COMMENT 'Version of the definition',
    break_name  String COMMENT 'Name of the break in the definition',
    kind        String COMMENT '${kinds}',
    step        String COMMENT 'Step that it is about; empty: none',
    journey_id  String COMMENT 'The broken journey',
    customer_id String COMMENT 'Whose journey it is',
    anchor      String COMMENT 'What the journey is about',
    cause_at    DateTime64(3, 'UTC') COMMENT 'When it broke',
    fired_at    DateTime64(3, 'UTC') COMMENT 'Log time at which the alert fired',
    run         String COMMENT 'live, simulation, replay or backfill'
)
AS SELECT
    alert_id, state, severity, first_line, owner, runbook, acknowledged_by, definition, definition_version, break_name, kind,
    step, journey_id, customer_id, anchor, cause_at, fired_at, run
FROM ${database}.v_alerts
WHERE state IN ('firing', 'acknowledged') AND scope = 'journey' AND ${which};
