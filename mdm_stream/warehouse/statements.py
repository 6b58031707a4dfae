"""The statements that both databases run on ``staged_row``. Each is idempotent, and their order does not matter.

Every MERGE keeps, for one key, the row with the greatest (epoch, sequence). Taking a maximum is commutative,
associative and idempotent, so replays, duplicates, reordering and a crash between two statements all end in the
same tables once every message has been applied at least once.

An erasure is a maximum too: the set of erased records only grows, and what is taken out of a row depends on that set
and on the row alone.
"""

from __future__ import annotations

from collections.abc import Sequence

MERGE_HISTORY = """
MERGE INTO golden_history AS t
USING (
    SELECT domain, epoch, sequence, golden_id, status, merged_into, document AS payload, rules_version, committed_at,
        applied_at
    FROM staged_row
    WHERE kind IN ('change', 'erasure')
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
    SELECT domain, golden_id, epoch, sequence, status, merged_into, anchor_source, anchor_record_id, golden_values,
        provenance, member_count, rules_version, committed_at, applied_at
    FROM staged_row
    WHERE kind = 'change'
    QUALIFY ROW_NUMBER() OVER (PARTITION BY domain, golden_id ORDER BY epoch DESC, sequence DESC) = 1
) AS s
ON t.domain = s.domain AND t.golden_id = s.golden_id
WHEN MATCHED AND (s.epoch > t.epoch OR (s.epoch = t.epoch AND s.sequence > t.sequence)) THEN UPDATE SET
    epoch = s.epoch, sequence = s.sequence, status = s.status, merged_into = s.merged_into,
    anchor_source = s.anchor_source, anchor_record_id = s.anchor_record_id,
    golden_values = s.golden_values, provenance = s.provenance, member_count = s.member_count,
    rules_version = s.rules_version, committed_at = s.committed_at, applied_at = s.applied_at
WHEN NOT MATCHED THEN INSERT
    (domain, golden_id, epoch, sequence, status, merged_into, anchor_source, anchor_record_id, golden_values,
        provenance, member_count, rules_version, committed_at, applied_at)
VALUES
    (s.domain, s.golden_id, s.epoch, s.sequence, s.status, s.merged_into, s.anchor_source, s.anchor_record_id,
        s.golden_values, s.provenance, s.member_count, s.rules_version, s.committed_at, s.applied_at)
"""

MERGE_CROSSWALK = """
MERGE INTO crosswalk AS t
USING (
    SELECT domain, source, record_id, golden_id, epoch, sequence, applied_at
    FROM staged_row
    WHERE kind = 'claim'
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

# Of several manifests of one load the one with the greatest revision stays, ties by digest.
MERGE_FILE_LOADS = """
MERGE INTO file_loads AS t
USING (
    SELECT load_id, revision, domain, source, status, load_kind, route, bucket, object_key, as_of, row_count, accepted,
        rejected, skipped, sent, deleted, received_at, ended_at, document AS manifest, report_digest, applied_at
    FROM staged_row
    WHERE kind = 'file'
    QUALIFY ROW_NUMBER() OVER (PARTITION BY load_id ORDER BY revision DESC, report_digest DESC) = 1
) AS s
ON t.load_id = s.load_id
WHEN MATCHED AND (
    s.revision > t.revision OR (s.revision = t.revision AND s.report_digest > t.report_digest)
) THEN UPDATE SET
    revision = s.revision, domain = s.domain, source = s.source, status = s.status, load_kind = s.load_kind,
    route = s.route, bucket = s.bucket, object_key = s.object_key, as_of = s.as_of, row_count = s.row_count,
    accepted = s.accepted, rejected = s.rejected, skipped = s.skipped, sent = s.sent, deleted = s.deleted,
    received_at = s.received_at, ended_at = s.ended_at, manifest = s.manifest, report_digest = s.report_digest,
    applied_at = s.applied_at
