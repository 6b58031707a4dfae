"""Which records an event claims to be about that no JSON parser takes: one that was cut off, or is packed. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

import orjson

from mdm_stream.decode import ClaimedIdentity
from mdm_stream.erasure.readings import ASCII, Readings

_TOKEN = re.compile(
    r'"(?P<text>[^"\\]*+(?:\\(?:.|\Z)[^"\\]*+)*+)(?P<end>"|\Z)|(?P<number>-?[0-9]{1,64})|(?P<mark>[{}\[\]:,])',
    re.DOTALL,
)
"""A text that is cut off is a token too, or each quote within it would be tried as the beginning of one."""

_IDENTITY = ("domain", "source", "record_id")
_BEFORE_OBJECT_CHARS = 1_024
"""So much may stand before the first object of a payload: a byte order mark, the head of an envelope."""

CLAIMS_MAX = 100


def claims_in(raw: bytes) -> set[ClaimedIdentity]:
    """Return what the objects in some bytes say that they are about, in whatever reading of the bytes.

    Those alone that name source and record id at their top, as canonical events do. An object need not be complete.
    """
    found: set[ClaimedIdentity] = set()
    for text in Readings(raw, code_pages=ASCII):
        if "record_id" in text and "{" in text[:_BEFORE_OBJECT_CHARS]:
            for claimed in _objects(text):
                found.add(claimed)
                if len(found) > CLAIMS_MAX:
                    return found
        if found:
            break  # the plainest reading that says something
    return found


def _objects(text: str) -> Iterator[ClaimedIdentity]:
    """Yield what each object claims that is in no other one, the last of which may be cut off."""
    depth, name, expects_value = 0, "", False
    members: dict[str, str] = {}
    last = ""
    for token in _TOKEN.finditer(text):
        mark = token["mark"]
        if mark is None:
            if token["end"] == "" or (token["number"] and token.end() == len(text)):
                break  # cut off, so that it may have been longer
            said = token["number"] if token["text"] is None else _read(token["text"])
            if depth == 1 and expects_value and name in _IDENTITY:
                members[name] = said
            last, expects_value = said, False
            continue
        if mark == ":" and depth == 1:
            name, expects_value = last, True
        elif mark in "{[":
            depth, expects_value = depth + 1, False
        elif mark in "}]" and depth:
            depth -= 1
            if not depth:
                yield from _claimed(members)
                members = {}
        elif mark == ",":
            expects_value = False
    yield from _claimed(members)


def _claimed(members: dict[str, str]) -> Iterator[ClaimedIdentity]:
    if "source" in members and "record_id" in members:
        yield ClaimedIdentity(members.get("domain"), members["source"], members["record_id"])


def _read(text: str) -> str:
    try:
        read = orjson.loads(f'"{text}"')
    except orjson.JSONDecodeError:
        return text
    return str(read)
