"""The statements that both databases run on ``staged_row``. Each is idempotent, and their order does not matter.

Every MERGE keeps, for one key, the row with the greatest (epoch, sequence). Taking a maximum is commutative,
associative and idempotent, so replays, duplicates, reordering and a crash between two statements all end in the
same tables once every message has been applied at least once.

A change of an epoch older than the domain's finished one (``epoch_floor``) still goes to the history. To the
state it means what ``finish_epoch`` made of its key: ended at (finished epoch, 0), with nothing else known. That end
is staged beside the change itself, and wins as the greater of the two.
"""

from __future__ import annotations

MERGE_HISTORY = """
MERGE INTO golden_history AS t
USING (
    SELECT domain, epoch, sequence, golden_id, status, merged_into, document AS payload, rules_version, committed_at,
        applied_at
    FROM staged_row
    WHERE kind = 'change'
    QUALIFY ROW_NUMBER() OVER (PARTITION BY domain, epoch, sequence ORDER BY golden_id) = 1
) AS s
ON t.domain = s.domain AND t.epoch = s.epoch AND t.sequence = s.sequence
WHEN NOT MATCHED THEN INSERT
    (domain, epoch, sequence, golden_id, status, merged_into, payload, rules_version, committed_at, applied_at)
VALUES
    (s.domain, s.epoch, s.sequence, s.golden_id, s.status, s.merged_into, s.payload, s.rules_version, s.committed_at,
        s.applied_at)
"""

MERGE_GOLDEN_RECORD = """
MERGE INTO golden_record AS t
USING (
    SELECT domain, golden_id, epoch, sequence, status, merged_into, golden_values, provenance, member_count,
        rules_version, committed_at, applied_at
    FROM (
        SELECT c.domain, c.golden_id, c.epoch, c.sequence, c.status, c.merged_into, c.golden_values, c.provenance,
            c.member_count, c.rules_version, c.committed_at, c.applied_at
        FROM staged_row AS c
        WHERE c.kind = 'change'
        UNION ALL
        SELECT c.domain, c.golden_id, f.epoch, 0, 'retired', CAST(NULL AS $text), CAST(NULL AS $json),
            CAST(NULL AS $json), 0, CAST(NULL AS $integer), f.finished_at, c.applied_at
        FROM staged_row AS c
        JOIN epoch_floor AS f ON f.domain = c.domain
        WHERE c.kind = 'change' AND c.epoch < f.epoch
    ) AS candidate
    QUALIFY ROW_NUMBER() OVER (PARTITION BY domain, golden_id ORDER BY epoch DESC, sequence DESC) = 1
) AS s
ON t.domain = s.domain AND t.golden_id = s.golden_id
WHEN MATCHED AND (s.epoch > t.epoch OR (s.epoch = t.epoch AND s.sequence > t.sequence)) THEN UPDATE SET
    epoch = s.epoch, sequence = s.sequence, status = s.status, merged_into = s.merged_into,
    golden_values = s.golden_values, provenance = s.provenance, member_count = s.member_count,
    rules_version = s.rules_version, committed_at = s.committed_at, applied_at = s.applied_at
WHEN NOT MATCHED THEN INSERT
    (domain, golden_id, epoch, sequence, status, merged_into, golden_values, provenance, member_count, rules_version,
        committed_at, applied_at)
VALUES
    (s.domain, s.golden_id, s.epoch, s.sequence, s.status, s.merged_into, s.golden_values, s.provenance,
        s.member_count, s.rules_version, s.committed_at, s.applied_at)
"""