WHEN NOT MATCHED THEN INSERT
    (load_id, revision, domain, source, status, load_kind, route, bucket, object_key, as_of, row_count, accepted,
        rejected, skipped, sent, deleted, received_at, ended_at, manifest, report_digest, applied_at)
VALUES
    (s.load_id, s.revision, s.domain, s.source, s.status, s.load_kind, s.route, s.bucket, s.object_key, s.as_of,
        s.row_count, s.accepted, s.rejected, s.skipped, s.sent, s.deleted, s.received_at, s.ended_at, s.manifest,
        s.report_digest, s.applied_at)
"""

# What was said of records, links and review items, one row for each position; what is so now is a view of it. Rows of a
# replay may have a position that the feed has used: what they are of is part of the key, so that none takes another's.
MERGE_EVIDENCE = """
MERGE INTO evidence_history AS t
USING (
    SELECT domain, epoch, sequence, kind, source, record_id, $text_of(document['b'], source) AS other_source,
        $text_of(document['b'], record_id) AS other_record_id, status, document AS payload, rules_version,
        committed_at, applied_at
    FROM staged_row
    WHERE kind IN ('record', 'match', 'review')
    QUALIFY ROW_NUMBER() OVER (
        PARTITION BY domain, epoch, sequence, kind, source, record_id, $text_of(document['b'], source),
            $text_of(document['b'], record_id)
        ORDER BY status
    ) = 1
) AS s
ON t.domain = s.domain AND t.epoch = s.epoch AND t.sequence = s.sequence AND t.kind = s.kind
    AND t.source = s.source AND t.record_id = s.record_id
    AND COALESCE(t.other_source, '') = COALESCE(s.other_source, '')
    AND COALESCE(t.other_record_id, '') = COALESCE(s.other_record_id, '')
WHEN NOT MATCHED THEN INSERT
    (domain, epoch, sequence, kind, source, record_id, other_source, other_record_id, status, payload, rules_version,
        committed_at, applied_at)
VALUES
    (s.domain, s.epoch, s.sequence, s.kind, s.source, s.record_id, s.other_source, s.other_record_id, s.status,
        s.payload, s.rules_version, s.committed_at, s.applied_at)
"""

# Of an erased record nothing is left of what was said of it but that it was said. The parameter is the batch's time.
REDACT_EVIDENCE = """
UPDATE evidence_history SET payload = $empty_object, applied_at = CAST(? AS $timestamp)
WHERE kind = 'record' AND CAST(payload AS $text) <> '{}' AND (domain, source, record_id) IN (
    SELECT domain, source, record_id FROM erased_record
)
"""

MERGE_CONTRIBUTION = """
MERGE INTO contribution AS t
USING (
    SELECT DISTINCT domain, source, record_id, golden_id, applied_at
    FROM staged_row
    WHERE kind IN ('claim', 'contribution') AND golden_id IS NOT NULL
) AS s
ON t.domain = s.domain AND t.source = s.source AND t.record_id = s.record_id AND t.golden_id = s.golden_id
WHEN NOT MATCHED THEN INSERT (domain, source, record_id, golden_id, applied_at)
VALUES (s.domain, s.source, s.record_id, s.golden_id, s.applied_at)
"""

MERGE_ERASED_RECORD = """
MERGE INTO erased_record AS t
USING (
    SELECT domain, source, record_id, golden_id, epoch, sequence, committed_at, applied_at
    FROM staged_row
    WHERE kind = 'erasure'
    QUALIFY ROW_NUMBER() OVER (PARTITION BY domain, source, record_id ORDER BY epoch DESC, sequence DESC) = 1
) AS s
ON t.domain = s.domain AND t.source = s.source AND t.record_id = s.record_id
WHEN MATCHED AND (s.epoch > t.epoch OR (s.epoch = t.epoch AND s.sequence > t.sequence)) THEN UPDATE SET
    golden_id = s.golden_id, epoch = s.epoch, sequence = s.sequence, committed_at = s.committed_at,
    applied_at = s.applied_at
