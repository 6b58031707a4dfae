"""How many unexpected faults in a row are too many: then it is not the events that are at fault."""

from __future__ import annotations

from collections.abc import Collection, Hashable

from mdm_stream.errors import TransientError


class TooManyFaultsError(TransientError):
    """Nearly everything meets an unexpected fault: the release or the index is at fault, and not what was sent."""


class FaultCircuit:
    """Counts, over the batches of one process, distinct items that met a fault; opens when they are too many in a row.

    A batch of which at least half went through closes it again. So it takes a fault that meets nearly everything to
    stop the stream, and a few hostile events among good ones never do.
    """

    def __init__(self, in_a_row_max: int) -> None:
        self._max = in_a_row_max
        self._met: set[Hashable] = set()

    def note(self, items: int, faulty: Collection[Hashable], last: str) -> None:
        """Take the number of items of a batch, names of those that met a fault, and type and place of the last one.

        ``TooManyFaultsError`` if the circuit is open: nothing of the batch is to be set aside then.
        """
        if 2 * len(faulty) <= items:
            self._met.clear()
            return
        self._met.update(list(faulty)[: self._max + 1])
        if len(self._met) > self._max:
            raise TooManyFaultsError(
                f"more than {self._max:,} events in a row met an unexpected fault, lately {last}: the release or the "
                "index is at fault rather than the events, and none is set aside; go back to the release before"
            )
