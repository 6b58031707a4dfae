"""Take up an index as it is for rules that only add histories which nothing belongs to yet.

Rules are a part of an index's identity, because F depends on them. Histories that begin later than all that was
delivered change no version of it, so F of it is the same. That is shown, not supposed:

1. The index's digest must be that of the new rules without some of their last histories: nothing else may differ.
2. *Fence.* The digest is replaced by one that no writer has. From here on nothing is committed or confirmed, whatever
the rules of the writer; a batch that was committed and not confirmed is delivered again, under the new rules. What it
had committed under the old ones is then below what it commits, event by event, and so is absorbed.
3. *Compare.* What counts as done is in the archive, and is decoded by the new rules: no event may belong to an added
history. Rows that arrived too early for that (``clock_ahead``) are not decoded.
4. The new rules' digest takes the place of the fence; or the old one's, if an event does belong to an added history.

Killed between 2 and 4, it leaves the fence. Run again it goes on from there; a rebuild makes a new epoch instead.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import redis

from mdm_stream.archive import Archive, ArchivedRecord
from mdm_stream.archive.rows import delivery_of
from mdm_stream.core.histories import split_version
from mdm_stream.core.model import RecordEvent
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.decode import Decoder
from mdm_stream.decode.delivery import ARRIVALS_FROM_US
from mdm_stream.errors import RejectedEventError, TransientError
from mdm_stream.index.redis.epochs import ADOPTING, Epochs
from mdm_stream.rules.compile import with_digest

EARLIER_MAX = 1_000
"""Rule sets before these that are tried: as many as histories may be left out of, source by source."""

Outcome = Literal["none", "same", "other", "adopted", "refused"]
"""There is no index; it is of these rules already, or of others than an earlier form of these; it was taken up, or not,
because something that was delivered belongs to an added history."""


@dataclass(slots=True)
class Adoption:
    """What became of it. ``sources`` are those whose delivered events belong to an added history, and how many do.

    ``rows`` of the archive were decoded to find that.
    """

    domain: str
    outcome: Outcome
    rows: int
    sources: dict[str, int]


def adopt(client: redis.Redis, rules: Ruleset, namespace: str, archive: Archive) -> Adoption:
    """Take up the index of a domain for ``rules`` if that is provably the same F; idempotent."""
    epochs = Epochs(client, rules, namespace)
    held = epochs.digest()
    done = Adoption(rules.domain, "none", 0, {})
    if held is None:
        return done
    if held == rules.digest:
        done.outcome = "same"
        return done
    before = earlier(rules, held.removeprefix(ADOPTING))
    if before is None:
        done.outcome = "other"
        return done
    fence = ADOPTING + before.digest
    if held != fence and not epochs.replace_digest(before.digest, fence):
        raise TransientError(_overtaken(rules.domain))
    try:
        _compare(rules, before, archive, done)
    except BaseException:
        epochs.replace_digest(fence, before.digest)
        raise
    done.outcome = "refused" if done.sources else "adopted"
    if not epochs.replace_digest(fence, before.digest if done.sources else rules.digest):
        raise TransientError(_overtaken(rules.domain))
    return done


def earlier(rules: Ruleset, digest: str) -> Ruleset | None:
    """Return the rule set of that digest of which these are made by adding histories at the end of those of sources."""
    declared = {name: source for name, source in rules.sources.items() if source.histories}
    kept = [range(len(source.histories), -1, -1) for source in declared.values()]
    for counts in itertools.islice(itertools.product(*kept), EARLIER_MAX):
        changed = {
            name: replace(source, histories=source.histories[:count])
            for (name, source), count in zip(declared.items(), counts, strict=True)
        }
        candidate = with_digest(replace(rules, sources={**rules.sources, **changed}))
        if candidate.digest == digest:
            return candidate
    return None


def _compare(rules: Ruleset, before: Ruleset, archive: Archive, done: Adoption) -> None:
    """Count the delivered events that belong to an added history."""
    decoder = Decoder({rules.domain: rules}, archived=True)
    first_us = _first_arrival_us(rules, before)
    for row in _recent(archive.read_new(rules.domain, set()), first_us):
        done.rows += 1
        try:
            events = decoder.decode(delivery_of(row))
        except RejectedEventError:
            continue  # these rules take no part of it, and those before them took none either
        for event in events:
            if isinstance(event, RecordEvent) and _is_added(event, before):
                done.sources[event.source] = done.sources.get(event.source, 0) + 1


def _is_added(event: RecordEvent, before: Ruleset) -> bool:
    source = before.sources.get(event.source)
    return source is not None and split_version(event.version)[0] > len(source.histories)


def _first_arrival_us(rules: Ruleset, before: Ruleset) -> int | None:
    """Return the first arrival whose time may reach an added history; ``None`` if that cannot be told by arrivals."""
    firsts = []
    for name, source in rules.sources.items():
        for history in source.histories[len(before.sources[name].histories) :]:
            if history.from_us is None:
                return None
            firsts.append(history.from_us - source.clock_ahead_us)
    return min(firsts)


def _recent(rows: Iterator[ArchivedRecord], first_us: int | None) -> Iterator[ArchivedRecord]:
    for row in rows:
        if first_us is None or not ARRIVALS_FROM_US <= row.arrival_time_us < first_us:
            yield row


def _overtaken(domain: str) -> str:
    return f"the index of domain {domain!r} was rebuilt, or taken up for other rules, meanwhile; run this again"
