-- The state at any time: WHERE ts >= valid_from AND ts < valid_to AND status = 'live'.
--
-- The index gives out committed_at in the order of (epoch, sequence), so the changes up to a time are a prefix of the
-- feed and committed_at is the time base as it is. Rows of versions whose index did not do so may step back: a change
-- then counts from the latest committed_at of its golden record up to and including itself, so that of one golden
-- record no two states hold at once and none ends before it begins. Both windows are over one golden record, so
-- that a filter on golden_id reaches the table; a window over the domain would read all of the history for each question.
CREATE OR REPLACE VIEW golden_record_as_of $view_options AS
WITH timeline AS (
    SELECT
        domain, golden_id, epoch, sequence, status, merged_into, payload, rules_version, committed_at,
        MAX(committed_at) OVER (
            PARTITION BY domain, golden_id ORDER BY epoch, sequence ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS valid_from
    FROM golden_history
    WHERE status <> 'erased'
)
SELECT
    domain, golden_id, epoch, sequence, status, merged_into, payload, rules_version, committed_at, valid_from,
    COALESCE(
        LEAD(valid_from) OVER (PARTITION BY domain, golden_id ORDER BY epoch, sequence),
        CAST('9999-12-31 00:00:00' AS $timestamp)
    ) AS valid_to
FROM timeline;
