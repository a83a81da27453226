"""The touchpoint catalogue in ClickHouse, so that BI weighs as the journeys do. Pure: statements out.

`v_touchpoint_catalogue` is the catalogue itself. `v_experience` has one row for each touchpoint that has weight, and
what it was worth to its customer (docs/catalogue.md; the numbers are those of schemas.worth). `v_recommendations`
follows who was recommended.

A catalogue may have thousands of entries, more than fit into the text of a view. So they are rows of a table, under the
digest of the whole, and the views name the digest: it changes when all of its rows are there.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Final

from schemas.definition import Catalogue, CatalogueEntry, duration_ms
from schemas.worth import CRITICALITY, VALENCE, worth_of
from sinks.clickhouse.statements import Target, text, variables

ROWS_AT_ONCE: Final = 1_000
DIGEST_HEX: Final = 32

_ROWS: Final = """INSERT INTO {database}.touchpoint_catalogue (catalogue, name, owner, mode, stage, criticality,
    valence, media, channel, has_weight, experience, factor, score, worst, neutral, best, referrer, answer,
    answer_within_ms)
VALUES {rows}"""

_CATALOGUE: Final = """CREATE OR REPLACE VIEW {database}.v_touchpoint_catalogue {on_cluster}
(
    name        String COMMENT 'Name of the touchpoint',
    owner       String COMMENT 'Team that answers for it',
    mode        String COMMENT 'How it is managed: ignore, monitor, participate, activate or control',
    stage       String COMMENT 'Stage of the customer''s way',
    criticality String COMMENT 'low, medium or high: how much a bad experience here costs',
    valence     String COMMENT 'positive, neutral or negative: what it is to the customer when it happens',
    media       String COMMENT 'Whose voice it is: owned, paid or earned',
    channel     String COMMENT 'Channel of those that name none; empty: none',
    score       String COMMENT 'Property that says how the customer felt; empty: the valence says it',
    referrer    String COMMENT 'Property that holds the user_id of who recommended; empty: none',
    answer      String COMMENT 'Touchpoint with which its owner must answer; empty: none',
    answer_within_ms Nullable(Int64) COMMENT 'Time allowed for the answer; null: none is due'
)
AS SELECT
    name, owner, mode, stage, criticality, valence, media, channel, score, referrer, answer, answer_within_ms
FROM {database}.touchpoint_catalogue FINAL
WHERE catalogue = '{digest}'"""

_EXPERIENCE: Final = """CREATE OR REPLACE VIEW {database}.v_experience {on_cluster}
(
    touchpoint_id String COMMENT 'Id of the touchpoint',
    customer_id   String COMMENT 'Its customer as known now; empty: nobody',
    name          String COMMENT 'What happened, as in the touchpoint catalogue',
    channel       String COMMENT 'web, app, store, ...',
    media         String COMMENT 'Whose voice it is: owned, paid or earned',
    stage         String COMMENT 'Stage of the customer''s way',
    owner         String COMMENT 'Team that answers for the touchpoint',
    store_id      String COMMENT 'Store; empty: none',
    occurred_at   DateTime64(3, 'UTC') COMMENT 'When it happened',
    score         Nullable(Float64) COMMENT 'What the customer said in numbers; null: nothing, so the valence counts',
    experience    Float64 COMMENT 'Between -1, as bad as can be, and 1',
    criticality   Float64 COMMENT 'How much it counts: 1, 2 or 4',
    weight        Float64 COMMENT 'experience * criticality: what a balance adds up, before it fades',
    too_late      Bool COMMENT 'Arrived too late to take part in journeys, and so in a balance',
    run           String COMMENT 'live, simulation, replay or backfill'
)
AS SELECT
    t.touchpoint_id AS touchpoint_id, t.customer_id AS customer_id, t.name AS name, t.channel AS channel,
    c.media AS media, c.stage AS stage, c.owner AS owner, t.store_id AS store_id, t.occurred_at AS occurred_at,
    -- A text of digits and a boolean are no numbers.
    if(c.score != '' AND JSONType(t.properties, c.score) IN ('Int64', 'UInt64', 'Double'),
        JSONExtract(t.properties, c.score, 'Nullable(Float64)'), NULL) AS score,
    if(isNull(score), c.experience,
        greatest(-1., least(1., (assumeNotNull(score) - c.neutral)
            / if((assumeNotNull(score) > c.neutral) = (c.best > c.neutral), c.best - c.neutral, c.neutral - c.worst)))
    ) AS experience,
    c.factor AS criticality, experience * criticality AS weight, t.too_late AS too_late, t.run AS run
