"""A batch into the staging table: quick changes as lines where the database reads them, all else as the models say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from mdm_stream.contracts.golden import FeedEnvelope, RecordErased
from mdm_stream.warehouse.duckdb.session import DuckDbSession
from mdm_stream.warehouse.erasure import known_erased, staged_erased
from mdm_stream.warehouse.quick_rows import QuickChange
from mdm_stream.warehouse.redaction import ErasedRecords
from mdm_stream.warehouse.rows import StagedBatch, stage_batch
from mdm_stream.warehouse.session import Session

FeedMessage = FeedEnvelope | QuickChange
"""A message of the feed, as the models have it or checked without them."""


def stage_messages(session: Session, messages: Sequence[FeedMessage], applied_at: datetime) -> StagedBatch:
    """Make ``staged_row`` hold the rows of a batch, without the values of records that are known to be erased.

    A quick change that names an erased record is staged by the models, which take the values out.
    """
    envelopes = [message for message in messages if isinstance(message, FeedEnvelope)]
    quick = [message for message in messages if isinstance(message, QuickChange)]
    if not isinstance(session, DuckDbSession):
        return _stage_envelopes(session, [*envelopes, *(message.envelope() for message in quick)], applied_at)
    touched, quick = _parted(quick, _erased_in(envelopes))
    envelopes += [message.envelope() for message in touched]
    if envelopes or not quick:
        batch = _stage_envelopes(session, envelopes, applied_at)
    else:
        session.clear_staging()
        batch = StagedBatch(b"", 0, 0, 0, 0, 0)
    if not quick:
        return batch
    session.stage_lines(b"\n".join([*(message.rows for message in quick), b""]), applied_at)
    touched, quick = _parted(quick, staged_erased(session))
    if touched:
        return stage_messages(session, [*envelopes, *(message.envelope() for message in touched), *quick], applied_at)
    claims = sum(message.claims for message in quick)
    return replace(batch, changes=batch.changes + len(quick), claims=batch.claims + claims)


def _stage_envelopes(session: Session, envelopes: Sequence[FeedEnvelope], applied_at: datetime) -> StagedBatch:
    batch = stage_batch(envelopes, known_erased(session, envelopes))
    session.stage(batch.ndjson, applied_at)
    return batch


def _erased_in(envelopes: Iterable[FeedEnvelope]) -> ErasedRecords:
    erased: ErasedRecords = {}
    for data in (envelope.data for envelope in envelopes):
        if isinstance(data, RecordErased):
            erased.setdefault(data.domain, set()).add((data.source, data.record_id))
    return erased


def _parted(quick: Sequence[QuickChange], erased: ErasedRecords) -> tuple[list[QuickChange], list[QuickChange]]:
    """Return the changes that name an erased record, and the others."""
    touched: list[QuickChange] = []
    others: list[QuickChange] = []
    for message in quick:
        is_touched = message.domain in erased and not message.records.isdisjoint(erased[message.domain])
        (touched if is_touched else others).append(message)
    return touched, others
