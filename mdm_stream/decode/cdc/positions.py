"""A database log's ordering tokens as one text whose code-point order is the log's order.

Numbers are padded to a fixed width, so text order is number order. The last character ranks what may share a position:
a snapshot's row lies below every change (the snapshot was read there, the change was written there), and the delete
of a key change below the write that comes with it. The tokens of each database and their order are those that its
Debezium connector documents under ``source`` (2.x), and DMS in the metadata of its Kinesis target.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import orjson

from mdm_stream.contracts.change import INTEGER_MAX, VERSION_CHARS_MAX
from mdm_stream.core.model import NO_PLACE, LogPlace
from mdm_stream.core.name_patterns import GTID_SOURCE_PATTERN, LOG_NUMBER_MAX
from mdm_stream.decode.reasons import rejection

Rank = Literal["0", "1", "2"]
SNAPSHOT: Rank = "0"
DELETE: Rank = "1"
WRITE: Rank = "2"

_LOG_CONNECTORS = ("postgresql", "mysql", "mariadb", "sqlserver", "oracle")
_DELETED = " deleted"
_DIGITS = 20
"""Enough for every unsigned number of 64 bits."""
_HEX_DIGITS = 16
_NO_REDO_RECORD = ":".join(["0" * _HEX_DIGITS] * 3)
_LSN = re.compile(r"[0-9a-fA-F]{1,16}(?::[0-9a-fA-F]{1,16}){1,3}")
_BINLOG_NUMBER = re.compile(r"\.(\d{1,20})$", re.ASCII)
_HEX_TOKEN = re.compile(r"(?<![0-9A-Za-z])[0-9a-fA-F]+(?![0-9A-Za-z])")
_GTID_SOURCE = re.compile(f"({GTID_SOURCE_PATTERN})[:-]", re.ASCII)
"""MySQL writes source, tag if there is one, and number with colons; MariaDB domain, server and number with hyphens."""
_RS_ID = re.compile(r"\s*0x([0-9a-fA-F]{1,16})\.([0-9a-fA-F]{1,16})\.([0-9a-fA-F]{1,16})\s*", re.ASCII)
_LCR_POSITION = re.compile(r"[0-9a-fA-F]{1,100}", re.ASCII)
_NANOSECONDS = (("ts_ns", 1), ("ts_us", 1_000), ("ts_ms", 1_000_000))


def debezium_position(source: Mapping[str, Any], rank: Rank) -> str:
    """Return the position in a Debezium ``source`` block; ``RejectedEventError`` (``no_position``) if there is none.

    A connector that sends no log position is ordered by the finest time that it sends, MongoDB's by the time of the
    oplog, in which a second's changes are counted (``ord``). One that should send a
    position and did not is refused: a time among positions would order the record wrongly for ever.
    """
    if source.get("lsn") is not None or source.get("sequence") is not None:
        tokens = _postgres(source)
    elif source.get("file") is not None:
        tokens = _mysql(source)
    elif source.get("commit_lsn") is not None:
        tokens = _sql_server(source)
    elif source.get("scn") is not None or source.get("commit_scn") is not None:
        tokens = _oracle(source)
    elif source.get("connector") in _LOG_CONNECTORS:
        raise rejection("no_position", "source", "lacks the log position that its connector sends with every change")
    elif source.get("ord") is not None:
        tokens = (_time(source), _number(source["ord"], "source.ord"))
    else:
        tokens = (_time(source),)
    return ".".join((*tokens, rank))


def log_place(source: Mapping[str, Any]) -> LogPlace:
    """Return which log a Debezium ``source`` block, or a row of Maxwell's, says that a change was written to.

    Nothing of a snapshot's row, which MySQL's connector gives the server 0; nothing of what has another form.
    """
    server, gtid, timeline = source.get("server_id"), source.get("gtid"), source.get("timeline")
    if server is None and gtid is None and timeline is None:
        return NO_PLACE
    found = _GTID_SOURCE.match(gtid) if isinstance(gtid, str) else None
    return LogPlace(log_number(server), found[1].lower() if found else "", log_number(timeline))


def log_number(value: object) -> str:
    """Return the number of a server or timeline as text; nothing for 0, which names none."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= LOG_NUMBER_MAX:
        return str(value)
    return ""


def dms_position(metadata: Mapping[str, Any], rank: Rank) -> str:
    """Return the position of a DMS change: its stream position, then its place in the transaction.

    Each run of hexadecimal (so also of decimal) digits in the stream position is padded; names in it stay. A full
    load's rows are ordered by ``dms_load_position``.
    """
    position = metadata.get("stream-position")
    if not isinstance(position, str) or not position:
        raise rejection(
            "no_position",
            "metadata.stream-position",
            "is required to order changes; set IncludeTransactionDetails to true in the task's Kinesis settings",
        )
    if len(position) > VERSION_CHARS_MAX:  # padding only lengthens it
        raise rejection("wrong_format", "metadata.stream-position", "is longer than a version may be")
    padded = _HEX_TOKEN.sub(lambda token: token[0].lower().zfill(_DIGITS), position)
    number = metadata.get("transaction-record-id")
    within = _number(number if number is not None else 0, "metadata.transaction-record-id")
    version = f"1.{padded}.{within}.{rank}"
    if len(version) > VERSION_CHARS_MAX or not version.isprintable():
        raise rejection("wrong_format", "metadata.stream-position", "is no stream position of a form that DMS writes")
    return version


def dms_load_position(time_us: int) -> str:
    """Return the version of a full load's row: below every change, a later load above an earlier one."""
    return f"0.{max(time_us, 0):0{_DIGITS}d}"


