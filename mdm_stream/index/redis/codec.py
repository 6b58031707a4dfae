"""How records, REVIEW edges and blocks are written in an index: compact, and the same bytes for the same thing.

A record is its revision (16 characters) followed by JSON. Components are in :mod:`mdm_stream.index.redis.pages`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from mdm_stream.core.cluster.edges import Edge
from mdm_stream.core.fold import state_from_wire, state_to_wire
from mdm_stream.core.model import MISSING, Standardised
from mdm_stream.core.plan.commit import HeldReview
from mdm_stream.core.record import REVISION_LENGTH, Record, StandingOverride

STAMP_LENGTH = 16
"""Digits of a stamp, zero-padded, so that it can be cut off the front of what is stored."""

_SEPARATOR = "\x1f"
"""Stands between references and revisions of a block: neither can hold a control character."""


def encode_record(record: Record) -> bytes:
    """Return the stored form of a record."""
    body: list[object] = [state_to_wire(record.state), [_value_to_wire(value) for value in record.values], record.keys]
    overrides = [[o.attribute, _value_to_wire(o.value), o.by] for o in record.overrides]
    # What is compared beside an attribute's own value, which few records have.
    also = [[at, match] for at, match in enumerate(record.match) if match != record.values[at].match]
    if overrides or also:
        body.append(overrides)
    if also:
        body.append(also)
    return record.revision.encode() + orjson.dumps(body, option=orjson.OPT_SORT_KEYS)


def decode_record(ref: str, stored: bytes) -> Record:
    """Return a record of its stored form."""
    state, values, keys, *rest = orjson.loads(stored[REVISION_LENGTH:])
    overrides, also = (*rest, [], [])[:2]
    standardised = tuple(map(_value_from_wire, values))
    match = [value.match for value in standardised]
    for at, compared in also:
        match[at] = _frozen(compared)
    return Record(
        ref,
        stored[:REVISION_LENGTH].decode(),
        state_from_wire(state),
        standardised,
        tuple(match),
        tuple(keys),
        tuple(StandingOverride(at, _value_from_wire(value), by) for at, value, by in overrides),
    )


def _value_to_wire(value: Standardised) -> object:
    if value.value is None:
        return None
    if value.valid and isinstance(value.value, str) and value.value == value.match:
        return value.value
    if value.invalid:
        return [value.value, value.match, 1, value.invalid]
    return [value.value, value.match, int(value.valid)]


def _value_from_wire(wire: Any) -> Standardised:
    if wire is None:
        return MISSING
    if isinstance(wire, str):
        return Standardised(wire, wire)
    value, match, valid, *invalid = wire
    return Standardised(_frozen(value), _frozen(match), bool(valid), tuple(invalid[0]) if invalid else ())


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def encode_review(review: HeldReview) -> bytes:
    """Return the stored form of a REVIEW edge."""
    edge = review.edge
    kept_by = 2 * review.by_a + review.by_b
    return orjson.dumps([edge.a, edge.b, edge.weight, edge.confidence, edge.rule, edge.levels, kept_by])


def decode_review(stored: bytes) -> HeldReview:
    """Return a REVIEW edge of its stored form."""
    a, b, weight, confidence, rule, levels, kept_by = orjson.loads(stored)
    edge = Edge(a, b, link=False, weight=weight, confidence=confidence, rule=rule, levels=levels)
    return HeldReview(edge, bool(kept_by & 2), bool(kept_by & 1))


def encode_block(members: Mapping[str, str]) -> str:
    """Return the stored form of an open block's members, without its stamp."""
    return _SEPARATOR.join([text for member in members.items() for text in member])


def decode_block(stored: bytes) -> tuple[str, dict[str, str]]:
    """Return the stamp and the members of an open block."""
    text = stored.decode()
    texts = text[STAMP_LENGTH:].split(_SEPARATOR)
    return text[:STAMP_LENGTH], dict(zip(texts[::2], texts[1::2], strict=True))


def encode_pair(a: str, b: str) -> str:
    """Return a pair of references as one field name: a JSON list, so that no reference can break it."""
    return orjson.dumps([a, b]).decode()


def decode_pair(text: str | bytes) -> tuple[str, str]:
    """Return the pair of a field name."""
    a, b = orjson.loads(text)
    return a, b