WHEN NOT MATCHED THEN INSERT (domain, source, record_id, golden_id, epoch, sequence, committed_at, applied_at)
VALUES (s.domain, s.source, s.record_id, s.golden_id, s.epoch, s.sequence, s.committed_at, s.applied_at)
"""

# Which erased records the staged batch names, after the merges: also those that another writer added meanwhile.
SELECT_STAGED_ERASED = """
SELECT DISTINCT e.domain, e.source, e.record_id
FROM erased_record AS e
JOIN staged_row AS s ON s.domain = e.domain AND s.source = e.source AND s.record_id = e.record_id
WHERE s.kind IN ('claim', 'contribution', 'erasure', 'record')
"""

# A row is rewritten only if it is as it was read. The digest need not be strong: both contents are our own.
_GOLDEN_RECORD_DIGEST = "MD5(CAST(golden_values AS $text) || CAST(provenance AS $text))"
_HISTORY_DIGEST = "MD5(CAST(payload AS $text))"

REDACT_GOLDEN_RECORD = """
MERGE INTO golden_record AS t
USING (
    SELECT domain, golden_id, epoch, sequence, held_digest, golden_values, provenance, applied_at FROM staged_row
) AS s
ON t.domain = s.domain AND t.golden_id = s.golden_id AND t.epoch = s.epoch AND t.sequence = s.sequence
WHEN MATCHED AND MD5(CAST(t.golden_values AS $text) || CAST(t.provenance AS $text)) = s.held_digest THEN UPDATE SET
    golden_values = s.golden_values, provenance = s.provenance, applied_at = s.applied_at
"""

REDACT_HISTORY = """
MERGE INTO golden_history AS t
USING (SELECT domain, epoch, sequence, held_digest, document AS payload, applied_at FROM staged_row) AS s
ON t.domain = s.domain AND t.epoch = s.epoch AND t.sequence = s.sequence
WHEN MATCHED AND MD5(CAST(t.payload AS $text)) = s.held_digest THEN UPDATE SET
    payload = s.payload, applied_at = s.applied_at
