"""What a new epoch has to tell the feed: the difference between what was published and what is now. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

import orjson

from mdm_stream.contracts.evidence import EvidenceKey, key_and_digest
from mdm_stream.core.plan import changes, evidence
from mdm_stream.core.plan.commit import OutboxChange
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.feed.published import PublishedState

ReadGolden = Callable[[Iterable[str]], Iterator[tuple[str, bytes]]]
"""Yields id and content of golden records, for their ids."""


def differences(
    rules: Ruleset,
    published: PublishedState,
    digests: Mapping[str, str],
    crosswalk: Mapping[str, str],
    contents: ReadGolden,
    but: Collection[str] = (),
) -> Iterator[OutboxChange]:
    """Yield the changes that lead a reader from what was published to the golden records that are there.

    ``published`` is the last word of the feed on each golden id and each record; ``digests`` are those of the golden
    records' contents, by id, and ``contents`` is asked for those that differ. Upserts come first, then the ends, by id.
    A reader who has applied all that was published, and then these, has golden set and crosswalk; nothing is said of
    the golden ids in ``but``. What did not change is not told again.
    """
    gone, arrived = _moves(published, crosswalk)
    for golden_id, content in contents(_upserts(published, digests, gone.keys() | arrived, but)):
        yield changes.upserted(rules, golden_id, content, gone.get(golden_id, ()))
    ended = {known.golden_id for known in published.live()} | gone.keys()
    for golden_id in sorted(ended - digests.keys() - set(but)):
        known = published.get(golden_id)
        # One that was retired before has no members; its anchor, if it is still there, is anywhere.
        members = (known.members if known else ()) or crosswalk
        yield changes.retired(rules, golden_id, members, gone.get(golden_id, ()), crosswalk)


SaidEvidence = tuple[EvidenceKey, OutboxChange | None]
"""A record, link or review item, and what is to be said of it; ``None``: nothing, as its record is erased."""


def evidence_differences(
    rules: Ruleset, published: PublishedState, present: Iterable[SaidEvidence], *, is_all: bool
) -> Iterator[OutboxChange]:
    """Yield what leads a reader from the evidence that was published to what is ``present``.

    ``is_all``: what is not present, and was published, is no more.
    """
    seen = set()
    for key, change in present:
        seen.add(key)
        if change is None:
            continue
        known = published.evidence(key)
        if (None if known is None else known.digest) != key_and_digest(orjson.loads(change.content))[1]:
            yield change
    if is_all:
        gone = sorted(key for key in published.standing_evidence() if key not in seen)
        yield from (no_more(rules, key) for key in gone if key[0] != "record" or key[1] not in published.erased)


def no_more(rules: Ruleset, key: EvidenceKey) -> OutboxChange:
    """Return what is said of a record, link or review item that is no more."""
    op, first, second = key
    if op == "record":
        return evidence.record_gone(rules, first)
    return (evidence.match_gone if op == "match" else evidence.review_closed)(rules, (first, second))


def _upserts(
    published: PublishedState, digests: Mapping[str, str], moved: Collection[str], but: Collection[str]
) -> Iterator[str]:
    for golden_id, digest in digests.items():
        known = published.get(golden_id)
        if golden_id not in but and (known is None or known.digest != digest or golden_id in moved):
            yield golden_id


def _moves(published: PublishedState, crosswalk: Mapping[str, str]) -> tuple[dict[str, list[str]], set[str]]:
    """Return, by the golden ids at which readers have them, the records that are gone; and the golden ids where some
    are that readers have elsewhere.

    A golden record may be what was last said of it, and a reader have one of its members elsewhere all the same: what
    was said since of that member is undone, because only a part of it could be published before the index was lost.
    """
    gone: dict[str, list[str]] = {}
    arrived = set()
    for ref, golden_id in published.places():
        now = crosswalk.get(ref)
        if now is None:
            gone.setdefault(golden_id, []).append(ref)
        elif now != golden_id:
            arrived.add(now)
    return gone, arrived