FROM {database}.v_touchpoints AS t
INNER JOIN
(
    SELECT name, media, stage, owner, score, worst, neutral, best, experience, factor
    FROM {database}.touchpoint_catalogue FINAL
    WHERE catalogue = '{digest}' AND has_weight
) AS c ON c.name = t.name"""

_RECOMMENDATIONS: Final = """CREATE OR REPLACE VIEW {database}.v_recommendations {on_cluster}
(
    touchpoint_id    String COMMENT 'The touchpoint with which the recommendation showed',
    name             String COMMENT 'Its name',
    channel          String COMMENT 'Its channel',
    media            String COMMENT 'Whose voice it is: owned, paid or earned',
    recommended_at   DateTime64(3, 'UTC') COMMENT 'When it happened',
    recommender      String COMMENT 'user_id of who recommended, as sent',
    recommender_customer_id String COMMENT 'The customer of that user',
    customer_id      String COMMENT 'Who was recommended, as known now; empty: nobody yet',
    first_order_at   Nullable(DateTime64(3, 'UTC')) COMMENT 'Their first touchpoint with an order since; null: none',
    first_order_id   String COMMENT 'That order; empty: none yet',
    orders           UInt64 COMMENT 'Different orders of that customer from then on',
    journeys         UInt64 COMMENT 'Live journeys of that customer that started from then on',
    succeeded        UInt64 COMMENT 'of these, that succeeded',
    failed           UInt64 COMMENT 'of these, that failed',
    broken           UInt64 COMMENT 'of these, that had a break; withdrawn ones are gone',
    run              String COMMENT 'live, simulation, replay or backfill'
)
AS SELECT
    r.touchpoint_id AS touchpoint_id, r.name AS name, r.channel AS channel, r.media AS media,
    r.recommended_at AS recommended_at, r.recommender AS recommender,
    -- schemas.identifiers.customer_of the user: UUID version 5.
    concat(
        substring(
            lower(hex(SHA1(concat(unhex('6f1d4c1e7f0b5d0e9a556c1b7d3f4a10'), 'user_id:', r.recommender)))) AS digest,
            1, 8),
        '-', substring(digest, 9, 4), '-5', substring(digest, 14, 3),
        '-', substring('89ab89ab89ab89ab', position('0123456789abcdef', substring(digest, 17, 1)), 1),
        substring(digest, 18, 3), '-', substring(digest, 21, 12)
    ) AS recommender_customer_id,
    r.customer_id AS customer_id,
    arrayFilter(one -> one.1 >= r.recommended_at, o.found) AS later,
    if(empty(later), NULL, later[1].1) AS first_order_at,
    if(empty(later), '', later[1].2) AS first_order_id,
    toUInt64(length(arrayDistinct(arrayMap(one -> one.2, later)))) AS orders,
    arrayFilter(one -> one.1 >= r.recommended_at, j.found) AS since,
    toUInt64(length(since)) AS journeys,
    toUInt64(countEqual(arrayMap(one -> one.2, since), 'succeeded')) AS succeeded,
    toUInt64(countEqual(arrayMap(one -> one.2, since), 'failed')) AS failed,
    toUInt64(arrayCount(one -> one.3, since)) AS broken,
    r.run AS run
FROM
(
    SELECT
        t.touchpoint_id AS touchpoint_id, t.name AS name, t.channel AS channel, c.media AS media,
        t.occurred_at AS recommended_at, JSONExtractString(t.properties, c.referrer) AS recommender,
        t.customer_id AS customer_id, t.run AS run
    FROM {database}.v_touchpoints AS t
    INNER JOIN
    (
        SELECT name, media, referrer FROM {database}.touchpoint_catalogue FINAL
        WHERE catalogue = '{digest}' AND referrer != ''
    ) AS c ON c.name = t.name
    WHERE recommender != ''
) AS r
LEFT ANY JOIN
(
    SELECT customer_id, arraySort(groupArray((occurred_at, order_id))) AS found
    FROM {database}.v_touchpoints
    WHERE order_id != '' AND customer_id != ''
    GROUP BY customer_id
) AS o ON o.customer_id = r.customer_id
LEFT ANY JOIN
(
    SELECT customer_id, groupArray((assumeNotNull(started_at), status, notEmpty(all_breaks))) AS found
    FROM {database}.v_journeys_now
    WHERE mode = 'live' AND started_at IS NOT NULL
    GROUP BY customer_id
) AS j ON j.customer_id = r.customer_id"""


def catalogue_views(catalogue: Catalogue, target: Target) -> list[str]:
    """The rows, then the views. Each statement can run twice: the rows of one catalogue are always the same."""
    given = variables(target)
    shared = {"database": given["database"], "on_cluster": given["on_cluster"]}
    digest = sha256(catalogue.model_dump_json().encode()).hexdigest()[:DIGEST_HEX]
    views = (_CATALOGUE, _EXPERIENCE, _RECOMMENDATIONS)
    return [
        *(_ROWS.format(**shared, rows=rows) for rows in _rows(digest, catalogue)),
        *(view.format(**shared, digest=digest) for view in views),
    ]


def _rows(digest: str, catalogue: Catalogue) -> Iterator[str]:
    found = [_row(digest, name, entry) for name, entry in catalogue.touchpoints.items()]
    for start in range(0, len(found), ROWS_AT_ONCE):
        yield ", ".join(found[start : start + ROWS_AT_ONCE])


def _row(digest: str, name: str, entry: CatalogueEntry) -> str:
    impact, score, answer, worth = entry.impact, entry.score, entry.answer, worth_of(entry)
    worst, neutral, best = (score.worst, score.neutral, score.best) if score is not None else (-1.0, 0.0, 1.0)
    cells = [text(word) for word in (digest, name, entry.owner, impact.mode, impact.stage, impact.criticality)]
    cells += [text(word) for word in (impact.valence, entry.media, entry.channel or "")]
    cells += ["false" if worth is None else "true"]
    cells += [repr(float(number)) for number in (VALENCE[impact.valence], CRITICALITY[impact.criticality])]
    cells += [
        text("" if score is None else score.property),
        *(repr(float(number)) for number in (worst, neutral, best)),
    ]
    cells += [text(entry.referrer or ""), text(answer.touchpoint if answer is not None else "")]
    cells += [str(duration_ms(answer.within)) if answer is not None else "NULL"]
    return f"({', '.join(cells)})"
