"""The places where values of a record may be: everything that an erasure removes from and a search looks into."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

import redis

from mdm_stream.archive import Archive
from mdm_stream.aws.read_shards import StreamReader
from mdm_stream.dead_letters import DeadLetters
from mdm_stream.decode import Decoder
from mdm_stream.feed.claims import ClaimStore
from mdm_stream.feed.snapshot_store import FeedSnapshots
from mdm_stream.index.port import Outbox
from mdm_stream.index.reader import IndexReader
from mdm_stream.objects.store import ObjectStore
from mdm_stream.warehouse import Warehouse


class OwnMachine(Protocol):
    """What can be done where all stores are files of this machine, and nowhere else. Raises what servers meet."""

    def consumers_are_past(self, time_us: int) -> bool:
        """Tell whether every consumer has done all that arrived on its stream until then."""
        ...

    def trim_streams(self) -> int:
        """Forget what every consumer of a stream has done, on the disk too; return how many records that were."""
        ...

    def rewrite_index_file(self) -> None:
        """Write the file anew in which Redis keeps its writes, with what Redis holds now."""
        ...

    def files_with(self, texts: Collection[str]) -> list[str]:
        """Return the names of those files beside the stores (the servers' own, logs) that hold one of the texts."""
        ...


@dataclass(frozen=True, slots=True)
class Places:
    """All stores of one domain, and a decoder by all rules in use: the streams carry other domains too.

    ``index`` and ``outbox`` are what can be read of the index, and what in it waits to be published.
    ``open_warehouse`` is called with whether it will be written to; it returns ``None`` where there is none (yet), and
    what it returns is closed after use. ``tell`` puts events on the steward stream, and returns once they are there.
    ``claims`` has the data of golden changes that were too large for the feed. ``own_machine`` is ``None`` on AWS.
    ``receipts`` is the store that the archive is in. ``loads`` is that of the loads of files, ``None`` where there is
    no gatekeeper of files. ``snapshots`` are those of the golden feed, ``None`` where none are taken.
    """

    decoder: Decoder
    client: redis.Redis
    namespace: str
    index: IndexReader
    outbox: Outbox
    changes: StreamReader
    steward: StreamReader
    golden: StreamReader
    archive: Archive
    claims: ClaimStore
    receipts: ObjectStore
    letters: Sequence[DeadLetters]
    open_warehouse: Callable[[bool], Warehouse | None]
    tell: Callable[[Sequence[bytes]], None]
    own_machine: OwnMachine | None = None
    loads: ObjectStore | None = None
    snapshots: FeedSnapshots | None = None
