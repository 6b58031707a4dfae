"""What all consumers tell of a batch: its place, on every line that is written about it and on its span."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from aws_lambda_powertools import Logger

from mdm_stream.decode import Delivery
from mdm_stream.decode.batch_place import place_of_batch
from mdm_stream.telemetry.spans import Note, Spans


@contextmanager
def told_batch(logger: Logger, spans: Spans, name: str, deliveries: Sequence[Delivery]) -> Iterator[Note]:
    """Name the batch, which is not empty, on all lines written inside; yield what takes its counts for the span."""
    place = place_of_batch(deliveries)
    known = logger.get_current_keys()  # what every line of the process has is not taken away from it at the end
    more = {key: fact for key, fact in place.items() if key not in known}
    with logger.append_context_keys(**more), spans.batch(name, place) as note:
        yield note