"""

# A page of golden ids with what the history has of each one's newest change, which golden_record names.
SELECT_PUBLISHED = """
SELECT h.payload
FROM (
    SELECT domain, golden_id, epoch, sequence FROM golden_record
    WHERE domain = ? AND golden_id > ? ORDER BY golden_id LIMIT ?
) AS g
JOIN golden_history AS h ON h.domain = g.domain AND h.epoch = g.epoch AND h.sequence = g.sequence
ORDER BY h.golden_id
"""

# A page of what was last said of each record, link and review item, by position; erased records have nothing.
SELECT_PUBLISHED_EVIDENCE = """
SELECT epoch, sequence, payload FROM (
    SELECT epoch, sequence, payload
    FROM evidence_history
    WHERE domain = ?
    QUALIFY ROW_NUMBER() OVER (
        PARTITION BY kind, source, record_id, other_source, other_record_id ORDER BY epoch DESC, sequence DESC
    ) = 1
) AS newest
WHERE (epoch > ? OR (epoch = ? AND sequence > ?)) AND CAST(payload AS $text) <> '{}'
ORDER BY epoch, sequence LIMIT ?
"""

SELECT_ERASED = """
SELECT source, record_id FROM erased_record WHERE domain = ?
"""

SELECT_POSITION = """
SELECT epoch, sequence FROM (
    SELECT domain, epoch, sequence FROM golden_history
    UNION ALL
    SELECT domain, epoch, sequence FROM evidence_history
) AS said
WHERE domain = ? ORDER BY epoch DESC, sequence DESC LIMIT 1
"""

# Of a domain, which is the parameter, the column that says where values come from.
PROVENANCE_OF = {
    "golden_record": "SELECT CAST(provenance AS $text) AS written FROM golden_record WHERE domain = ?",
    "golden_history": "SELECT CAST(payload['provenance'] AS $text) AS written FROM golden_history WHERE domain = ?",
}

# Of a domain, which is the parameter, the records of which anything is known that they said.
RECORDS_WITH_VALUES = {
    "evidence_history": "SELECT source, record_id FROM evidence_history AS h JOIN staged_needle AS n "
    "ON CONTAINS(h.record_id, n.part) WHERE h.kind = 'record' AND h.domain = ? AND CAST(h.payload AS $text) <> '{}'",
}

# Parameters: the number of what is looked for, and how many rows at most.
SELECT_HISTORY_WITH = """
SELECT CAST(h.payload AS $text)
FROM golden_history AS h JOIN staged_needle AS n ON CONTAINS(CAST(h.payload AS $text), n.part)
WHERE n.number = ?
ORDER BY h.domain, h.epoch, h.sequence LIMIT ?
"""

SELECT_COLUMNS = """
SELECT c.table_name, c.column_name
FROM information_schema.columns AS c
JOIN information_schema.tables AS t ON t.table_schema = c.table_schema AND t.table_name = c.table_name
WHERE c.table_schema = CURRENT_SCHEMA() AND t.table_type <> 'VIEW' AND LOWER(c.table_name) <> 'staged_needle'
ORDER BY c.table_name, c.ordinal_position
"""


# The domains in which anything was ever erased: mostly none, and then no batch looks for its records.
SELECT_ERASED_DOMAINS = """
SELECT DISTINCT domain FROM erased_record
"""

# The erased records among those whose ids are in staged_needle, of whatever source.
SELECT_ERASED_AMONG = """
SELECT e.domain, e.source, e.record_id FROM erased_record AS e JOIN staged_needle AS n ON n.part = e.record_id
"""


def select_history_of(record_ids: int) -> str:
    """Return the statement for a page of the history of all golden records that these records were ever members of.

    Parameters: domain, domain, the record ids, the last (epoch, epoch, sequence) of the page before, the page's size.
    """
    return f"""
        SELECT epoch, sequence, payload, {_HISTORY_DIGEST} FROM golden_history
        WHERE domain = ? AND status <> 'erased' AND golden_id IN ({_golden_ids_of(record_ids)})
        AND (epoch > ? OR (epoch = ? AND sequence > ?))
        ORDER BY epoch, sequence LIMIT ?
    """  # noqa: S608 - made of question marks


def select_golden_of(record_ids: int) -> str:
    """Return the statement for a page of all golden records that these records were ever members of.

    Parameters: domain, domain, the record ids, the last golden id of the page before, the page's size.
    """
    return f"""
        SELECT golden_id, epoch, sequence, golden_values, provenance, {_GOLDEN_RECORD_DIGEST} FROM golden_record
        WHERE domain = ? AND golden_id IN ({_golden_ids_of(record_ids)})
        AND golden_id > ?
        ORDER BY golden_id LIMIT ?
    """  # noqa: S608 - made of question marks


def columns_of(table: str, columns: Sequence[str]) -> str:
    """Return the query of all values in some columns of a table, as text."""
    return " UNION ALL ".join(f'SELECT CAST("{column}" AS $text) AS written FROM "{table}"' for column in columns)  # noqa: S608 - names that the database itself listed


def select_candidates(source: str) -> str:
    """Return the statement for a page of the different texts of ``source`` that hold a part in ``staged_needle``.

    Parameters: those of ``source``, the digest that the page before ended with, the page's size.
    """
    return f"""
        SELECT written, digest FROM (
            SELECT DISTINCT s.written AS written, MD5(s.written) AS digest
            FROM ({source}) AS s JOIN staged_needle AS n ON CONTAINS(s.written, n.part)
        ) AS found
        WHERE digest > ? ORDER BY digest LIMIT ?
    """  # noqa: S608 - made of declared names, and of those that the database itself listed


def _golden_ids_of(record_ids: int) -> str:
    return f"SELECT golden_id FROM contribution WHERE domain = ? AND record_id IN ({_marks(record_ids)})"  # noqa: S608


def _marks(count: int) -> str:
    return ", ".join("?" * count)
