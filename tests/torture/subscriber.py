"""What a subscriber makes of the golden feed: by every message in order, and by the newest of each key in any order."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from mdm_stream.core.model import make_ref
from mdm_stream.index.port import OutboxEntry

CONTENT = ("domain", "golden_id", "members", "values", "provenance")
"""What a change says of a golden record, beside where it stands in the feed."""

Golden = dict[str, dict[str, Any]]
Crosswalk = dict[str, str]


def golden_of_feed(entries: Sequence[OutboxEntry]) -> tuple[Golden, Crosswalk]:
    """Replay a feed that was never acknowledged from its first entry: return golden records and crosswalk."""
    assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
    return replay(orjson.loads(entry.content) for entry in entries)


def changes_of(messages: Iterable[bytes]) -> list[dict[str, Any]]:
    """Return the changes of all messages, each once, in their order. One that comes again must be the very same."""
    by_sequence: dict[int, bytes] = {}
    for message in messages:
        sequence = orjson.loads(message)["data"]["sequence"]
        assert by_sequence.setdefault(sequence, message) == message, f"change {sequence} was restated"
    assert sorted(by_sequence) == list(range(1, len(by_sequence) + 1)), "a gap in the sequence"
    return [orjson.loads(by_sequence[sequence])["data"] for sequence in sorted(by_sequence)]


def replay(changes: Iterable[Mapping[str, Any]]) -> tuple[Golden, Crosswalk]:
    """Apply each change to what the ones before it made. Every one of them must make sense, and change something."""
    golden: Golden = {}
    crosswalk: Crosswalk = {}
    for change in changes:
        if change["op"] == "erase":
            continue
        for key in change["removed"]:
            del crosswalk[make_ref(**key)]  # it was a member, and is reported gone once
        if change["op"] == "retire":
            del golden[change["golden_id"]]
            continue
        content = {name: change[name] for name in CONTENT}
        assert golden.get(change["golden_id"]) != content, "a message that changes nothing"
        golden[change["golden_id"]] = content
        crosswalk |= {make_ref(**key): change["golden_id"] for key in change["members"]}
    return golden, crosswalk


def newest(changes: Sequence[Mapping[str, Any]], seed: int) -> tuple[Golden, Crosswalk]:
    """Return what a reader ends with that gets the changes shuffled and some twice, and keeps the newest ones."""
    randomness = random.Random(seed)
    arriving = [*changes, *randomness.sample(changes, len(changes) // 3)]
    randomness.shuffle(arriving)
    golden: dict[str, tuple[int, dict[str, Any] | None]] = {}
    crosswalk: dict[str, tuple[int, str | None]] = {}
    for change in arriving:
        if change["op"] == "erase":
            continue
        sequence, golden_id = change["sequence"], change["golden_id"]
        content = None if change["op"] == "retire" else {name: change[name] for name in CONTENT}
        _keep(golden, golden_id, (sequence, content))
        for key in change["removed"]:
            _keep(crosswalk, make_ref(**key), (sequence, None))
        for key in change["members"]:
            _keep(crosswalk, make_ref(**key), (sequence, golden_id))
    return (
        {golden_id: content for golden_id, (_, content) in golden.items() if content is not None},
        {ref: golden_id for ref, (_, golden_id) in crosswalk.items() if golden_id is not None},
    )


def _keep(held: dict[str, Any], key: str, news: tuple[int, Any]) -> None:
    if key not in held or held[key][0] < news[0]:
        held[key] = news
