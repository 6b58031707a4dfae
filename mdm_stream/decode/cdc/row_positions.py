"""Positions of what DynamoDB, Maxwell and Aurora DSQL send, in the form of ``mdm_stream.decode.cdc.positions``.

Numbers have a fixed width, so text order is number order; the last character ranks what may share the rest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from mdm_stream.decode.cdc.positions import Rank
from mdm_stream.decode.reasons import rejection

ItemOp = Literal["INSERT", "MODIFY", "REMOVE"]

_DIGITS = 20
_SEQUENCE_DIGITS = 40
"""DynamoDB's documentation bounds a sequence number to 40 characters."""
_BINLOG_POSITION = re.compile(r"[^:]{0,200}\.([0-9]{1,20}):([0-9]{1,20})(?:\[[0-9]{1,20}\])?", re.ASCII)
_LAST = "9" * _DIGITS
_RANK_OF_ITEM_OP = {"INSERT": "0", "MODIFY": "1", "REMOVE": "2"}
_NANOSECONDS = (("ts_ns", 1), ("ts_us", 1_000), ("ts_ms", 1_000_000))


def dynamodb_position(change: Mapping[str, Any], created_us: int | None, op: ItemOp) -> str:
    """Return the position of a change of an item: its sequence number on a DynamoDB stream, else when it was made.

    By way of Kinesis a change has no sequence number, and arrives in any order. Of two that were made in one
    microsecond (or millisecond) a modification follows an insert, and a removal follows both: a modified item was there
    before. An item that was removed and inserted again within that time therefore counts as removed.
    """
    sequence = change.get("SequenceNumber")
    if sequence is not None:
        if not (isinstance(sequence, str) and sequence.isascii() and sequence.isdigit()):
            raise rejection("wrong_format", "dynamodb.SequenceNumber", "must be a text of digits")
        if len(sequence) > _SEQUENCE_DIGITS:
            raise rejection("wrong_format", "dynamodb.SequenceNumber", f"has more than {_SEQUENCE_DIGITS} digits")
        return f"{sequence:0>{_SEQUENCE_DIGITS}}.{_RANK_OF_ITEM_OP[op]}"
    if created_us is None or created_us < 0:
        path = "dynamodb.ApproximateCreationDateTime"
        raise rejection("no_position", path, "is required to order the change, which has no SequenceNumber either")
    return f"{created_us:0{_DIGITS}d}.{_RANK_OF_ITEM_OP[op]}"


def maxwell_position(row: Mapping[str, Any], rank: Rank) -> str:
    """Return the position of a row that Maxwell read: that of the binlog if it says so, else its ``xid``.

    Rows of a transaction share both and are ordered by ``xoffset``, which the last one does not have: it says
    ``commit``. Positions count above ``xid`` alone, so that ``output_binlog_position`` may be turned on.
    """
    path, xid, offset = "position", row.get("xid"), row.get("xoffset")
    within = _LAST if row.get("commit") is True and offset is None else _number(offset or 0, "xoffset")
    position = row.get("position")
    if position is not None:
        match = _BINLOG_POSITION.fullmatch(position) if isinstance(position, str) else None
        if match is None:
            raise rejection("wrong_format", path, "is no position of a binlog, such as master.000006:800911")
        return f"2.{match[1]:0>{_DIGITS}}.{match[2]:0>{_DIGITS}}.{within}.{rank}"
    if xid is None:
        advice = "or xid is required to order the change; set output_xoffset and output_binlog_position for Maxwell"
        raise rejection("no_position", path, advice)
    return f"1.{_number(xid, 'xid')}.{within}.{rank}"


def dsql_position(source: Mapping[str, Any], rank: Rank) -> str:
    """Return the position of an Aurora DSQL change: when it was committed, in the finest unit that it names.

    A transaction sends one record for each row that it changed, so nothing else is needed within one.
    """
    for name, nanoseconds in _NANOSECONDS:
        time = source.get(name)
        if isinstance(time, int) and not isinstance(time, bool) and time >= 0:
            return f"{time * nanoseconds:0{_DIGITS}d}.{rank}"
    raise rejection("no_position", "source.ts_ns", "is required to order the change")


def _number(value: object, path: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return f"{value:0{_DIGITS}d}"
    raise rejection("wrong_format", path, "must be a number from 0 on")
