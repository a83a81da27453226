-- What identity is made of: companies, links, what is conspicuous. After views.sql, which they read. Written anew at each
-- run of the migrations.

CREATE OR REPLACE VIEW ${database}.v_customer_accounts ${on_cluster}
(
    customer_id String COMMENT 'The customer',
    account_id  String COMMENT 'A company for which the customer acted',
    touchpoints UInt64 COMMENT 'Touchpoints of the customer that name this company',
    first_at    DateTime64(3, 'UTC') COMMENT 'When the first of them happened',
    last_at     DateTime64(3, 'UTC') COMMENT 'When the last of them happened'
)
AS SELECT customer_id, account_id, count() AS touchpoints, min(occurred_at) AS first_at, max(occurred_at) AS last_at
FROM ${database}.v_touchpoints
WHERE account_id != '' AND customer_id != ''
GROUP BY customer_id, account_id;

CREATE OR REPLACE VIEW ${database}.v_identity_links ${on_cluster}
(
    link        String COMMENT 'user_device, user_contact or contact_contact',
    one         String COMMENT 'The user, or the first contact in the alphabet; kind:value',
    other       String COMMENT 'The device, or the other contact; kind:value',
    touchpoints UInt64 COMMENT 'On-time touchpoints that carry both',
    first_at    DateTime64(3, 'UTC') COMMENT 'When the first of them happened',
    last_at     DateTime64(3, 'UTC') COMMENT 'When the last of them happened',
    first_touchpoint_id String COMMENT 'The first of them',
    last_touchpoint_id  String COMMENT 'The last of them'
)
AS SELECT
    pair.1 AS link, pair.2 AS one, pair.3 AS other, count() AS touchpoints, min(occurred_at) AS first_at,
    max(occurred_at) AS last_at,
    argMin(touchpoint_id, (occurred_at, sequence, touchpoint_id)) AS first_touchpoint_id,
    argMax(touchpoint_id, (occurred_at, sequence, touchpoint_id)) AS last_touchpoint_id
FROM
(
    SELECT
        touchpoint_id, occurred_at, sequence,
        -- A user_id that attributes nothing (a placeholder, a browser's without proof) is nobody's.
        if(attributed_by = 'user_id', [concat('user_id:', user_id)], []) AS users,
        if(${on_device}, [origin], []) AS devices,
        arraySort(contacts) AS sorted,
        arrayJoin(arrayConcat(
            arrayFlatten(arrayMap(user -> arrayMap(device -> ('user_device', user, device), devices), users)),
            arrayFlatten(arrayMap(user -> arrayMap(contact -> ('user_contact', user, contact), sorted), users)),
            arrayFlatten(arrayMap(
                (contact, place) -> arrayMap(next -> ('contact_contact', contact, next), arraySlice(sorted, place + 1)),
                sorted, arrayEnumerate(sorted)
            ))
        )) AS pair
    FROM ${database}.touchpoints FINAL
    WHERE NOT too_late
)
GROUP BY link, one, other;

CREATE OR REPLACE VIEW ${database}.v_identity_health ${on_cluster}
(
    problem     String COMMENT 'crowded, kiosk_day, shared_device or user_id_ignored; the 1,000 worst of each',
    identifier  String COMMENT 'What is conspicuous, kind:value',
    detail      String COMMENT 'crowded: kind of the many; user_id_ignored: source that sends it; else empty',
    day         Nullable(Date) COMMENT 'kiosk_day: the day (UTC); else null',
    number      UInt64 COMMENT 'crowded: different values (over 10); kiosk_day (over 4), shared_device (over 1): users; else 0',
    touchpoints UInt64 COMMENT 'Touchpoints that show it; kiosk_day: of the device on that day (over 1,000, or many users)',
    first_at    DateTime64(3, 'UTC') COMMENT 'When the first of them happened',
    last_at     DateTime64(3, 'UTC') COMMENT 'When the last of them happened'
)
-- The numbers are the defaults of docs/identity.md.
AS SELECT
    'crowded' AS problem, pair.1 AS identifier, splitByChar(':', pair.2)[1] AS detail, CAST(NULL, 'Nullable(Date)') AS day,
    count() AS number, sum(shared) AS touchpoints, min(began_at) AS first_at, max(ended_at) AS last_at
FROM
(
    SELECT arrayJoin([(one, other), (other, one)]) AS pair, touchpoints AS shared, first_at AS began_at, last_at AS ended_at
    FROM ${database}.v_identity_links
    WHERE link != 'user_device'
)
GROUP BY identifier, detail
HAVING number > 10
ORDER BY number DESC
LIMIT 1000
UNION ALL
SELECT
    'kiosk_day' AS problem, origin AS identifier, '' AS detail, toNullable(toDate(occurred_at)) AS day,
    uniqExactIf(user_id, attributed_by = 'user_id') AS number, count() AS touchpoints, min(occurred_at) AS first_at,
    max(occurred_at) AS last_at
FROM ${database}.touchpoints FINAL
WHERE NOT too_late AND (${on_device})
GROUP BY identifier, day
HAVING number > 4 OR touchpoints > 1000
ORDER BY number DESC, touchpoints DESC
LIMIT 1000
UNION ALL
SELECT
    'shared_device' AS problem, other AS identifier, '' AS detail, CAST(NULL, 'Nullable(Date)') AS day, count() AS number,
    sum(shared) AS touchpoints, min(began_at) AS first_at, max(ended_at) AS last_at
FROM
(
    SELECT other, touchpoints AS shared, first_at AS began_at, last_at AS ended_at
    FROM ${database}.v_identity_links
    WHERE link = 'user_device'
)
GROUP BY identifier
HAVING number > 1
ORDER BY number DESC
LIMIT 1000
UNION ALL
SELECT
    'user_id_ignored' AS problem, concat('user_id:', user_id) AS identifier, source AS detail,
    CAST(NULL, 'Nullable(Date)') AS day, toUInt64(0) AS number, count() AS touchpoints, min(occurred_at) AS first_at,
    max(occurred_at) AS last_at
FROM ${database}.touchpoints FINAL
-- A browser sent it without proof, or it is a placeholder or ignored by the rules.
WHERE user_id != '' AND attributed_by != 'user_id'
GROUP BY identifier, detail
ORDER BY touchpoints DESC
LIMIT 1000;
