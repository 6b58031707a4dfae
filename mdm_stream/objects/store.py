"""Named bytes in a folder or an S3 bucket: each object is there whole or not at all, and durable once it is written.

Names are paths with forward slashes (``a/b-1.json``), whatever the store. Objects hold personal values, so folders are
made for their owner alone and S3 objects are encrypted at rest. Every failure of a store is a ``TransientError`` or a
``TerminalError``; neither repeats what an object holds.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from mdm_stream.aws.deadline import Deadline
from mdm_stream.errors import TerminalError

FETCH_AHEAD = 4
"""Objects fetched before they are asked for: hides the round trip, and keeps no more than these in memory."""

_NAME = re.compile(r"(?:[A-Za-z0-9=_][A-Za-z0-9=_.-]*/)*[A-Za-z0-9=_][A-Za-z0-9=_.-]*", re.ASCII)


class MissingObjectError(TerminalError):
    """An object that is not in the store (any more)."""


@dataclass(frozen=True, slots=True, order=True)
class StoredObject:
    """What a listing says of one object."""

    name: str
    size_bytes: int


class ObjectStore(Protocol):
    """Keeps objects by name. What a call has written or removed, every later call sees."""

    def put(self, name: str, content: bytes) -> None:
        """Write an object whole, over one of the same name if there is one; durable on return."""
        ...

    def create(self, name: str, content: bytes) -> bool:
        """Write an object unless the name is taken, and return whether it holds this very content now.

        Of several that create one name at the same time with different contents, exactly one gets True. Creating
        again what is there already gets True, so a call whose answer was lost may be repeated.
        """
        ...

    def get(self, name: str) -> bytes:
        """Return an object's content; ``MissingObjectError`` if there is none."""
        ...

    def delete(self, names: Sequence[str]) -> None:
        """Remove objects for good, older versions of them included; those that are not there are no error."""
        ...

    def purge(self, prefix: str) -> None:
        """Remove all objects whose names begin with ``prefix`` for good, and versions of those that were there once.

        It is for a prefix that other programs write to as well: what they have removed may be left as a version.
        """
        ...

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yield the objects whose names begin with ``prefix``, in name order, without reading further than asked."""
        ...

    def folders(self, prefix: str) -> Iterator[str]:
        """Yield the folders directly in ``prefix`` (``""``, or a name that ends in a slash) that hold objects.

        Each is the whole prefix of its objects, with the slash at its end.
        """
        ...

    def until(self, deadline: Deadline) -> None:
        """Begin no request from now on that might not end by then: ``OutOfTimeError`` instead."""
        ...

    def call_s(self) -> float:
        """Return how long one request may last."""
        ...

    def sweep(self) -> None:
        """Remove what writers that died in the middle of a write left behind; those that live are not disturbed."""
        ...

    def location(self, name: str) -> str:
        """Return where an object lies, for people."""
        ...


def fetch_ahead(store: ObjectStore, names: Iterable[str]) -> Iterator[tuple[str, bytes | MissingObjectError]]:
    """Yield each name with its object's content, in order; for one that is not there, the error itself.

    The next few are fetched meanwhile by threads of their own. Any other failure is raised at its name.
    """
    waiting: deque[tuple[str, Future[bytes]]] = deque()
    remaining = iter(names)
    with ThreadPoolExecutor(max_workers=FETCH_AHEAD) as pool:
        try:
            while True:
                for name in islice(remaining, FETCH_AHEAD - len(waiting)):
                    waiting.append((name, pool.submit(store.get, name)))
                if not waiting:
                    return
                name, future = waiting.popleft()
                try:
                    content: bytes | MissingObjectError = future.result()
                except MissingObjectError as error:
                    content = error
                yield name, content
        finally:
            for _, future in waiting:
                future.cancel()


def checked_name(name: str) -> str:
    """Return the name; ``ValueError`` if it could lead out of the store or hide in it."""
    if not _NAME.fullmatch(name):
        raise ValueError("an object's name is made of letters, digits, = _ . - and single slashes, no dot first")
    return name
