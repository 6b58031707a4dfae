"""What may be said of an error of Redis: its replies repeat arguments, which are values of records."""

from __future__ import annotations

import re

from redis.exceptions import ResponseError

_COMMAND = re.compile(r"(?:unknown command|permissions to run the) '([a-z_.|-]{1,40})'", re.ASCII | re.IGNORECASE)
_CONNECTING = re.compile(r"(?:Error -?\d+ )?connecting to \S+ [A-Za-z ,-]{1,80}\.?", re.ASCII | re.IGNORECASE)
_TLS = re.compile(r"\[SSL: [A-Z0-9_]{1,60}\] [a-z ]{1,60}(?:: [A-Za-z -]{1,60})?", re.ASCII)
_CODE = re.compile(r"[A-Z]{2,20}(?= |$)", re.ASCII)


def said_by_redis(error: Exception) -> str:
    """Return type and code of an error, the address or the command that it names, and why a certificate was refused.

    Nothing else of its text.
    """
    text = str(error)
    told = [type(error).__name__]
    if connecting := _CONNECTING.fullmatch(text):
        told.append(connecting[0])
    elif not isinstance(error, ResponseError) and (refused := _TLS.search(text)):
        told.append(refused[0])
    elif code := _CODE.match(text):
        told.append(code[0])
    if command := _COMMAND.search(text):
        told.append(f"the command is {command[1]}")
    return ", ".join(told)
