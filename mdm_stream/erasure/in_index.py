"""What each key of an index says of erased records: there is a way to tell for every one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import orjson

from mdm_stream.core.fold import ERASED
from mdm_stream.core.model import make_ref
from mdm_stream.core.record import REVISION_LENGTH, Record
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.erasure.evidence import Evidence
from mdm_stream.erasure.places import Places
from mdm_stream.index.redis.codec import STAMP_LENGTH, decode_block, decode_pair, decode_record, encode_record
from mdm_stream.index.redis.held_items import StoredItem, each_item
from mdm_stream.index.redis.kept import drop_kept
from mdm_stream.index.redis.pages import DIRECTORY, decode_directory, decode_page

INDEX = "index"

_TOMBSTONE_BYTES = len(encode_record(Record("", "0" * REVISION_LENGTH, ERASED, (), (), ())))

NOT_ERASED = "record that is not erased"
NOT_KNOWN = "record that is not known to be erased: a late delivery would bring it back"


def look_into_index(places: Places, domain: str, evidence: Evidence) -> None:
    """Note what every epoch of a domain holds; of an erased record that is nothing but its tombstone.

    An epoch that is being built, or dropped, may lack a tombstone; the live one may not.
    """
    places.index.refresh()
    live = places.index.bind().epoch
    missing = set(evidence.refs)
    for item in each_item(places.client, places.namespace, domain):
        if item.key == "rec" and item.epoch == live:
            missing.discard(item.field)
        judge = _JUDGES.get(item.key[:2] if item.key[:2] in {"e:", "b:"} else item.key)
        if judge is not None:
            judge(item, evidence)
    for _ in missing:
        evidence.theirs(INDEX, NOT_KNOWN)


def drop_kept_epoch(places: Places, rules: Ruleset) -> None:
    """Delete the epoch that is kept for going back to, which nothing can be erased from: it is as it was."""
    drop_kept(places.client, rules, places.namespace)


def _record(item: StoredItem, evidence: Evidence) -> None:
    # Only a short one can be a tombstone: the others need not be decoded.
    erased = len(item.value) <= _TOMBSTONE_BYTES and decode_record(item.field, item.value).state == ERASED
    if erased:
        evidence.tombstones.add(item.field)
    elif item.field in evidence.refs:
        evidence.theirs(INDEX, NOT_ERASED)
    else:
        evidence.others(item.value, [item.field])


def _golden(item: StoredItem, evidence: Evidence) -> None:
    content = orjson.loads(item.value)
    evidence.golden(INDEX, "golden record with a value of theirs", content)
    _note(evidence, "membership", (make_ref(key["source"], key["record_id"]) for key in content["members"]))


def _change(item: StoredItem, evidence: Evidence) -> None:
    content = orjson.loads(item.value)
    if content["op"] == "record":
        evidence.record(INDEX, "source record in the outbox", content)
    else:
        evidence.golden(INDEX, "golden change in the outbox", content)


def _block(item: StoredItem, evidence: Evidence) -> None:
    # The members of a suspended key are in a key of its own.
    if not item.value.endswith(b"suspended"):
        _note(evidence, "blocking key", decode_block(item.value)[1])


def _component(stored: bytes, evidence: Evidence) -> None:
    # The directory of a large component names some of its members; all of them are in its pages.
    members = decode_directory(stored) if stored.startswith(DIRECTORY) else decode_page(stored).members
    _note(evidence, "component", members)


def _note(evidence: Evidence, what: str, refs: Iterable[str]) -> None:
    if not evidence.refs.isdisjoint(refs):
        evidence.theirs(INDEX, what)


_JUDGES: dict[str, Callable[[StoredItem, Evidence], None]] = {
    "rec": _record,
    "gold": _golden,
    "out": _change,
    "block": _block,
    "b:": lambda item, evidence: _note(evidence, "blocking key", [item.field]),
    "of": lambda item, evidence: _note(evidence, "component", [item.field]),
    "comp": lambda item, evidence: _component(item.value[STAMP_LENGTH:], evidence),
    "page": lambda item, evidence: _component(item.value, evidence),
    "e:": lambda item, evidence: _note(evidence, "review edge", [item.key[2:], item.field]),
    "es": lambda item, evidence: _note(evidence, "review edge", [item.field]),
    "xw": lambda item, evidence: _note(evidence, "crosswalk entry", [item.field]),
    "review": lambda item, evidence: _note(evidence, "review item", decode_pair(item.field)),
    "since": lambda item, evidence: _note(evidence, "review item", decode_pair(item.field)),
    "exp": lambda item, evidence: _note(evidence, "expiry of an override", [item.field]),
}
"""By the name of the key (see ``index.redis.index``). ``meta`` and ``pend`` hold no values: numbers, references."""
