"""Golden changes as the engine publishes them, from bytes to staged rows without models: pure, no I/O.

The models of the contract decide what a message may be. They cost ten times what the databases take for its rows, so
this module knows one form of message, the one that our publisher writes, checks every member of it, and leaves
everything else to the models: another order of members, one left out, an erasure, a report, a steward's override, and
whatever is wrong. So it accepts nothing that the models refuse, and its rows are theirs, byte for byte; both are tested
by random messages.

What a message has many of, origins and values, is checked a kind at a time in calls that loop in C: a Python loop over
the members of each origin took as long as parsing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from itertools import chain
from operator import itemgetter
from types import NoneType
from typing import Any

import orjson

from mdm_stream.contracts.golden import RETIRED, UPSERTED, parse_moment
from mdm_stream.core.model import STEWARD_SOURCE
from mdm_stream.errors import MdmError
from mdm_stream.warehouse.quick_rows import DELIMITER, NULL, QuickChange
from mdm_stream.warehouse.redaction import RecordIdentity
from mdm_stream.warehouse.rows import timestamp_text

_ENVELOPE = {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"}
_DATA = (
    "domain",
    "epoch",
    "sequence",
    "op",
    "golden_id",
    "members",
    "removed",
    "merged_into",
    "anchor",
    "values",
    "provenance",
    "rules_version",
    "rules_digest",
    "committed_at",
)
_DATA_SET = set(_DATA)
_said_in = itemgetter(*_DATA)
_TYPES = {
    (str, int, int, str, str, list, list, merged_into, anchor, dict, dict, int, str, str)
    for merged_into in (str, NoneType)
    for anchor in (dict, NoneType)
}
"""What the members of the data may be, in the order of ``_DATA``."""
_envelope_texts = itemgetter("id", "source", "type", "subject", "time")
_KEY = ("source", "record_id")
_ORIGIN = ["source", "record_id", "version", "event_time", "strategy"]
_ORIGIN_TYPES = ([str, str, int, str, str], [str, str, str, str, str])
_identity_of = itemgetter(*_KEY)
_BIGINT_MAX = 2**63 - 1
_OP_OF_TYPE = {UPSERTED: "upsert", RETIRED: "retire"}
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_PLAIN_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
_NO_CLAIM = DELIMITER.join([""] + [NULL] * 10)
_NO_RECORD = DELIMITER.join([NULL] * 2)
_TEXT_ONLY = {str}
_TEXT_OR_NONE = {str, NoneType}
_DICT_ONLY = {dict}
_LIST_ONLY = {list}


def quick_change(raw: bytes) -> QuickChange | None:
    """Return the golden change in ``raw``; None for a message that the models have to judge. Never raises."""
    try:
        message = orjson.loads(raw)
        if type(message) is not dict or message.keys() != _ENVELOPE or not _is_envelope(message):
            return None
        data = message["data"]
        if type(data) is not dict or data.keys() != _DATA_SET:
            return None
        said = _said_in(data)
        if not _is_change(said) or said[3] != _OP_OF_TYPE.get(message["type"]):
            return None
        return _change(raw, said)
    except (orjson.JSONDecodeError, MdmError, OverflowError):
        return None


def _is_envelope(message: dict[str, Any]) -> bool:
    return (
        message["specversion"] == "1.0"
        and message["datacontenttype"] == "application/json"
        and {*map(type, _envelope_texts(message))} == _TEXT_ONLY
    )


def _is_change(said: tuple[Any, ...]) -> bool:
    if (*map(type, said),) not in _TYPES:
        return False
    _, epoch, sequence, _, _, members, removed, _, anchor, values, provenance, version, _, _ = said
    return (
        1 <= epoch <= _BIGINT_MAX
        and 1 <= sequence <= _BIGINT_MAX
        and -_BIGINT_MAX <= version <= _BIGINT_MAX
        and _are_keys(members)
        and (not removed or _are_keys(removed))
        and (anchor is None or _are_keys([anchor]))
        and _are_values(values)
        and _are_origins(provenance)
    )


def _are_keys(keys: list[Any]) -> bool:
    for key in keys:
        if type(key) is not dict or (*key,) != _KEY:
            return False
        source, record_id = key.values()
        if type(source) is not str or type(record_id) is not str:
            return False
    return True


def _are_values(values: dict[str, Any]) -> bool:
    kinds = {*map(type, values.values())}
    if kinds <= _TEXT_OR_NONE:
        return True
    if not kinds <= {str, NoneType, list}:
        return False
    items = chain.from_iterable(value for value in values.values() if type(value) is list)
    return {*map(type, items)} <= _TEXT_ONLY


def _are_origins(provenance: dict[str, Any]) -> bool:
    if not {*map(type, provenance.values())} <= _LIST_ONLY:
        return False
    origins = [*chain.from_iterable(provenance.values())]
    if not {*map(type, origins)} <= _DICT_ONLY:
        return False
    # No dict has a name twice, so none has more than five, and five for each one means five in each one.
    if [*chain.from_iterable(origins)] != _ORIGIN * len(origins):
        return False
    types = [*map(type, chain.from_iterable(map(dict.values, origins)))]
    return any(types == of_one * len(origins) for of_one in _ORIGIN_TYPES) or all(
        types[start : start + len(_ORIGIN)] in _ORIGIN_TYPES for start in range(0, len(types), len(_ORIGIN))
    )


def _change(raw: bytes, said: tuple[Any, ...]) -> QuickChange | None:
    domain, epoch, sequence, op, golden_id, members, removed, _, _, _, provenance, _, _, said_at = said
    values, origins = orjson.dumps(said[9]), orjson.dumps(provenance)
    begun = orjson.dumps(dict(zip(_DATA[:9], said[:9], strict=True)))
    ended = orjson.dumps(dict(zip(_DATA[11:], said[11:], strict=True)))
    document = b'%b,"values":%b,"provenance":%b,%b' % (begun[:-1], values, origins, ended[1:])
    if (b"\\" in document and b"\\u" in document) or b"\x7f" in document:
        return None  # an escape may be spelt in several ways
    named = {*map(_identity_of, chain.from_iterable(provenance.values()))}
    if any(source == STEWARD_SOURCE for source, _ in named):
        return None
    committed_at = parse_moment(said_at, "data.committed_at")
    claimed = {*map(_identity_of, members)} if op == "upsert" else set()
    released = {*map(_identity_of, removed)} - claimed if removed else set()
    if _has_control(said, chain(named, claimed, released)):
        return None
    claim = f"claim{DELIMITER}{domain}{DELIMITER}{epoch}{DELIMITER}{sequence}{DELIMITER}"
    rows = [*_rows(f"{claim}{NULL}", released), *_rows(f"{claim}{golden_id}", claimed)]
    claims = len(rows)
    if others := named - claimed:
        rows += _rows(f"contribution{DELIMITER}{domain}{DELIMITER}{_NO_RECORD}{DELIMITER}{golden_id}", others)
    fields = (_change_fields(said, committed_at).encode(), document, values, origins)
    written = b"\n".join((DELIMITER.encode().join(fields), *map(str.encode, rows)))
    return QuickChange(raw, domain, written, claims, frozenset(claimed | named), committed_at)


def _has_control(said: tuple[Any, ...], records: Iterator[RecordIdentity]) -> bool:
    """Tell whether a field of a row has a character in it that ends fields or lines."""
    domain, _, _, _, golden_id, _, _, merged_into, anchor, *_ = said
    anchored = (*anchor.values(),) if anchor else ()
    text = "".join((domain, golden_id, merged_into or "", *anchored, *chain.from_iterable(records)))
    return not (text.isascii() and text.isprintable()) and _CONTROL.search(text) is not None


def _change_fields(said: tuple[Any, ...], committed_at: datetime) -> str:
    """Return the fields of a change before its document."""
    domain, epoch, sequence, op, golden_id, members, _, merged_into, anchor, _, _, version, _, said_at = said
    is_upsert = op == "upsert"
    source, record_id = (NULL, NULL) if anchor is None else anchor.values()
    is_plain = _PLAIN_TIME.fullmatch(said_at) is not None
    return DELIMITER.join(
        (
            "change",
            domain,
            str(epoch),
            str(sequence),
            golden_id,
            NULL,
            NULL,
            "live" if is_upsert else "retired",
            NULL if merged_into is None else merged_into,
            source,
            record_id,
            str(len(members)) if is_upsert else "0",
            str(version),
            f"{said_at[:10]} {said_at[11:26]}" if is_plain else timestamp_text(committed_at),
        )
    )


def _rows(begun: str, records: set[RecordIdentity]) -> Iterator[str]:
    """An upsert claims its members; every change releases what it removed. A record in both lists is claimed."""
    for source, record_id in records:
        yield f"{begun}{DELIMITER}{source}{DELIMITER}{record_id}{_NO_CLAIM}"
