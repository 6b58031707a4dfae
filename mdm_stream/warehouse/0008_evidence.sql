-- The evidence behind golden records, where the rules publish it: source records with the values that lost, links with
-- what made them, the review queue, and what stewards decided. What was said is a table, what is so now are views of it.

-- One row for each (domain, epoch, sequence) that said something of a record (kind is record), of a link between two
-- records (match) or of a review item (review). source and record_id are those of the record, or of the first of two. payload is
-- the data of the feed message; that of an erased record is {}.
CREATE $table IF NOT EXISTS evidence_history (
    domain          $text      NOT NULL,
    epoch           $integer   NOT NULL,
    sequence        $integer   NOT NULL,
    kind            $text      NOT NULL,  -- record, match, review
    source          $text      NOT NULL,
    record_id       $text      NOT NULL,
    other_source    $text,
    other_record_id $text,
    status          $text      NOT NULL,
    payload         $json      NOT NULL,
    rules_version   $integer   NOT NULL,
    committed_at    $timestamp NOT NULL,
    applied_at      $timestamp NOT NULL
) $table_options;

-- What each source record said at each time: WHERE ts >= valid_from AND ts < valid_to. Erased records are not in it.
CREATE OR REPLACE VIEW source_record_as_of $view_options AS
WITH timeline AS (
    SELECT
        h.domain, h.source, h.record_id, h.status, h.payload, h.epoch, h.sequence, h.rules_version,
        MAX(h.committed_at) OVER (
            PARTITION BY h.domain, h.source, h.record_id ORDER BY h.epoch, h.sequence
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS valid_from
    FROM evidence_history AS h
    LEFT JOIN erased_record AS e ON e.domain = h.domain AND e.source = h.source AND e.record_id = h.record_id
    WHERE h.kind = 'record' AND e.record_id IS NULL
)
SELECT
    domain, source, record_id, status, payload, epoch, sequence, rules_version, valid_from,
    COALESCE(
        LEAD(valid_from) OVER (PARTITION BY domain, source, record_id ORDER BY epoch, sequence),
        CAST('9999-12-31 00:00:00' AS $timestamp)
    ) AS valid_to
FROM timeline;

-- The newest of each source record, with the golden record that it is in. status is live, deleted, or unseen: only a
-- steward's decisions name it. is_left_out: its values are not known here, as they would have made the message too large.
CREATE OR REPLACE VIEW source_record $view_options AS
SELECT
    r.domain, r.source, r.record_id, r.status, x.golden_id, r.payload['attributes'] AS attributes,
    r.payload['overrides'] AS overrides, r.payload['verdicts'] AS verdicts,
    COALESCE($text_of(r.payload, left_out) = 'true', FALSE) AS is_left_out,
    TRY_CAST(REPLACE(REPLACE($text_of(r.payload, born_at), 'T', ' '), 'Z', '') AS $timestamp) AS born_at,
    r.epoch, r.sequence, r.rules_version, r.valid_from AS committed_at
FROM source_record_as_of AS r
LEFT JOIN current_crosswalk AS x ON x.domain = r.domain AND x.source = r.source AND x.record_id = r.record_id
WHERE r.valid_to = CAST('9999-12-31 00:00:00' AS $timestamp) AND r.status <> 'gone';

-- The values of source records at each time, a row for each attribute of each state.
CREATE OR REPLACE VIEW source_value_as_of $view_options AS
SELECT
    r.domain, r.source, r.record_id, v.key AS attribute, $text_of(v.value, value) AS value,
    $text_of(v.value, valid) = 'true' AS is_valid, $text_of(v.value, invalid_because) AS invalid_because,
    $text_of(v.value, version) AS version,
    TRY_CAST(REPLACE(REPLACE($text_of(v.value, event_time), 'T', ' '), 'Z', '') AS $timestamp) AS event_time,
    r.epoch, r.sequence, r.rules_version, r.valid_from, r.valid_to
FROM source_record_as_of AS r, $each(r.payload['attributes']) AS v
WHERE r.status = 'live';

-- One row for each attribute of each live source record: its value, whether it is valid and why not, and whether it is
-- where the golden value comes from; of one that lost, what won, from where, and by which strategy.
CREATE OR REPLACE VIEW source_value $view_options AS
WITH said AS (
    SELECT r.domain, r.source, r.record_id, r.golden_id, r.committed_at, v.key AS attribute, v.value AS said
    FROM source_record AS r, $each(r.attributes) AS v
    WHERE r.status = 'live'
),
own AS (
    SELECT DISTINCT domain, golden_id, attribute, source, record_id FROM golden_value
)
SELECT
    s.domain, s.source, s.record_id, s.golden_id, s.attribute, $text_of(s.said, value) AS value,
    $text_of(s.said, valid) = 'true' AS is_valid, $text_of(s.said, invalid_because) AS invalid_because,
    $text_of(s.said, version) AS version,
    TRY_CAST(REPLACE(REPLACE($text_of(s.said, event_time), 'T', ' '), 'Z', '') AS $timestamp) AS event_time,
    o.record_id IS NOT NULL AS survives, w.value AS golden_value, w.source AS golden_source,
    w.record_id AS golden_record_id, w.strategy, s.committed_at
FROM said AS s
LEFT JOIN own AS o ON o.domain = s.domain AND o.golden_id = s.golden_id AND o.attribute = s.attribute
    AND o.source = s.source AND o.record_id = s.record_id
LEFT JOIN golden_value AS w ON w.domain = s.domain AND w.golden_id = s.golden_id AND w.attribute = s.attribute
    AND w.place = 0;

-- Every state of every link between two records. status is linked, refused (a match, but kept apart) or gone.
CREATE OR REPLACE VIEW match_history $view_options AS
SELECT
    h.domain, h.source AS a_source, h.record_id AS a_record_id, h.other_source AS b_source,
    h.other_record_id AS b_record_id, h.status, $text_of(h.payload, rule) AS rule,
    TRY_CAST($text_of(h.payload, confidence) AS $number) AS confidence,
    TRY_CAST($text_of(h.payload, weight_bits) AS $number) AS weight_bits, h.payload['evidence'] AS evidence,
    h.rules_version, $text_of(h.payload, rules_digest) AS rules_digest, h.epoch, h.sequence,
    h.committed_at AS decided_at
FROM evidence_history AS h
WHERE h.kind = 'match';

-- The links that there are, with what made each: a deterministic rule, a verdict, or the score and its comparisons.
CREATE OR REPLACE VIEW match_decision $view_options AS
SELECT
    domain, a_source, a_record_id, b_source, b_record_id, status, rule, confidence, weight_bits, evidence,
    rules_version, rules_digest, epoch, sequence, decided_at
FROM (
    SELECT *
    FROM match_history
    QUALIFY ROW_NUMBER() OVER (
        PARTITION BY domain, a_source, a_record_id, b_source, b_record_id ORDER BY epoch DESC, sequence DESC
    ) = 1
) AS newest
WHERE status <> 'gone';

-- One row for each comparison of each link.
CREATE OR REPLACE VIEW match_evidence $view_options AS
SELECT
    m.domain, m.a_source, m.a_record_id, m.b_source, m.b_record_id, e.key AS comparison, $scalar(e.value) AS level
FROM match_decision AS m, $each(m.evidence) AS e;

-- Every state of every review item, from when to when it was so. An item is closed by a verdict, or as the records change.
CREATE OR REPLACE VIEW review_history $view_options AS
WITH said AS (
    SELECT
        h.domain, h.source, h.record_id, h.other_source, h.other_record_id, h.status, h.payload, h.rules_version,
        h.epoch, h.sequence, h.committed_at,
        LAG(h.status) OVER (
            PARTITION BY h.domain, h.source, h.record_id, h.other_source, h.other_record_id
            ORDER BY h.epoch, h.sequence
        ) AS before,
        LEAD(h.committed_at) OVER (
            PARTITION BY h.domain, h.source, h.record_id, h.other_source, h.other_record_id
            ORDER BY h.epoch, h.sequence
        ) AS ended_at
    FROM evidence_history AS h
    WHERE h.kind = 'review'
)
SELECT
    domain, source AS a_source, record_id AS a_record_id, other_source AS b_source, other_record_id AS b_record_id,
    status, $text_of(payload, reason) AS reason, $text_of(payload, rule) AS rule,
    TRY_CAST($text_of(payload, confidence) AS $number) AS confidence,
    TRY_CAST($text_of(payload, weight_bits) AS $number) AS weight_bits, payload['evidence'] AS evidence,
    TRY_CAST($text_of(payload, refused_links) AS $integer) AS refused_links,
    $text_of(payload, answered) = 'true' AS is_answered, rules_version, epoch, sequence, committed_at AS valid_from,
    COALESCE(ended_at, CAST('9999-12-31 00:00:00' AS $timestamp)) AS valid_to
FROM said
WHERE status = 'open' OR before = 'open';

-- The review queue as it is now.
CREATE OR REPLACE VIEW review_item $view_options AS
SELECT
    domain, a_source, a_record_id, b_source, b_record_id, reason, rule, confidence, weight_bits, evidence,
    refused_links, is_answered, rules_version, epoch, sequence, valid_from AS asked_at
FROM review_history
WHERE status = 'open' AND valid_to = CAST('9999-12-31 00:00:00' AS $timestamp);

-- What either of two records has said of a verdict on both, at any time. a is the lesser by its name.
CREATE OR REPLACE VIEW verdict_history $view_options AS
WITH held AS (
    SELECT
        h.domain, h.source, h.record_id, $text_of(v.value, verdict) AS verdict, $text_of(v.value, steward) AS steward,
        $text_of(v.value, version) AS version, $text_of(v.value, event_time) AS event_time, h.committed_at,
        $text_of(v.value['other'], source) AS other_source, $text_of(v.value['other'], record_id) AS other_record_id
    FROM evidence_history AS h, $each(h.payload['verdicts']) AS v
    WHERE h.kind = 'record'
),
said AS (
    SELECT
        domain, verdict, steward, version, event_time, committed_at,
        source || '/' || record_id < other_source || '/' || other_record_id AS is_lesser, source, record_id,
        other_source, other_record_id
    FROM held
)
SELECT
    domain, CASE WHEN is_lesser THEN source ELSE other_source END AS a_source,
    CASE WHEN is_lesser THEN record_id ELSE other_record_id END AS a_record_id,
    CASE WHEN is_lesser THEN other_source ELSE source END AS b_source,
    CASE WHEN is_lesser THEN other_record_id ELSE record_id END AS b_record_id, verdict, steward, version,
    TRY_CAST(REPLACE(REPLACE(event_time, 'T', ' '), 'Z', '') AS $timestamp) AS decided_at,
    MIN(committed_at) AS committed_at
FROM said
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9;

-- The newest verdict on each two records, which stands while both of them have it; none is one that was taken back.
CREATE OR REPLACE VIEW verdict $view_options AS
WITH held AS (
    SELECT
        r.domain, r.source, r.record_id, $text_of(v.value['other'], source) AS other_source,
        $text_of(v.value['other'], record_id) AS other_record_id, $text_of(v.value, verdict) AS verdict,
        $text_of(v.value, steward) AS steward, $text_of(v.value, version) AS version,
        $text_of(v.value, event_time) AS event_time
    FROM source_record AS r, $each(r.verdicts) AS v
)
SELECT
    a.domain, a.source AS a_source, a.record_id AS a_record_id, b.source AS b_source, b.record_id AS b_record_id,
    a.verdict, a.steward, a.version,
    TRY_CAST(REPLACE(REPLACE(a.event_time, 'T', ' '), 'Z', '') AS $timestamp) AS decided_at
FROM held AS a
JOIN held AS b ON b.domain = a.domain AND b.source = a.other_source AND b.record_id = a.other_record_id
    AND b.other_source = a.source AND b.other_record_id = a.record_id
WHERE a.source || '/' || a.record_id < b.source || '/' || b.record_id;

-- Every value that stewards have set over a record's own, by whom and when.
CREATE OR REPLACE VIEW override_history $view_options AS
WITH said AS (
    SELECT h.domain, h.source, h.record_id, o.key AS attribute, o.value AS said, h.committed_at
    FROM evidence_history AS h, $each(h.payload['overrides']) AS o
    WHERE h.kind = 'record'
)
SELECT
    domain, source, record_id, attribute, $text_of(said, value) AS value, $text_of(said, steward) AS steward,
    $text_of(said, version) AS version, $text_of(said, expired) = 'true' AS is_expired,
    TRY_CAST(REPLACE(REPLACE($text_of(said, event_time), 'T', ' '), 'Z', '') AS $timestamp) AS decided_at,
    TRY_CAST(REPLACE(REPLACE($text_of(said, expires_at), 'T', ' '), 'Z', '') AS $timestamp) AS expires_at,
    MIN(committed_at) AS committed_at
FROM said
GROUP BY domain, source, record_id, attribute, $text_of(said, value), $text_of(said, steward),
    $text_of(said, version), $text_of(said, expired), $text_of(said, event_time), $text_of(said, expires_at);

-- The values that stand over a record's own now.
CREATE OR REPLACE VIEW override_value $view_options AS
SELECT
    r.domain, r.source, r.record_id, r.golden_id, o.key AS attribute, $text_of(o.value, value) AS value,
    $text_of(o.value, steward) AS steward, $text_of(o.value, version) AS version,
    TRY_CAST(REPLACE(REPLACE($text_of(o.value, event_time), 'T', ' '), 'Z', '') AS $timestamp) AS decided_at,
    TRY_CAST(REPLACE(REPLACE($text_of(o.value, expires_at), 'T', ' '), 'Z', '') AS $timestamp) AS expires_at
FROM source_record AS r, $each(r.overrides) AS o
WHERE $text_of(o.value, value) IS NOT NULL;

-- How much each steward has decided, a day.
CREATE OR REPLACE VIEW steward_day $view_options AS
SELECT domain, steward, CAST(decided_at AS DATE) AS day, SUM(verdicts) AS verdicts, SUM(overrides) AS overrides
FROM (
    SELECT domain, steward, decided_at, 1 AS verdicts, 0 AS overrides FROM verdict_history
    UNION ALL
    SELECT domain, steward, decided_at, 0 AS verdicts, 1 AS overrides FROM override_history WHERE NOT is_expired
) AS decided
GROUP BY domain, steward, CAST(decided_at AS DATE);

-- How good a source is, an attribute and day: of the records that it changed on that day, as they were at its end, how
-- many have the attribute, and in how many of these it is valid.
CREATE OR REPLACE VIEW source_quality $view_options AS
WITH changed AS (
    SELECT domain, source, record_id, payload, CAST(valid_from AS DATE) AS day
    FROM source_record_as_of
    WHERE status = 'live' AND COALESCE($text_of(payload, left_out), 'false') <> 'true'
    QUALIFY ROW_NUMBER() OVER (
        PARTITION BY domain, source, record_id, CAST(valid_from AS DATE) ORDER BY epoch DESC, sequence DESC
    ) = 1
),
counted AS (
    SELECT domain, source, day, COUNT(*) AS records FROM changed GROUP BY domain, source, day
),
said AS (
    SELECT c.domain, c.source, c.day, v.key AS attribute, COUNT(*) AS filled,
        SUM(CASE WHEN $text_of(v.value, valid) = 'true' THEN 1 ELSE 0 END) AS valid
    FROM changed AS c, $each(c.payload['attributes']) AS v
    GROUP BY c.domain, c.source, c.day, v.key
),
attribute AS (
    SELECT DISTINCT domain, attribute FROM said
)
SELECT
    c.domain, c.source, a.attribute, c.day, c.records, COALESCE(s.filled, 0) AS filled, COALESCE(s.valid, 0) AS valid,
    CAST(COALESCE(s.valid, 0) AS $number) / c.records AS completeness,
    CAST(COALESCE(s.valid, 0) AS $number) / NULLIF(s.filled, 0) AS validity
FROM counted AS c
JOIN attribute AS a ON a.domain = c.domain
LEFT JOIN said AS s ON s.domain = c.domain AND s.source = c.source AND s.day = c.day AND s.attribute = a.attribute;
