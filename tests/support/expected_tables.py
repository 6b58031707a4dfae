"""F of some states, as the Parquet tables that a reconcile job leaves: from the reference, not from Spark."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mdm_stream.core import reference
from mdm_stream.core.canonical import canonical_json
from mdm_stream.core.cluster.golden import digest_of_content, digest_of_item
from mdm_stream.core.cluster.strongest import kept_edges
from mdm_stream.core.fold import RecordState, state_to_wire
from mdm_stream.core.record import build_record, revision_of
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.objects.folder import FolderObjects
from mdm_stream.reconcile.live_index import LINK_COLUMNS
from mdm_stream.reconcile.table_files import TableFiles

TABLES = {
    "records": {"ref": "string", "revision": "string", "live": "bool_", "state": "binary"},
    "links": LINK_COLUMNS,
    "crosswalk": {"ref": "string", "golden_id": "string"},
    "golden": {"golden_id": "string", "digest": "string", "content": "binary"},
    "review": {"a": "string", "b": "string", "digest": "string", "item": "binary"},
}


def write_expected(rules: Ruleset, states: Mapping[str, RecordState], folder: Path) -> reference.Resolution:
    """Write F's tables of folded states below a folder; return F."""
    resolved = reference.resolve_states(rules, states)
    records = {ref: build_record(rules, ref, state) for ref, state in sorted(states.items()) if state.live}
    edges = kept_edges(rules, reference._edges(rules, records))
    with TableFiles(FolderObjects(folder), TABLES) as tables:
        tables.add(
            "records",
            ((r, revision_of(s), s.live, canonical_json(state_to_wire(s))) for r, s in sorted(states.items())),
        )
        tables.add("links", ((e.a, e.b, e.link, e.weight, e.confidence, e.rule, e.levels) for e in edges))
        tables.add("crosswalk", resolved.crosswalk.items())
        golden = {golden_id: canonical_json(content) for golden_id, content in resolved.golden.items()}
        tables.add("golden", ((golden_id, digest_of_content(c), c) for golden_id, c in golden.items()))
        items = resolved.review.items()
        tables.add("review", ((*pair, digest_of_item(item), canonical_json(item)) for pair, item in items))
    return resolved
