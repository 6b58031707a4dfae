"""The load of a file that is too large for the functions: the same steps, whose accepted rows go into the archive.

A job does it (``mdm-stream files job``), for a load whose route is ``spark``. It begins an attempt of its own, reads
the file, cuts, checks and judges it as the workers would have, and archives what they would have sent; a new epoch of
the index, made on Spark, then has it (``mdm_stream.reconcile``). Killed anywhere, it is run again and goes on with what
exists; what it archives twice counts once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import orjson

from mdm_stream.archive import IN_BULK, Archive
from mdm_stream.archive.rows import rest_without, rows_of
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.core.times import format_time_us
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.errors import ConfigurationError
from producers.files.manifest import LoadView, view_of
from producers.files.records import AgainRecord
from producers.files.steps import LoadSteps

ROWS_PER_APPEND = 20_000
"""Events that are archived at once."""

ErasedAmong = Callable[[Collection[str]], Collection[str]]
"""Returns which of some records are erased."""


class ArchiveStream:
    """Takes a load's events into the archive, in place of the stream.

    ``origin`` is where they are said to come from. Of an erased record nothing stays: what is archived is looked up
    afterwards, and an erasure that comes later looks into the archive itself.
    """

    def __init__(
        self, archive: Archive, rules: Ruleset, erased_among: ErasedAmong, origin: str, now_us: Callable[[], int]
    ) -> None:
        """Take the archive."""
        self._archive = archive
        self._rules = rules
        self._decoder = Decoder({rules.domain: rules}, archived=True)
        self._erased_among = erased_among
        self._origin = origin
        self._now_us = now_us
        self._held: list[bytes] = []

    def put(self, event: Mapping[str, Any] | bytes, partition_key: str | None = None) -> None:  # noqa: ARG002 - no shards
        """Take an event: bytes as they are, a mapping as JSON."""
        self._held.append(event if isinstance(event, bytes) else orjson.dumps(event))
        if len(self._held) >= ROWS_PER_APPEND:
            self.flush()

    def flush(self) -> None:
        """Archive what was taken; durable on return."""
        if not self._held:
            return
        rows = []
        for raw in self._held:
            delivery = Delivery(raw, "", self._now_us(), self._origin)
            rows += rows_of(self._rules.domain, self._decoder.decode(delivery), delivery)
        self._archive.append(self._rules.domain, rows, IN_BULK)
        for ref in self._erased_among({ref for row in rows for ref in row.refs}):
            self._archive.erase(self._rules.domain, ref, rest_without(ref, self._decoder))
        self._held = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.flush()


def load_in_bulk(steps: LoadSteps, load_id: str, archive: Archive, erased_among: ErasedAmong) -> LoadView:
    """Do a load whose file is too large for the functions, and archive its rows; return how it is.

    It may end as ``held`` or ``failed`` like any other; a held one goes on, once it is released, with another call. One
    that a job has done stays as it is. ``ConfigurationError`` for a load that no job was asked for.
    """
    view = view_of(steps.store.attempt(load_id))
    record, plan = view.record, view.plan
    begun = view.attempt.is_of_job()
    asked = plan is not None and plan.route == "spark" and not view.ended
    if record.domain is None or not (begun or asked):
        raise ConfigurationError(
            f"load {load_id} is {view.state}, and waits for no job; `mdm-stream files show` says more"
        )
    held = {each.source: each.reason for each in archive.sources(record.domain).read().held}
    if record.source in held:
        raise ConfigurationError(
            f"source {record.source} of domain {record.domain} is held ({held[record.source]}); let it go on first: "
            "mdm-stream source release"
        )
    around = steps.around
    rules, origin = around.rulesets[record.domain], f"files/{load_id}"
    bulk = LoadSteps(
        replace(
            around,
            queue=None,
            signs=False,
            reads_all=True,
            open_stream=lambda: ArchiveStream(archive, rules, erased_among, origin, around.now_us),
        )
    )
    if not begun:
        number = view.attempt.number + 1
        again = AgainRecord(because="job", at=format_time_us(around.now_us()))
        steps.store.again(load_id, number, again)
    return bulk.advance(load_id)
