"""A batch's body cut into the very bytes of its events: a number is judged as it was written, a name that occurs twice
as the consumer would read it.
"""

from __future__ import annotations

import json
import re

import orjson

from mdm_stream.decode.json_object import parse_object
from mdm_stream.errors import RejectedEventError
from producers.events_api.problems import ProblemError, rejected

_BYTE_ORDER_MARK = "\ufeff"
_BEGIN = re.compile(r'\s*\{\s*"events"\s*:\s*\[\s*')
_BETWEEN = re.compile(r"\s*(,|\])\s*")
_END = re.compile(r"\s*\}\s*")
_FORM = 'the body is {"events": [EVENT, ...]}, and has no other member'


def events_of(body: bytes, events_max: int) -> list[bytes]:
    """Return the bytes of each event of a batch; ``ProblemError`` if the body is none, or holds too many."""
    _require_json(body)
    text = body.decode().removeprefix(_BYTE_ORDER_MARK)
    begin = _BEGIN.match(text)
    if begin is None:
        raise ProblemError("malformed_body", _FORM)
    scan = json.JSONDecoder(parse_int=str, parse_float=str).raw_decode
    events: list[bytes] = []
    at = begin.end()
    while True:
        if len(events) == events_max:
            raise ProblemError("too_large", f"a batch has at most {events_max:,} events; send several")
        try:
            _, end = scan(text, at)
        except (json.JSONDecodeError, RecursionError):
            raise ProblemError("malformed_body", _FORM if not events else "an event of the batch is no JSON") from None
        events.append(text[at:end].encode())
        after = _BETWEEN.match(text, end)
        if after is None:
            raise ProblemError("malformed_body", _FORM)
        if after[1] == "]":
            if _END.fullmatch(text, after.end()) is None:
                raise ProblemError("malformed_body", _FORM)
            return events
        at = after.end()


def _require_json(body: bytes) -> None:
    """Refuse what is no JSON, for the reason for which an event that is none is refused."""
    try:
        orjson.loads(body.removeprefix(_BYTE_ORDER_MARK.encode()))
    except orjson.JSONDecodeError:
        try:
            parse_object(body)
        except RejectedEventError as error:
            raise rejected(error.reasons) from None
        raise ProblemError("malformed_body", "the body is no JSON") from None
