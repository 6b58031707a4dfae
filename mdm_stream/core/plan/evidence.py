"""The evidence that a commit tells the feed, where the rules publish it: records, links, review items. Pure.

What is said of a record, a link or an item depends on that alone, so it is the same whatever led to it: a rebuild says
nothing of what was said in the same words before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from mdm_stream.core.canonical import canonical_json
from mdm_stream.core.cluster.edges import Edge
from mdm_stream.core.cluster.golden import ResolvedComponent, evidence_of, golden_id_of, key_of
from mdm_stream.core.model import Value, split_ref
from mdm_stream.core.plan.changes import made_by
from mdm_stream.core.plan.commit import Commit, HeldComponent, OutboxChange, Revision
from mdm_stream.core.record import Record, described_values
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.core.times import format_time_us

RECORDS = "records"
MATCHES = "matches"
REVIEWS = "reviews"

RECORD_BYTES_MAX = 262_144
"""What a record's message may be; a larger one goes without values, so that no source can stop the feed by a record.
A golden record that large goes by reference."""

Pair = tuple[str, str]
Links = dict[Pair, tuple[Edge, bool]]
"""The links of some components by pair, each with whether it was followed: both ends are in one golden record."""


def evidence_changes(
    rules: Ruleset,
    revisions: Iterable[Revision],
    held: Iterable[HeldComponent],
    resolved: Iterable[ResolvedComponent],
    commit: Commit,
    *,
    again: bool = False,
) -> Iterator[OutboxChange]:
    """Yield what the rules publish of a group's evidence, as far as it changes: ``held`` becomes ``resolved``.

    ``again``: what stays as it is is told too.

    Of an erased record nothing is said but that it is erased.
    """
    if RECORDS in rules.publish:
        changed = (revision.after for revision in revisions if revision.written)
        yield from (record_changed(rules, record) for record in changed if not record.state.erased)
    if MATCHES in rules.publish:
        before, after = links_of(held), links_of(resolved)
        yield from (match_gone(rules, pair) for pair in sorted(before.keys() - after.keys()))
        different = sorted(pair for pair, link in after.items() if again or before.get(pair) != link)
        yield from (match_changed(rules, *after[pair]) for pair in different)
    if REVIEWS in rules.publish:
        yield from (review_closed(rules, pair) for pair in commit.drop_review)
        yield from (review_changed(rules, commit.put_review[pair]) for pair in sorted(commit.put_review))


def links_of(components: Iterable[HeldComponent | ResolvedComponent]) -> Links:
    """Return the links of components, each with whether it was followed."""
    found: Links = {}
    for component in components:
        if component.links:
            golden_id_of_ref = {ref: golden.golden_id for golden in component.golden for ref in golden.members}
            found |= {
                edge.pair: (edge, golden_id_of_ref[edge.a] == golden_id_of_ref[edge.b]) for edge in component.links
            }
    return found


def record_changed(rules: Ruleset, record: Record) -> OutboxChange:
    """Return what is said of a record that is not erased; without its values, if they make it too large."""
    state = record.state
    source, record_id = split_ref(record.ref)
    said: dict[str, object] = {
        "op": "record",
        "domain": rules.domain,
        "source": source,
        "record_id": record_id,
        "status": "live" if state.live else "unseen" if state.base is None else "deleted",
        "born_at": None if state.born_at_us is None else format_time_us(state.born_at_us),
        "attributes": _attributes(rules, record),
        "overrides": {
            name: {
                "value": _plain(held.value),
                "steward": held.steward,
                "version": held.version,
                "event_time": format_time_us(held.event_time_us),
                "expires_at": None if held.expires_at_us is None else format_time_us(held.expires_at_us),
                "expired": held.expired,
            }
            for name, held in state.overrides.items()
        },
        "verdicts": [
            {
                "other": key_of(other),
                "verdict": held.verdict,
                "steward": held.steward,
                "version": held.version,
                "event_time": format_time_us(held.event_time_us),
            }
            for other, held in sorted(state.verdicts.items())
        ],
        "left_out": False,
        **made_by(rules),
    }
    content = canonical_json(said)
    if len(content) > RECORD_BYTES_MAX:
        content = canonical_json({**said, "attributes": {}, "overrides": {}, "left_out": True})
    return OutboxChange(golden_id_of(rules.domain, record.ref), content)


def record_gone(rules: Ruleset, ref: str) -> OutboxChange:
    """Return that a record is not known any more, as if it had never been delivered."""
    said = {"op": "record", "domain": rules.domain, **key_of(ref), "status": "gone", **made_by(rules)}
    return OutboxChange(golden_id_of(rules.domain, ref), canonical_json(said))


def match_changed(rules: Ruleset, edge: Edge, followed: bool) -> OutboxChange:
    """Return what is said of a link."""
    return _of_pair(
        rules, edge.pair, {"op": "match", "status": "linked" if followed else "refused", **evidence_of(rules, edge)}
    )


def match_gone(rules: Ruleset, pair: Pair) -> OutboxChange:
    """Return that there is no link between two records any more."""
    return _of_pair(rules, pair, {"op": "match", "status": "gone"})


def review_changed(rules: Ruleset, item: Mapping[str, object]) -> OutboxChange:
    """Return what is said of an item of the review queue (see ``core.cluster.golden.review_item``)."""
    a = item["a"]
    if not isinstance(a, Mapping):
        raise TypeError("a review item names its records by their keys")
    said = {**item, "op": "review", "status": "open", **made_by(rules)}
    return OutboxChange(golden_id_of(rules.domain, f"{a['source']}/{a['record_id']}"), canonical_json(said))


def review_closed(rules: Ruleset, pair: Pair) -> OutboxChange:
    """Return that two records are in the review queue no more."""
    return _of_pair(rules, pair, {"op": "review", "status": "closed"})


def _of_pair(rules: Ruleset, pair: Pair, said: Mapping[str, object]) -> OutboxChange:
    a, b = pair
    content = {**said, "domain": rules.domain, "a": key_of(a), "b": key_of(b), **made_by(rules)}
    return OutboxChange(golden_id_of(rules.domain, a), canonical_json(content))


def _attributes(rules: Ruleset, record: Record) -> dict[str, object]:
    return {
        rules.attributes[value.attribute].name: {
            "value": value.shown,
            "valid": value.invalid_because is None,
            "invalid_because": value.invalid_because,
            "version": value.version,
            "event_time": format_time_us(value.event_time_us),
        }
        for value in described_values(rules, record)
    }


def _plain(value: Value) -> object:
    return list(value) if isinstance(value, tuple) else value