MERGE_CROSSWALK = """
MERGE INTO crosswalk AS t
USING (
    SELECT domain, source, record_id, golden_id, epoch, sequence, applied_at
    FROM (
        SELECT c.domain, c.source, c.record_id, c.golden_id, c.epoch, c.sequence, c.applied_at
        FROM staged_row AS c
        WHERE c.kind = 'claim'
        UNION ALL
        SELECT c.domain, c.source, c.record_id, CAST(NULL AS $text), f.epoch, 0, c.applied_at
        FROM staged_row AS c
        JOIN epoch_floor AS f ON f.domain = c.domain
        WHERE c.kind = 'claim' AND c.epoch < f.epoch
    ) AS candidate
    QUALIFY ROW_NUMBER() OVER (PARTITION BY domain, source, record_id ORDER BY epoch DESC, sequence DESC) = 1
) AS s
ON t.domain = s.domain AND t.source = s.source AND t.record_id = s.record_id
WHEN MATCHED AND (s.epoch > t.epoch OR (s.epoch = t.epoch AND s.sequence > t.sequence)) THEN UPDATE SET
    golden_id = s.golden_id, epoch = s.epoch, sequence = s.sequence, applied_at = s.applied_at
WHEN NOT MATCHED THEN INSERT (domain, source, record_id, golden_id, epoch, sequence, applied_at)
VALUES (s.domain, s.source, s.record_id, s.golden_id, s.epoch, s.sequence, s.applied_at)
"""

# One event may be reported more than once, at different times: the first report stays, ties by digest.
MERGE_QUARANTINED_EVENT = """
MERGE INTO quarantined_event AS t
USING (
    SELECT quarantine_id, domain, source, record_id, reasons, raw_bytes, location, received_from, quarantined_at,
        report_digest, applied_at
    FROM staged_row
    WHERE kind = 'report'
    QUALIFY ROW_NUMBER() OVER (PARTITION BY quarantine_id ORDER BY quarantined_at, report_digest) = 1
) AS s
ON t.quarantine_id = s.quarantine_id
WHEN MATCHED AND (
    s.quarantined_at < t.quarantined_at
    OR (s.quarantined_at = t.quarantined_at AND s.report_digest < t.report_digest)
) THEN UPDATE SET
    domain = s.domain, source = s.source, record_id = s.record_id, reasons = s.reasons, raw_bytes = s.raw_bytes,
    location = s.location, received_from = s.received_from, quarantined_at = s.quarantined_at,
    report_digest = s.report_digest, applied_at = s.applied_at
WHEN NOT MATCHED THEN INSERT
    (quarantine_id, domain, source, record_id, reasons, raw_bytes, location, received_from, quarantined_at,
        report_digest, applied_at)
VALUES
    (s.quarantine_id, s.domain, s.source, s.record_id, s.reasons, s.raw_bytes, s.location, s.received_from,
        s.quarantined_at, s.report_digest, s.applied_at)
"""

# The first finished_at of an epoch stays, so calling again with a later clock changes nothing.
INSERT_FINISHED_EPOCH = """
INSERT INTO finished_epoch (domain, epoch, finished_at)
SELECT m.domain, m.epoch, m.finished_at
FROM (SELECT CAST(? AS $text) AS domain, CAST(? AS $integer) AS epoch, CAST(? AS $timestamp) AS finished_at) AS m
WHERE NOT EXISTS (SELECT 1 FROM finished_epoch AS t WHERE t.domain = m.domain AND t.epoch = m.epoch)
"""

SELECT_EPOCH_FLOOR = """
SELECT epoch, finished_at FROM epoch_floor WHERE domain = ?
"""

END_GOLDEN_RECORDS = """
UPDATE golden_record SET
    epoch = ?, sequence = 0, status = 'retired', merged_into = NULL, golden_values = NULL, provenance = NULL,
    member_count = 0, rules_version = NULL, committed_at = CAST(? AS $timestamp), applied_at = CAST(? AS $timestamp)
WHERE domain = ? AND epoch < ?
"""

END_CROSSWALK = """
UPDATE crosswalk SET epoch = ?, sequence = 0, golden_id = NULL, applied_at = CAST(? AS $timestamp)
WHERE domain = ? AND epoch < ?
"""
