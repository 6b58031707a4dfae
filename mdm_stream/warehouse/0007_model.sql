-- What analysts ask for first, from the tables that are there: nothing of this is stored, so nothing of it can be lost.
--
-- Known time (committed_at: when the system came to know) and event time (event_time: when the source says it was so) are
-- both there where a value is. Intervals are closed at the left and open at the right; the last one ends at 9999-12-31.

-- One row for each record that a change of a golden record claims, or releases (golden_id is NULL).
CREATE OR REPLACE VIEW crosswalk_change $view_options AS
WITH named AS (
    SELECT
        h.domain, $text_of(k.value, source) AS source, $text_of(k.value, record_id) AS record_id,
        h.golden_id AS golden_id, h.epoch, h.sequence, h.rules_version, h.committed_at
    FROM golden_history AS h, $each(h.payload['members']) AS k
    WHERE h.status = 'live'
    UNION ALL
    SELECT
        h.domain, $text_of(k.value, source) AS source, $text_of(k.value, record_id) AS record_id,
        CAST(NULL AS $text) AS golden_id, h.epoch, h.sequence, h.rules_version, h.committed_at
    FROM golden_history AS h, $each(h.payload['removed']) AS k
    WHERE h.status IN ('live', 'retired')
)
SELECT domain, source, record_id, golden_id, epoch, sequence, rules_version, committed_at
FROM named
QUALIFY ROW_NUMBER() OVER (
    PARTITION BY domain, source, record_id, epoch, sequence ORDER BY golden_id NULLS LAST
) = 1;

