"""What may be said of an error of Redis: its replies repeat arguments, which are values of records."""

from __future__ import annotations

import re

_COMMAND = re.compile(r"(?:unknown command|permissions to run the) '([a-z_.|-]{1,40})'", re.ASCII | re.IGNORECASE)
_CONNECTING = re.compile(r"(?:Error -?\d+ )?connecting to \S+ [A-Za-z ,-]{1,80}\.?", re.ASCII | re.IGNORECASE)
_CODE = re.compile(r"[A-Z]{2,20}(?= |$)", re.ASCII)


def said_by_redis(error: Exception) -> str:
    """Return type and code of an error, and the address or the command that it names; nothing else of its text."""
    text = str(error)
    told = [type(error).__name__]
    if connecting := _CONNECTING.fullmatch(text):
        told.append(connecting[0])
    elif code := _CODE.match(text):
        told.append(code[0])
    if command := _COMMAND.search(text):
        told.append(f"the command is {command[1]}")
    return ", ".join(told)
