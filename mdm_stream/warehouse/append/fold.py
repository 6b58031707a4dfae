"""The fold: every table that people read as one SELECT over ``golden_event``, the same on both databases but for how
JSON is read.

Each takes, for one key, the row with the greatest (epoch, sequence): what ``statements`` does batch by batch, done at
once. So it does not matter in which order rows were added, how often, or by how many writers.
"""

from __future__ import annotations

from mdm_stream.warehouse.dialect import Dialect

FOLDS: dict[str, str] = {
    "golden_record": """
SELECT domain, golden_id, epoch, sequence, status, merged_into, anchor_source, anchor_record_id,
    document['values'] AS golden_values, document['provenance'] AS provenance, member_count, rules_version,
    committed_at, applied_at
FROM golden_event
WHERE kind = 'change'
QUALIFY ROW_NUMBER() OVER (PARTITION BY domain, golden_id ORDER BY epoch DESC, sequence DESC, applied_at) = 1
""",
    "crosswalk": """
SELECT domain, source, record_id, claimed_by AS golden_id, epoch, sequence, applied_at
FROM event_key
WHERE place <> 'provenance'
QUALIFY ROW_NUMBER() OVER (
    PARTITION BY domain, source, record_id ORDER BY epoch DESC, sequence DESC, place, applied_at
) = 1
""",
    "golden_history": """
SELECT domain, epoch, sequence, golden_id, status, merged_into, document AS payload, rules_version, committed_at,
    applied_at
FROM golden_event
WHERE kind IN ('change', 'erasure')
QUALIFY ROW_NUMBER() OVER (PARTITION BY domain, epoch, sequence ORDER BY golden_id, applied_at) = 1
""",
    "contribution": """
SELECT domain, source, record_id, claimed_by AS golden_id, MIN(applied_at) AS applied_at
FROM event_key
WHERE place <> 'removed'
GROUP BY domain, source, record_id, claimed_by
""",
    "erased_record": """
SELECT domain, source, record_id, golden_id, epoch, sequence, committed_at, applied_at
FROM golden_event
WHERE kind = 'erasure'
QUALIFY ROW_NUMBER() OVER (
    PARTITION BY domain, source, record_id ORDER BY epoch DESC, sequence DESC, applied_at
) = 1
""",
    "quarantined_event": """
SELECT quarantine_id, domain, source, record_id, document['reasons'] AS reasons, raw_bytes, location, received_from,
    quarantined_at, report_digest, applied_at
FROM golden_event
WHERE kind = 'report'
QUALIFY ROW_NUMBER() OVER (PARTITION BY quarantine_id ORDER BY quarantined_at, report_digest, applied_at) = 1
""",
    "file_loads": """
SELECT load_id, revision, domain, source, status, load_kind, route, bucket, object_key, as_of, row_count, accepted,
    rejected, skipped, sent, deleted, received_at, ended_at, document AS manifest, report_digest, applied_at
FROM golden_event
WHERE kind = 'file'
QUALIFY ROW_NUMBER() OVER (PARTITION BY load_id ORDER BY revision DESC, report_digest DESC, applied_at) = 1
""",
    "evidence_history": """
SELECT domain, epoch, sequence, kind, source, record_id, $text_of(document['b'], source) AS other_source,
    $text_of(document['b'], record_id) AS other_record_id, status, document AS payload, rules_version, committed_at,
    applied_at
FROM golden_event
WHERE kind IN ('record', 'match', 'review')
QUALIFY ROW_NUMBER() OVER (
    PARTITION BY domain, epoch, sequence, kind, source, record_id, $text_of(document['b'], source),
        $text_of(document['b'], record_id)
    ORDER BY applied_at
) = 1
""",
    "applied_batch": """
SELECT batch_id, row_count, document['positions'] AS positions, applied_at
FROM golden_event
WHERE kind = 'batch'
QUALIFY ROW_NUMBER() OVER (PARTITION BY batch_id ORDER BY applied_at) = 1
""",
}
"""Names as readers know them, each with its SELECT."""

HOLDING_VALUES = ("golden_record", "golden_history", "evidence_history")
"""The folded tables with values of golden records: those that an erasure must not wait for."""

_PLACES = (
    # (place, list of keys, condition, who claims the record). In a tie 'member' sorts before 'removed': a record in
    # both lists is claimed. A contributor that is a member too is in the list of members alone.
    ("member", "e.document['members']", "e.status = 'live'", "e.golden_id"),
    ("provenance", "e.contributors", "e.contributors IS NOT NULL", "e.golden_id"),
    ("removed", "e.document['removed']", "e.status IN ('live', 'retired')", "NULL"),
)


def event_key_sql(dialect: Dialect) -> str:
    """Return the SELECT of ``event_key``: a row for each source record that a change names, and where it does."""
    return dialect.render("UNION ALL".join(_PLACE.format(*place) for place in _PLACES))


_PLACE = """
SELECT e.batch_id, e.domain, e.epoch, e.sequence, e.golden_id, $text_of(k.value, source) AS source,
    $text_of(k.value, record_id) AS record_id, '{0}' AS place, CAST({3} AS $text) AS claimed_by, e.applied_at
FROM golden_event AS e, $each({1}) AS k
WHERE e.kind = 'change' AND {2}
"""
