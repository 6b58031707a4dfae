"""The changes that a commit tells the feed: the JSON of a message's data without epoch, sequence and commit time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mdm_stream.core.canonical import canonical_json
from mdm_stream.core.cluster.golden import anchor_named_by, golden_id_of, key_of
from mdm_stream.core.model import split_ref
from mdm_stream.core.plan.commit import OutboxChange
from mdm_stream.core.ruleset import Ruleset


def upserted(rules: Ruleset, golden_id: str, content: bytes, removed: Iterable[str]) -> OutboxChange:
    """Return the change to a golden record whose content is ``content``.

    ``removed`` are references of records that were its members and are now of none.
    """
    more = canonical_json({"op": "upsert", "removed": _keys(removed), **made_by(rules)})
    return OutboxChange(golden_id, content[:-1] + b"," + more[1:])


def retired(
    rules: Ruleset, golden_id: str, members: Iterable[str], removed: Iterable[str], crosswalk: Mapping[str, str]
) -> OutboxChange:
    """Return the end of a golden record that had ``members``; its id leads to wherever its anchor is.

    ``crosswalk`` is that of after the change; ``removed`` are the members that are in it no more.
    """
    anchor = anchor_named_by(rules.domain, golden_id, members)
    content = {
        "op": "retire",
        "domain": rules.domain,
        "golden_id": golden_id,
        "members": [],
        "removed": _keys(removed),
        "merged_into": None if anchor is None else crosswalk.get(anchor),
        "anchor": None if anchor is None else key_of(anchor),
        **made_by(rules),
    }
    return OutboxChange(golden_id, canonical_json(content))


def erased(rules: Ruleset, ref: str) -> OutboxChange:
    """Return the message that a record was erased: subscribers forget the values that came from it."""
    golden_id = golden_id_of(rules.domain, ref)
    content = {"op": "erase", "domain": rules.domain, "golden_id": golden_id, **key_of(ref)}
    return OutboxChange(golden_id, canonical_json(content))


def made_by(rules: Ruleset) -> dict[str, object]:
    """Return what says which rules, under which F, a change comes from."""
    return {"rules_version": rules.version, "rules_digest": rules.digest}


def _keys(refs: Iterable[str]) -> list[dict[str, str]]:
    return [key_of(ref) for ref in sorted(refs, key=split_ref)]
