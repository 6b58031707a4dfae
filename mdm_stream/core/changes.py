"""The changes that a commit tells the feed: the JSON of a message's data without epoch, sequence and commit time."""

from __future__ import annotations

from collections.abc import Iterable

from mdm_stream.core.canonical import canonical_json
from mdm_stream.core.commit import Change
from mdm_stream.core.golden import golden_id_of, key_of
from mdm_stream.core.model import split_ref
from mdm_stream.core.ruleset import Ruleset


def upserted(rules: Ruleset, golden_id: str, content: bytes, removed: Iterable[str]) -> Change:
    """Return the change to a golden record whose content is ``content``.

    ``removed`` are references of records that were its members and are now of none.
    """
    more = canonical_json({"op": "upsert", "removed": _keys(removed), "rules_version": rules.version})
    return Change(golden_id, content[:-1] + b"," + more[1:])


def retired(rules: Ruleset, golden_id: str, removed: Iterable[str], merged_into: str | None) -> Change:
    """Return the end of a golden record; ``merged_into`` is where its anchor is now."""
    content = {
        "op": "retire",
        "domain": rules.domain,
        "golden_id": golden_id,
        "members": [],
        "removed": _keys(removed),
        "merged_into": merged_into,
        "rules_version": rules.version,
    }
    return Change(golden_id, canonical_json(content))


def erased(rules: Ruleset, ref: str) -> Change:
    """Return the message that a record was erased: whoever keeps values that came from it forgets them."""
    golden_id = golden_id_of(rules.domain, ref)
    content = {"op": "erase", "domain": rules.domain, "golden_id": golden_id, **key_of(ref)}
    return Change(golden_id, canonical_json(content))


def _keys(refs: Iterable[str]) -> list[dict[str, str]]:
    return [key_of(ref) for ref in sorted(refs, key=split_ref)]
