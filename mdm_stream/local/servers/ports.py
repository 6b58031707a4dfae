"""Ports for servers that are told theirs.

A port that the kernel found free may be gone before the server binds it: any connection of any process, and any server
that asks for some port, gets one of the same range. So these come from below that range, which Linux and macOS take
ports from on their own.
"""

from __future__ import annotations

import secrets
import socket
from contextlib import suppress

LOOPBACK = "127.0.0.1"
_FROM, _TO = 12_000, 32_767
"""Below the range of ``ip_local_port_range`` (Linux: from 32,768; macOS: from 49,152), above what services register."""
_TRIES = 1_000

_given: set[int] = set()


def free_ports(count: int, host: str = LOOPBACK) -> list[int]:
    """Return ports that nothing listens on and that the kernel gives to nothing by itself, all different.

    Raises ``OSError`` where so many are not to be found.
    """
    found: list[int] = []
    for _ in range(_TRIES):
        if len(found) == count:
            return found
        port = _FROM + secrets.randbelow(_TO - _FROM)
        if port not in _given and _is_free(port, host):
            _given.add(port)
            found.append(port)
    raise OSError(f"no {count} free ports between {_FROM} and {_TO}")


def _is_free(port: int, host: str) -> bool:
    with suppress(OSError), socket.socket() as probe:
        probe.bind((host, port))
        return True
    return False