def column_position(value: object, path: str, *, deleted: bool) -> str:
    """Return the version of a row that a column of its own orders, such as a row version or a change time.

    A deleted row still shows the version of its last write, so its deletion is put just above that.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        text = f"{value + INTEGER_MAX + 1:0{_DIGITS}d}"
    elif isinstance(value, str) and value and value.isprintable():
        text = value
    elif value is None:
        raise rejection(
            "no_position",
            path,
            "is required, because the rules order this source by that column; for deletes the database must log whole "
            "rows (in PostgreSQL: REPLICA IDENTITY FULL)",
        )
    else:
        raise rejection("wrong_type", path, "must be an integer or a printable text, because it orders this source")
    version = f"{text}{_DELETED}" if deleted else text
    if len(version) > VERSION_CHARS_MAX:
        raise rejection("too_long", path, "is longer than a version may be")
    return version


def number_in_position(text: str) -> int | None:
    """Return the integer that ``column_position`` made a text of, ``None`` if it made none of it."""
    digits = text.removesuffix(_DELETED)
    if len(digits) != _DIGITS or not (digits.isascii() and digits.isdigit()):
        return None
    return int(digits) - INTEGER_MAX - 1


def _postgres(source: Mapping[str, Any]) -> tuple[str, ...]:
    """Order by the last commit before this transaction, then by the record: WAL records of transactions interleave.

    ``sequence`` is JSON text of those two. Old connectors do not send it, and new ones not before the first commit:
    the record's own position then stands for both, and lies above every commit before it and below every one after it.
    """
    pair = source.get("sequence")
    if isinstance(pair, str):
        try:
            pair = orjson.loads(pair)
        except orjson.JSONDecodeError:
            raise rejection("wrong_format", "source.sequence", "is not the JSON text of a list") from None
    if pair is not None and not (isinstance(pair, list) and len(pair) == 2):
        raise rejection("wrong_format", "source.sequence", "must be a list of two log positions")
    committed, current = pair or (None, None)
    own = source.get("lsn")
    lsn = _number(own if own is not None else current, "source.lsn")
    return (lsn if committed is None else _number(committed, "source.sequence")), lsn


def _mysql(source: Mapping[str, Any]) -> tuple[str, ...]:
    """Order by the binlog file's number, the position in it, and the row in the event there."""
    name = source["file"]
    number = _BINLOG_NUMBER.search(name) if isinstance(name, str) else None
    if number is None:
        raise rejection("no_position", "source.file", "is no name of a binlog file, which ends in a dot and a number")
    row = source.get("row")
    return (
        number[1].zfill(_DIGITS),
        _number(source.get("pos"), "source.pos"),
        _number(row if row is not None else 0, "source.row"),
    )


def _sql_server(source: Mapping[str, Any]) -> tuple[str, ...]:
    """Order by commit, change and the event's number in the change; a snapshot's row has only the first."""
    serial = source.get("event_serial_no")
    return (
        _lsn(source["commit_lsn"], "source.commit_lsn"),
        _lsn(source.get("change_lsn") or "0:0:0", "source.change_lsn"),
        _number(serial if serial is not None else 0, "source.event_serial_no"),
    )


def _oracle(source: Mapping[str, Any]) -> tuple[str, ...]:
    """Order by commit, change, redo record and statement: many changes of a transaction share the first two.

    A snapshot's row has no commit: its own SCN lies below every later one. XStream names no redo record, but the
    position of its logical change record, whose bytes are in order.
    """
    own, committed, statement = source.get("scn"), source.get("commit_scn"), source.get("ssn")
    return (
        _number(committed if committed is not None else own, "source.commit_scn"),
        _number(own if own is not None else 0, "source.scn"),
        _redo_record(source),
        _number(statement if statement is not None else 0, "source.ssn"),
    )


def _redo_record(source: Mapping[str, Any]) -> str:
    """Return a token that orders the changes of one SCN: all digits 0 where the change does not say it.

    An empty text says as little as none: so connectors write what LogMiner leaves empty.
    """
    record, position = source.get("rs_id"), source.get("lcr_position")
    if record is not None and record != "":
        parts = _RS_ID.fullmatch(record) if isinstance(record, str) else None
        if parts is None:
            raise rejection("wrong_format", "source.rs_id", "is no redo record such as 0x000010.00000020.0010")
        return ":".join(part.lower().zfill(_HEX_DIGITS) for part in parts.groups())
    if position is None or position == "":
        return _NO_REDO_RECORD
    if not isinstance(position, str) or _LCR_POSITION.fullmatch(position) is None:
        raise rejection("wrong_format", "source.lcr_position", "must be the hexadecimal digits of a position")
    return position.lower()


def _time(source: Mapping[str, Any]) -> str:
    for name, nanoseconds in _NANOSECONDS:
        time = source.get(name)
        if isinstance(time, int) and not isinstance(time, bool) and time >= 0:
            return str(time * nanoseconds).zfill(_DIGITS)
    raise rejection("no_position", "source", "has neither a log position nor a time to order the change by")


def _lsn(value: object, path: str) -> str:
    if not isinstance(value, str) or _LSN.fullmatch(value) is None:
        raise rejection("wrong_format", path, "must be hexadecimal numbers joined by colons")
    return ":".join(part.lower().zfill(_HEX_DIGITS) for part in value.split(":"))


def _number(value: object, path: str) -> str:
    """Return a number (Debezium writes some as text) at full width."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return str(value).zfill(_DIGITS)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _DIGITS:
        return value.zfill(_DIGITS)
    if value is None:
        raise rejection("no_position", path, "is required to order the change")
    raise rejection("wrong_format", path, "must be a number from 0 on")
