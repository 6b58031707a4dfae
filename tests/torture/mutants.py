"""Engines that are broken on purpose, each in one of the ways in which such engines are broken. For tests alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.core.fold import Folded, RecordState, fold
from mdm_stream.core.model import ChangeEvent, RecordEvent
from mdm_stream.core.plan.commit import Commit
from mdm_stream.core.record import Record
from mdm_stream.engine.cache import RecordCache
from mdm_stream.feed.envelope import change_message
from mdm_stream.feed.publisher import FeedPublisher
from mdm_stream.index.port import Block
from mdm_stream.index.redis.index import RedisIndex

Break = Callable[[pytest.MonkeyPatch], None]


def _payload_of(change: Callable[[dict[str, Any]], object]) -> Break:
    """Send every commit with something about it changed."""

    def apply(patch: pytest.MonkeyPatch) -> None:
        whole = RedisIndex._parts

        def payload(index: RedisIndex, commit: Commit) -> dict[str, Any]:
            sent: dict[str, Any] = whole(index, commit)
            change(sent)
            return sent

        patch.setattr(RedisIndex, "_parts", payload)

    return apply


def _dropped(expectation: str) -> Break:
    """Commit without asking whether something is still as it was read."""
    return _payload_of(lambda sent: sent.update({expectation: []}))


def _folding(wrong: Callable[[RecordState, ChangeEvent, str], Folded]) -> Break:
    """Let the engine, and not the reference, fold in another way."""
    return lambda patch: patch.setattr("mdm_stream.engine.batch.fold", wrong)


def _keep_first_birth(state: RecordState, event: ChangeEvent, ref: str) -> Folded:
    folded = fold(state, event, ref)
    if state.born_at_us is None or folded.state is state or folded.state.erased:
        return folded
    return Folded(replace(folded.state, born_at_us=state.born_at_us), folded.collided)


def _forget_on_delete(state: RecordState, event: ChangeEvent, ref: str) -> Folded:
    folded = fold(state, event, ref)
    if isinstance(event, RecordEvent) and event.op == "delete" and not folded.state.live and folded.state is not state:
        return Folded(replace(folded.state, base=None), folded.collided)
    return folded


def _ignore_revisions(patch: pytest.MonkeyPatch) -> None:
    """Take a candidate from the cache as it once was."""

    def get(cache: RecordCache, ref: str, revision: str) -> Record | None:
        return cache._records.get(ref)

    patch.setattr(RecordCache, "get", get)


def _remember_blocks(patch: pytest.MonkeyPatch) -> None:
    """Take the members of a block as they once were, under the stamp that it has now."""
    fresh = RedisIndex.read_blocks
    seen: dict[tuple[int, str], dict[str, str]] = {}

    def read_blocks(index: RedisIndex, members_max: Mapping[str, int]) -> Mapping[str, Block]:
        blocks = fresh(index, members_max)
        for key, block in blocks.items():
            if block.members is not None:
                block.members = dict(seen.setdefault((id(index), key), dict(block.members)))
        return blocks

    patch.setattr(RedisIndex, "read_blocks", read_blocks)


def _acknowledge_first(patch: pytest.MonkeyPatch) -> None:
    """Take changes out of the outbox before they are on the feed."""

    def publish(outbox: RedisIndex, publisher: FeedPublisher, limit: int, *, through: EpochPosition) -> None:
        while entries := outbox.read(limit):
            outbox.acknowledge(entries)
            publisher.publish([change_message(entry) for entry in entries])

    patch.setattr("torture.machine.publish_outbox", publish)


MUTANTS: dict[str, Break] = {
    "dropped expectation: blocks": _dropped("expect_blocks"),
    "dropped expectation: components": _dropped("expect_components"),
    "dropped expectation: records": _dropped("expect_records"),
    "dropped expectation: suspended keys": _dropped("expect_suspended"),
    "lost outbox entry: not written": _payload_of(lambda sent: sent.update(changes=sent["changes"][:3])),
    "lost outbox entry: acknowledged first": _acknowledge_first,
    "golden id that depends on the order": _folding(_keep_first_birth),
    "stale candidate: cache": _ignore_revisions,
    "stale candidate: block": _remember_blocks,
    "missing tombstone": _folding(_forget_on_delete),
}
"""By what is wrong with them. All else is the engine itself."""