-- In which golden record a source record was, from when to when. One row for each stay; golden_id is NULL while in none.
CREATE OR REPLACE VIEW crosswalk_history $view_options AS
WITH claimed AS (
    SELECT
        domain, source, record_id, golden_id, epoch, sequence, rules_version,
        MAX(committed_at) OVER (
            PARTITION BY domain, source, record_id ORDER BY epoch, sequence
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS valid_from,
        LAG(golden_id) OVER (PARTITION BY domain, source, record_id ORDER BY epoch, sequence) AS came_from,
        ROW_NUMBER() OVER (PARTITION BY domain, source, record_id ORDER BY epoch, sequence) AS claim
    FROM crosswalk_change
),
moved AS (
    SELECT domain, source, record_id, golden_id, epoch, sequence, rules_version, valid_from, came_from
    FROM claimed
    WHERE claim = 1 OR golden_id IS DISTINCT FROM came_from
)
SELECT
    domain, source, record_id, golden_id, came_from, epoch, sequence, rules_version, valid_from,
    COALESCE(
        LEAD(valid_from) OVER (PARTITION BY domain, source, record_id ORDER BY epoch, sequence),
        CAST('9999-12-31 00:00:00' AS $timestamp)
    ) AS valid_to
FROM moved;

-- Every merge: a golden record that was retired because its anchor record lives on in another one. leads_to is where the
-- id leads now; is_undone says that the id is live again.
CREATE OR REPLACE VIEW golden_merge $view_options AS
SELECT
    h.domain, h.golden_id, h.merged_into, h.epoch, h.sequence, h.rules_version,
    $text_of(h.payload, rules_digest) AS rules_digest, h.committed_at AS merged_at,
    r.leads_to, CASE WHEN g.status = 'live' THEN TRUE ELSE FALSE END AS is_undone
FROM golden_history AS h
LEFT JOIN golden_redirect AS r ON r.domain = h.domain AND r.golden_id = h.golden_id
LEFT JOIN golden_record AS g ON g.domain = h.domain AND g.golden_id = h.golden_id
WHERE h.status = 'retired' AND h.merged_into IS NOT NULL;

-- Every split: records that left one golden record for another while the first lived on, one row for each pair and change.
CREATE OR REPLACE VIEW golden_split $view_options AS
SELECT
    m.domain, m.came_from AS golden_id, m.golden_id AS split_into, m.epoch, m.sequence, m.rules_version,
    m.valid_from AS split_at, COUNT(*) AS records
FROM crosswalk_history AS m
WHERE m.came_from IS NOT NULL AND m.golden_id IS NOT NULL
    AND NOT EXISTS (
        SELECT 1 FROM golden_merge AS g
        WHERE g.domain = m.domain AND g.golden_id = m.came_from AND g.epoch = m.epoch
            AND g.merged_at = m.valid_from
    )
GROUP BY m.domain, m.came_from, m.golden_id, m.epoch, m.sequence, m.rules_version, m.valid_from;

-- One row for each value of a live golden record, with the record that it comes from and why that one won.
CREATE OR REPLACE VIEW golden_value $view_options AS
WITH attribute AS (
    SELECT
        g.domain, g.golden_id, g.rules_version, g.committed_at, v.key AS attribute, v.value AS said,
        $member(g.provenance, v.key) AS origins, $is_list(v.value) AS is_list
    FROM golden_record AS g, $each(g.golden_values) AS v
    WHERE g.status = 'live'
),
origin AS (
    SELECT
        a.domain, a.golden_id, a.rules_version, a.committed_at, a.attribute, $position(o) AS place,
        CASE WHEN a.is_list THEN $item(a.said, o) ELSE a.said END AS value, o.value AS origin
    FROM attribute AS a, $each(a.origins) AS o
)
SELECT
    domain, golden_id, attribute, place,
    $scalar(value) AS value,
    $text_of(origin, source) AS source, $text_of(origin, record_id) AS record_id,
    $text_of(origin, version) AS version, $text_of(origin, strategy) AS strategy,
    TRY_CAST(REPLACE(REPLACE($text_of(origin, event_time), 'T', ' '), 'Z', '') AS $timestamp) AS event_time,
    rules_version, committed_at
FROM origin;

-- The same for every time: a row for each value of each state of a golden record, known from valid_from to valid_to.
CREATE OR REPLACE VIEW golden_value_as_of $view_options AS
WITH attribute AS (
    SELECT
        g.domain, g.golden_id, g.epoch, g.sequence, g.rules_version, g.valid_from, g.valid_to,
        v.key AS attribute, v.value AS said, $is_list(v.value) AS is_list,
        $member(g.provenance, v.key) AS origins
    FROM (
        SELECT
            domain, golden_id, epoch, sequence, rules_version, valid_from, valid_to,
            payload['values'] AS golden_values, payload['provenance'] AS provenance
        FROM golden_record_as_of
        WHERE status = 'live'
    ) AS g, $each(g.golden_values) AS v
),
origin AS (
    SELECT
        a.domain, a.golden_id, a.epoch, a.sequence, a.rules_version, a.valid_from, a.valid_to, a.attribute,
        $position(o) AS place,
        CASE WHEN a.is_list THEN $item(a.said, o) ELSE a.said END AS value, o.value AS origin
    FROM attribute AS a, $each(a.origins) AS o
)
SELECT
    domain, golden_id, attribute, place,
    $scalar(value) AS value,
    $text_of(origin, source) AS source, $text_of(origin, record_id) AS record_id,
    $text_of(origin, version) AS version, $text_of(origin, strategy) AS strategy,
    TRY_CAST(REPLACE(REPLACE($text_of(origin, event_time), 'T', ' '), 'Z', '') AS $timestamp) AS event_time,
    epoch, sequence, rules_version, valid_from, valid_to
FROM origin;

-- How often the values of a source win: of the golden records that it has a record in, in how many an attribute's value
-- comes from it. A source that never gives an attribute that others give has a row with 0.
CREATE OR REPLACE VIEW source_share $view_options AS
WITH given AS (
    SELECT domain, source, attribute, COUNT(DISTINCT golden_id) AS given
    FROM golden_value
    GROUP BY domain, source, attribute
),
filled AS (
    SELECT x.domain, x.source, v.attribute, COUNT(DISTINCT x.golden_id) AS filled
    FROM current_crosswalk AS x
    JOIN golden_value AS v ON v.domain = x.domain AND v.golden_id = x.golden_id
    GROUP BY x.domain, x.source, v.attribute
)
SELECT
    f.domain, f.source, f.attribute, f.filled AS golden_records, COALESCE(g.given, 0) AS values_given,
    CAST(COALESCE(g.given, 0) AS $number) / f.filled AS share
FROM filled AS f
LEFT JOIN given AS g ON g.domain = f.domain AND g.source = f.source AND g.attribute = f.attribute;

-- Records of one source that are one and the same: golden records with more than one member of that source.
CREATE OR REPLACE VIEW source_duplicate $view_options AS
SELECT domain, source, golden_id, COUNT(*) AS records
FROM current_crosswalk
GROUP BY domain, source, golden_id
HAVING COUNT(*) > 1;

-- One row for each reason of each rejected event.
CREATE OR REPLACE VIEW quarantine_reason $view_options AS
SELECT
    q.quarantine_id, q.domain, q.source, q.record_id, $text_of(r.value, code) AS code, $text_of(r.value, path) AS path,
    q.quarantined_at
FROM quarantined_event AS q, $each(q.reasons) AS r;

-- What became of a rejected event: whether the record that it names is known, and has changed since.
CREATE OR REPLACE VIEW quarantine_outcome $view_options AS
SELECT
    q.quarantine_id, q.domain, q.source, q.record_id, q.quarantined_at, x.golden_id,
    CASE
        WHEN q.record_id IS NULL THEN 'no record named'
        WHEN x.record_id IS NULL THEN 'record unknown'
        WHEN h.committed_at > q.quarantined_at THEN 'record changed since'
        ELSE 'record as before'
    END AS outcome
FROM quarantined_event AS q
LEFT JOIN crosswalk AS x ON x.domain = q.domain AND x.source = q.source AND x.record_id = q.record_id
LEFT JOIN golden_history AS h ON h.domain = x.domain AND h.epoch = x.epoch AND h.sequence = x.sequence;

-- How long it took from the commit of a change until it was in this warehouse, by domain and hour, in milliseconds.
CREATE OR REPLACE VIEW feed_lag $view_options AS
SELECT
    domain, DATE_TRUNC('hour', committed_at) AS hour, COUNT(*) AS changes,
    PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY DATEDIFF('millisecond', committed_at, applied_at)) AS lag_ms_p50,
    PERCENTILE_CONT(0.99) WITHIN GROUP (ORDER BY DATEDIFF('millisecond', committed_at, applied_at)) AS lag_ms_p99,
    MAX(DATEDIFF('millisecond', committed_at, applied_at)) AS lag_ms_max
FROM golden_history
GROUP BY domain, DATE_TRUNC('hour', committed_at);
