"""A reader of Parquet that was taken over, or that fails: it does what the file on its standard input says."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time

import orjson

from mdm_stream.parquet import child
from mdm_stream.parquet.frames import END, FAULT, HEAD, READY, ROWS, SCHEMA


def send(kind: bytes, content: bytes, size: int | None = None) -> None:
    """Say something, of a length that need not be its own."""
    os.write(1, HEAD.pack(kind, len(content) if size is None else size) + content)


def main() -> None:
    """Do what the file says: ``WHEN WHAT``."""
    child._ends_with(int(sys.argv[1]))
    when, _, what = os.read(0, 1_000).removeprefix(b"PAR1\x15").split(b"\n")[0].decode().partition(" ")
    if when == "first":
        sys.exit(int(what))
    send(READY, b"")
    if when == "schema":
        act(what, SCHEMA)
    send(SCHEMA, b'[["a",true],["b",true]]')
    send(ROWS, b'[["1"],["2"]]')
    act(what)
    send(END, b"")


def act(what: str, kind: bytes = ROWS) -> None:
    """Misbehave."""
    frames = {
        "giant": (ROWS, b"", 2**32 - 1), "unknown": (b"?", b""), "pickle": (ROWS, b"\x80\x04N."),
        "text": (ROWS, b'"a"'),
        "narrow": (ROWS, b'[["1"]]'), "ragged": (ROWS, b'[["1"],["2","3"]]'), "number": (ROWS, b'[["1"],[2]]'),
        "empty": (ROWS, b"[[],[]]"), "kind": (ROWS, b'[["1"],[["odd","x"]]]'), "early": (READY, b""),
        "nested": (ROWS, b'[["1"],[[[],"x"]]]'),
        "columns": (SCHEMA, b'[["a",1]]'), "code": (FAULT, b'["columns","x"]'),
        "speech": (FAULT, b'["broken_file","\xc3\xa9"]'),
        "deep": (ROWS, b"[" * 100_000), "many": (ROWS, orjson.dumps([["1"] * 1_025, ["2"] * 1_025])),
    }  # fmt: skip
    if what in frames:
        send(*frames[what])
        time.sleep(60)
    elif what == "abort":
        os.abort()
    elif what == "crash":
        ctypes.string_at(0)
    elif what == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "short":
        os.write(1, HEAD.pack(kind, 100) + b"[[")
        os._exit(0)
    elif what == "hang":
        time.sleep(600)
    elif what == "drip":
        while True:
            send(ROWS, b'[["1"],["2"]]')
            time.sleep(0.1)
    elif what == "environment":
        send(SCHEMA, orjson.dumps([[name, True] for name in os.environ]))
        send(END, b"")


if __name__ == "__main__":
    main()
