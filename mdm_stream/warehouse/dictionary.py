"""The data dictionary: what every table, view and column of the warehouse holds, in words.

``docs/reference/warehouse-columns.md`` is made from it and from the schema itself; a test holds the three together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

RELATIONS: dict[str, str] = {
    "golden_record": "The newest change of each golden record, retired ones too.",
    "current_golden_record": "Live golden records.",
    "golden_record_as_of": "Each state of a golden record, with the interval in which it was known.",
    "golden_history": "Every sequenced message of the golden feed. Rows are added; nothing but an erasure changes one.",
    "golden_value": "Each value of a live golden record, with the record that it comes from and why that one won.",
    "golden_value_as_of": "Each value of each state of a golden record, with the interval in which it was known.",
    "golden_redirect": "Where a retired golden id leads now.",
    "golden_merge": "Each merge: a golden record that was retired because its anchor record lives on in another one.",
    "golden_split": "Each split: records that left a golden record for another one while the first lived on.",
    "golden_epoch": "Which rules, under which F, the changes of an epoch come from.",
    "crosswalk": "The newest claim on each source record.",
    "current_crosswalk": "The members of live golden records.",
    "crosswalk_change": "Each claim on a source record, and each release of one.",
    "crosswalk_history": "Each stay of a source record in a golden record, or in none.",
    "contribution": "Which golden records a source record was ever a member of; an erasure looks there.",
    "erased_record": "The newest erasure of each erased source record.",
    "quarantined_event": "The first report of each rejected event.",
    "quarantine_reason": "Each reason of each rejected event.",
    "quarantine_outcome": "What became of the record that a rejected event names.",
    "file_loads": "The newest manifest of each load of a file.",
    "source_share": "How often a source's values survive, by attribute.",
    "source_duplicate": "Golden records with more than one record of a source.",
    "feed_lag": "How long changes took from their commit until they were here, by domain and hour of the commit.",
    "schema_version": "The migrations that were applied.",
}
"""Every table and view, in the order of the page."""

COLUMNS: dict[str, str] = {
    "accepted": "rows that became events",
    "anchor_record_id": "record id of the record that a retired id is made from",
    "anchor_source": "source of the record that a retired id is made from",
    "applied_at": "when this warehouse last wrote the row: the one column that depends on the delivery",
    "as_of": "the time of which the file tells the state",
    "attribute": "name of an attribute of the domain",
    "bucket": "bucket of the file",
    "came_from": "golden record that the record was in before; NULL at first",
    "changes": "how many changes were committed in that hour",
    "code": "what is wrong, as a code",
    "committed_at": "when the engine committed the change: when it became known",
    "deleted": "deletions that a full load has sent",
    "domain": "domain of the rules",
    "ended_at": "when the load was done, or failed; NULL before",
    "epoch": "epoch of the index that published it: 1, and one more for each rebuild",
    "event_time": "when the source says that the value was set",
    "first_sequence": "sequence of the first change of the epoch under these rules",
    "golden_id": "id of the golden record",
    "golden_records": "golden records with a record of the source in which the attribute has a value",
    "golden_values": "values by attribute, a text or a list of texts",
    "hour": "begin of the hour",
    "is_undone": "whether the id that was merged away is live again",
    "lag_ms_max": "the longest that a change of that hour took, in milliseconds",
    "lag_ms_p50": "half of the changes took no longer, in milliseconds",
    "lag_ms_p99": "99 of 100 changes took no longer, in milliseconds",
    "last_committed_at": "when the last change of the epoch under these rules was committed",
    "last_sequence": "sequence of the last change of the epoch under these rules",
    "leads_to": "live golden record that holds the anchor record now",
    "load_id": "id of the load, made from the file's place and content",
    "load_kind": "incremental or full",
    "location": "where the rejected bytes are kept",
    "manifest": "the whole manifest, without its profile if that is large",
    "member_count": "how many source records it is made of; 0 for a retired one",
    "merged_at": "when the merge became known",
    "merged_into": "golden record that held the anchor record when this one was retired; NULL if none did",
    "name": "name of the migration",
    "object_key": "key of the file in its bucket",
    "outcome": "no record named, record unknown, record changed since, record as before",
    "path": "where in the event it is wrong",
    "payload": "the data of the feed message: members, values, provenance and the rest",
    "place": "position of the value in a list, from 0; 0 for a single value",
    "provenance": "by attribute, for each value the record, version, time and strategy that it comes from",
    "quarantine_id": "id of the rejected event, made from its bytes and its stream",
    "quarantined_at": "when the event was first rejected",
    "raw_bytes": "how many bytes the rejected event has",
    "reasons": "what is wrong with it: code, path and message of each",
    "received_at": "when the file was first seen",
    "received_from": "what delivered the event",
    "record_id": "id of the record in its source",
    "records": "how many records of the source",
    "rejected": "rows that went to the quarantine",
    "report_digest": "digest of the report, which decides between two of the same rank",
    "revision": "how often the manifest was changed; the greatest counts",
    "route": "direct, chunks or spark; NULL before it is chosen",
    "row_count": "rows of the file",
    "rules_digest": "identifies rules and F together",
    "rules_version": "version of the rules that made it",
    "sent": "events that were put on the change stream",
    "sequence": "place in the feed of the domain within the epoch, from 1, without a gap",
    "share": "values_given by golden_records: 1 where the source always wins",
    "skipped": "rows that were passed over, such as repetitions",
    "source": "source system of the record",
    "split_at": "when the split became known",
    "split_into": "golden record that the records went to",
    "status": "live, or retired",
    "strategy": "survivorship strategy by which the value won",
    "valid_from": "from when on it was known",
    "valid_to": "until before when it was known; 9999-12-31 while it still is",
    "value": "the value as text",
    "values_given": "golden records in which a value of the attribute comes from the source",
    "version": "version of the source record that set the value",
}
"""What a column holds, by its name, wherever that name means the same."""

PARTICULAR: dict[tuple[str, str], str] = {
    ("crosswalk", "golden_id"): "golden record that claims the record; NULL if none does",
    ("crosswalk_change", "golden_id"): "golden record that claims the record; NULL for a release",
    ("crosswalk_history", "golden_id"): "golden record that the record was in; NULL while in none",
    ("erased_record", "golden_id"): "id that the record would give a golden record",
    ("file_loads", "status"): "received, validating, held, running, done or failed",
    ("file_loads", "domain"): "domain of the rules; NULL if the file's place names none",
    ("file_loads", "source"): "source system; NULL if the file's place names none",
    ("golden_history", "rules_version"): "version of the rules that made it; NULL for an erasure",
    ("golden_history", "status"): "live, retired or erased",
    ("golden_merge", "golden_id"): "id of the golden record that was merged away",
    ("golden_redirect", "golden_id"): "retired id",
    ("golden_split", "golden_id"): "golden record that records left",
    ("golden_split", "records"): "how many records went",
    ("quarantine_outcome", "golden_id"): "golden record that the record is in now",
    ("quarantined_event", "domain"): "domain of the event; NULL if it names none",
    ("quarantined_event", "source"): "source of the event; NULL if it names none",
    ("quarantined_event", "record_id"): "record of the event; NULL if it names none",
    ("schema_version", "version"): "number of the migration",
}
"""What a column holds where its name alone does not say it."""


def description_of(relation: str, column: str) -> str:
    """Return what a column holds; ``KeyError`` for one that the dictionary lacks."""
    return PARTICULAR.get((relation, column)) or COLUMNS[column]


def page(columns: Iterable[tuple[str, str, str]]) -> str:
    """Return the page for the schema's ``(relation, column, type)``, in the order of ``RELATIONS``."""
    by_relation: dict[str, list[tuple[str, str]]] = {name: [] for name in RELATIONS}
    for relation, column, kind in columns:
        by_relation[relation].append((column, kind))
    return "\n".join(_lines(by_relation)) + "\n"


def _lines(by_relation: dict[str, list[tuple[str, str]]]) -> Iterator[str]:
    yield "# Columns of the warehouse"
    yield ""
    yield "Written by `make dictionary`. Types are DuckDB's; Snowflake has VARIANT for JSON. Times are UTC."
    yield "What the tables are for, and how they are kept, is in [the warehouse](warehouse.md)."
    for relation, columns in by_relation.items():
        yield from (
            "",
            f"## {relation}",
            "",
            RELATIONS[relation],
            "",
            "| column | type | what it holds |",
            "|---|---|---|",
        )
        for column, kind in columns:
            yield f"| `{column}` | {kind.lower()} | {description_of(relation, column)} |"
