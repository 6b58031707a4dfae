"""What was published of a domain, read from both places that know: the golden feed and the warehouse."""

from __future__ import annotations

from mdm_stream.feed.published import PublishedState
from mdm_stream.feed.reader import FeedReader
from mdm_stream.warehouse import Warehouse


def read_published(domain: str, feed: FeedReader, warehouse: Warehouse | None) -> PublishedState:
    """Return all that was published. Nobody may be publishing meanwhile.

    The feed comes first: what it does not hold any more when it is read was in the warehouse before that. This is exact
    as long as the warehouse consumer is no further behind than the feed's retention. Without a warehouse the feed alone
    is asked, which must then hold everything that was ever published.
    """
    state = PublishedState(domain)
    for message in feed.messages(on_missing=state.note_missing):
        state.apply(message)
    if warehouse is not None:
        for golden in warehouse.published(domain):
            state.apply(golden)
        state.erased.update(warehouse.erased(domain))
        state.advance(*warehouse.position(domain))
    return state
