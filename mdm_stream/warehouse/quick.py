"""Golden changes as the engine publishes them, from bytes to staged rows without models: pure, no I/O.

The models of the contract decide what a message may be. They cost ten times what the databases take for its rows, so
this module knows one form of message, the one that our publisher writes, checks every member of it, and leaves
everything else to the models: another order of members, one left out, an erasure, a report, a steward's override, and
whatever is wrong. So it accepts nothing that the models refuse, and its rows are theirs, byte for byte; both are tested
by random messages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import orjson

from mdm_stream.contracts.golden import RETIRED, UPSERTED, parse_moment
from mdm_stream.core.model import STEWARD_SOURCE
from mdm_stream.errors import MdmError
from mdm_stream.warehouse.quick_rows import DELIMITER, NULL, QuickChange
from mdm_stream.warehouse.redaction import RecordIdentity
from mdm_stream.warehouse.rows import timestamp_text

_ENVELOPE = {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"}
_ENVELOPE_IN_A_WAVE = _ENVELOPE | {"wave"}
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
_KEY = ["source", "record_id"]
_ORIGIN = ["source", "record_id", "version", "event_time", "strategy"]
_BIGINT_MAX = 2**63 - 1
_OP_OF_TYPE = {UPSERTED: "upsert", RETIRED: "retire"}
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_PLAIN_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
_END = DELIMITER.encode()
_NO_CLAIM = DELIMITER.join([""] + [NULL] * 10)
_NO_RECORD = DELIMITER.join([NULL] * 2)


def quick_change(raw: bytes) -> QuickChange | None:
    """Return the golden change in ``raw``; None for a message that the models have to judge. Never raises."""
    try:
        message = orjson.loads(raw)
        if type(message) is not dict or not _is_envelope(message):
            return None
        data = message["data"]
        if type(data) is not dict or data.keys() != _DATA_SET or not _is_change(data):
            return None
        if data["op"] != _OP_OF_TYPE.get(message["type"]):
            return None
        return _change(raw, data)
    except (orjson.JSONDecodeError, MdmError, OverflowError):
        return None


def _is_envelope(message: dict[str, Any]) -> bool:
    if message.keys() != _ENVELOPE and (message.keys() != _ENVELOPE_IN_A_WAVE or not _is_number(message["wave"])):
        return False
    return (
        message["specversion"] == "1.0"
        and message["datacontenttype"] == "application/json"
        and type(message["id"])
        is type(message["source"])
        is type(message["type"])
        is type(message["subject"])
        is type(message["time"])
        is str
    )


def _is_number(value: Any) -> bool:
    return type(value) is int and 1 <= value <= _BIGINT_MAX


def _is_change(data: dict[str, Any]) -> bool:
    epoch, sequence, version, merged_into, anchor = (
        data["epoch"],
        data["sequence"],
        data["rules_version"],
        data["merged_into"],
        data["anchor"],
    )
    return (
        _is_number(epoch)
        and _is_number(sequence)
        and type(version) is int
        and -_BIGINT_MAX <= version <= _BIGINT_MAX
        and type(data["domain"])
        is type(data["golden_id"])
        is type(data["rules_digest"])
        is type(data["committed_at"])
        is str
        and (merged_into is None or type(merged_into) is str)
        and (anchor is None or _are_keys([anchor]))
        and _are_keys(data["members"])
        and _are_keys(data["removed"])
        and _are_values(data["values"])
        and _are_origins(data["provenance"])
    )


def _are_keys(keys: Any) -> bool:
    if type(keys) is not list:
        return False
    for key in keys:
        if type(key) is not dict or [*key] != _KEY:
            return False
        source, record_id = key.values()
        if type(source) is not str or type(record_id) is not str:
            return False
    return True


def _are_values(values: Any) -> bool:
    if type(values) is not dict:
        return False
    for value in values.values():
        if type(value) is str or value is None:
            continue
        if type(value) is not list:
            return False
        for item in value:
            if type(item) is not str:
                return False
    return True


def _are_origins(provenance: Any) -> bool:
    if type(provenance) is not dict:
        return False
    for origins in provenance.values():
        if type(origins) is not list:
            return False
        for origin in origins:
            if type(origin) is not dict or [*origin] != _ORIGIN:
                return False
            source, record_id, version, event_time, strategy = origin.values()
            if not type(source) is type(record_id) is type(event_time) is type(strategy) is str:
                return False
            if source == STEWARD_SOURCE or (type(version) is not int and type(version) is not str):
                return False
    return True


def _change(raw: bytes, data: dict[str, Any]) -> QuickChange | None:
    values, provenance = orjson.dumps(data["values"]), orjson.dumps(data["provenance"])
    begun = orjson.dumps({name: data[name] for name in _DATA[:9]})
    ended = orjson.dumps({name: data[name] for name in _DATA[11:]})
    document = b'%b,"values":%b,"provenance":%b,%b' % (begun[:-1], values, provenance, ended[1:])
    # One byte is looked for much faster than two.
    if (b"\\" in document and b"\\u" in document) or b"\x7f" in document:
        return None  # an escape may be spelt in several ways
    committed_at = parse_moment(data["committed_at"], "data.committed_at")
    is_upsert = data["op"] == "upsert"
    members = {(key["source"], key["record_id"]) for key in data["members"]} if is_upsert else set()
    named = {(origin["source"], origin["record_id"]) for origins in data["provenance"].values() for origin in origins}
    rows = [*_claim_rows(data, members)]
    claims = len(rows)
    start = f"contribution{DELIMITER}{data['domain']}{DELIMITER}{_NO_RECORD}{DELIMITER}{data['golden_id']}{DELIMITER}"
    rows += [f"{start}{source}{DELIMITER}{record_id}{_NO_CLAIM}" for source, record_id in named - members]
    records = frozenset(members | named)
    if _has_control(data, records):
        return None
    fields = _END.join((_change_fields(data, committed_at).encode(), document, values, provenance))
    return QuickChange(raw, data["domain"], b"\n".join((fields, *map(str.encode, rows))), claims, records, committed_at)


def _has_control(data: dict[str, Any], records: frozenset[RecordIdentity]) -> bool:
    """Tell whether a field of a row has a character in it that ends fields or lines."""
    texts = [data["domain"], data["golden_id"], data["merged_into"] or ""]
    if data["anchor"]:
        texts += data["anchor"].values()
    for key in data["removed"]:
        texts += key.values()
    for record in records:
        texts += record
    return _CONTROL.search(" ".join(texts)) is not None


def _change_fields(data: dict[str, Any], committed_at: datetime) -> str:
    """Return the fields of a change before its document."""
    is_upsert, anchor, merged_into, said_at = (
        data["op"] == "upsert",
        data["anchor"],
        data["merged_into"],
        data["committed_at"],
    )
    is_plain = _PLAIN_TIME.fullmatch(said_at) is not None
    return DELIMITER.join(
        (
            "change",
            data["domain"],
            str(data["epoch"]),
            str(data["sequence"]),
            data["golden_id"],
            NULL,
            NULL,
            "live" if is_upsert else "retired",
            NULL if merged_into is None else merged_into,
            NULL if anchor is None else anchor["source"],
            NULL if anchor is None else anchor["record_id"],
            str(len(data["members"])) if is_upsert else "0",
            str(data["rules_version"]),
            f"{said_at[:10]} {said_at[11:26]}" if is_plain else timestamp_text(committed_at),
        )
    )


def _claim_rows(data: dict[str, Any], members: set[RecordIdentity]) -> Iterator[str]:
    """An upsert claims its members; every change releases what it removed. A record in both lists is claimed."""
    begun = DELIMITER.join(("claim", data["domain"], str(data["epoch"]), str(data["sequence"])))
    for source, record_id in {(key["source"], key["record_id"]) for key in data["removed"]} - members:
        yield f"{begun}{DELIMITER}{NULL}{DELIMITER}{source}{DELIMITER}{record_id}{_NO_CLAIM}"
    begun = f"{begun}{DELIMITER}{data['golden_id']}{DELIMITER}"
    for source, record_id in members:
        yield f"{begun}{source}{DELIMITER}{record_id}{_NO_CLAIM}"
