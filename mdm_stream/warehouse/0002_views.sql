-- What readers query. Views hold no rows, so a later version may replace them freely.

CREATE OR REPLACE VIEW current_golden_record $view_options AS
SELECT domain, golden_id, epoch, sequence, golden_values, provenance, member_count, rules_version, committed_at, applied_at
FROM golden_record
WHERE status = 'live';

CREATE OR REPLACE VIEW current_crosswalk $view_options AS
SELECT domain, source, record_id, golden_id, epoch, sequence, applied_at
FROM crosswalk
WHERE golden_id IS NOT NULL;

-- Where a retired id leads: to the golden record that its anchor is a member of now. An id whose anchor is in none has no row.
CREATE OR REPLACE VIEW golden_redirect $view_options AS
SELECT retired.domain AS domain, retired.golden_id AS golden_id, crosswalk.golden_id AS leads_to
FROM golden_record AS retired
JOIN crosswalk
    ON crosswalk.domain = retired.domain AND crosswalk.source = retired.anchor_source
    AND crosswalk.record_id = retired.anchor_record_id
WHERE retired.status = 'retired' AND crosswalk.golden_id IS NOT NULL;

-- The state at any time: WHERE ts >= valid_from AND ts < valid_to AND status = 'live'.
--
-- The time base is committed_at made monotone over the domain in feed order: a change counts from the latest
-- committed_at up to and including itself. So the state at any ts is the state after a prefix of the feed, and
-- never a mixture, even where the engine's clock stepped back.
CREATE OR REPLACE VIEW golden_record_as_of $view_options AS
WITH timeline AS (
    SELECT
        domain, golden_id, epoch, sequence, status, merged_into, payload, rules_version, committed_at,
        MAX(committed_at) OVER (
            PARTITION BY domain ORDER BY epoch, sequence ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS effective_at
    FROM golden_history
    WHERE status <> 'erased'
)
SELECT
    domain, golden_id, epoch, sequence, status, merged_into, payload, rules_version, committed_at,
    effective_at AS valid_from,
    COALESCE(
        LEAD(effective_at) OVER (PARTITION BY domain, golden_id ORDER BY epoch, sequence),
        CAST('9999-12-31 00:00:00' AS $timestamp)
    ) AS valid_to
FROM timeline;
