"""What was published of a domain, read from both places that know: the golden feed and the warehouse."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Protocol

from mdm_stream.aws.read_shards import Marks, RecordsGoneError
from mdm_stream.feed.published import PublishedState
from mdm_stream.feed.reader import FeedReader
from mdm_stream.warehouse import Warehouse
from mdm_stream.warehouse.faults import WarehouseBusyError

PROGRESS_EVERY_MESSAGES = 1_000

OpenWarehouse = Callable[[bool], Warehouse | None]
"""Opens the warehouse (``None``: there is none). Told whether it is worth waiting long for a process that has it
open."""


class Published(Protocol):
    """Reads what was published of a domain, in several goes, so that little is left for the last one."""

    def read(self, state: PublishedState) -> None:
        """Apply to ``state`` what was published since the last call, and with the first call all there is.

        Others may be publishing meanwhile.
        """
        ...

    def finish(self, state: PublishedState) -> None:
        """Apply the rest. Nobody publishes any more, and after this ``state`` has everything."""
        ...


class PublishedReader:
    """``Published`` from the golden feed and the warehouse.

    The feed is read first: what it does not hold any more when that begins was in the warehouse before, and everything
    since is on the feed after the marks. So the warehouse is read once, and the feed from its marks on; their order and
    repetitions do not matter to a ``PublishedState``. This is exact as long as the warehouse consumer is no further
    behind than the feed's retention. Should the feed have dropped the records at the marks, all is read anew.

    Without a warehouse the feed alone is asked, which must then hold everything that was ever published.
    """

    def __init__(
        self,
        domain: str,
        feed: FeedReader,
        open_warehouse: OpenWarehouse,
        on_progress: Callable[[int], None] = lambda _messages: None,
    ) -> None:
        """Take the feed and how to open the warehouse, which is closed again once it was read."""
        self._domain = domain
        self._feed = feed
        self._open_warehouse = open_warehouse
        self._on_progress = on_progress
        self._marks: Marks = {}
        self._has_read = False
        self._knows_warehouse = False
        self._messages = 0

    def read(self, state: PublishedState) -> None:
        """Read on; see ``Published``. A warehouse that another process has open is left for ``finish``."""
        self._read_feed(state)
        if not self._has_read:
            self._has_read = True
            self._read_warehouse(state, is_last=False)

    def finish(self, state: PublishedState) -> None:
        """Read the rest; see ``Published``. The warehouse is waited for: its consumer has little to do by now."""
        self._read_feed(state)
        if not self._knows_warehouse:
            self._read_warehouse(state, is_last=True)

    def _read_feed(self, state: PublishedState) -> None:
        try:
            self._apply_messages(state)
        except RecordsGoneError:
            self._marks.clear()
            self._knows_warehouse = False
            self._apply_messages(state)

    def _apply_messages(self, state: PublishedState) -> None:
        for message in self._feed.messages(self._marks, on_missing=state.note_missing):
            state.apply(message)
            self._messages += 1
            if self._messages % PROGRESS_EVERY_MESSAGES == 0:
                self._on_progress(self._messages)

    def _read_warehouse(self, state: PublishedState, *, is_last: bool) -> None:
        warehouse = self._open_warehouse(is_last)
        if warehouse is None:
            self._knows_warehouse = True
            return
        with closing(warehouse):
            try:
                for golden in warehouse.published(self._domain):
                    state.apply(golden)
                for evidence in warehouse.published_evidence(self._domain):
                    state.apply(evidence)
                state.erased.update(warehouse.erased(self._domain))
                state.advance(*warehouse.position(self._domain))
            except WarehouseBusyError:
                if is_last:
                    raise
            else:
                self._knows_warehouse = True
