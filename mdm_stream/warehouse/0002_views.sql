-- What readers query. Views hold no rows, so a later version may replace them freely.

CREATE OR REPLACE VIEW current_golden_record AS
SELECT domain, golden_id, epoch, sequence, golden_values, provenance, member_count, rules_version, committed_at, applied_at
FROM golden_record
WHERE status = 'live';

CREATE OR REPLACE VIEW current_crosswalk AS
SELECT domain, source, record_id, golden_id, epoch, sequence, applied_at
FROM crosswalk
WHERE golden_id IS NOT NULL;

-- The latest finished epoch of each domain. Changes of older epochs are history and no longer state.
CREATE OR REPLACE VIEW epoch_floor AS
SELECT domain, epoch, finished_at
FROM finished_epoch
QUALIFY ROW_NUMBER() OVER (PARTITION BY domain ORDER BY epoch DESC) = 1;

-- The state at any time: WHERE ts >= valid_from AND ts < valid_to AND status = 'live'.
--
-- The time base is committed_at made monotone over the domain in feed order: a change counts from the latest
-- committed_at up to and including itself. So the state at any ts is the state after a prefix of the feed, and
-- never a mixture, even where the engine's clock stepped back.
CREATE OR REPLACE VIEW golden_record_as_of AS
WITH timeline AS (
    SELECT
        domain, golden_id, epoch, sequence, status, merged_into, payload, rules_version, committed_at,
        MAX(committed_at) OVER (
            PARTITION BY domain ORDER BY epoch, sequence ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS effective_at
    FROM golden_history
),
span AS (
    SELECT
        domain, golden_id, epoch, sequence, status, merged_into, payload, rules_version, committed_at, effective_at,
        LEAD(effective_at) OVER (PARTITION BY domain, golden_id ORDER BY epoch, sequence) AS next_effective_at
    FROM timeline
),
-- Each finished epoch ends what was said since the finished epoch before it, so a row meets at most one.
ending AS (
    SELECT
        domain, epoch, finished_at,
        COALESCE(LAG(epoch) OVER (PARTITION BY domain ORDER BY epoch), 0) AS previous_epoch
    FROM finished_epoch
)
SELECT
    span.domain AS domain,
    span.golden_id AS golden_id,
    span.epoch AS epoch,
    span.sequence AS sequence,
    span.status AS status,
    span.merged_into AS merged_into,
    span.payload AS payload,
    span.rules_version AS rules_version,
    span.committed_at AS committed_at,
    span.effective_at AS valid_from,
    -- NULL is spelled out: the two databases disagree on what LEAST and GREATEST make of it.
    LEAST(
        COALESCE(span.next_effective_at, CAST('9999-12-31 00:00:00' AS $timestamp)),
        CASE
            WHEN ending.finished_at IS NULL THEN CAST('9999-12-31 00:00:00' AS $timestamp)
            WHEN ending.finished_at < span.effective_at THEN span.effective_at
            ELSE ending.finished_at
        END
    ) AS valid_to
FROM span
LEFT JOIN ending
    ON ending.domain = span.domain AND span.epoch < ending.epoch AND span.epoch >= ending.previous_epoch;
