"""The receipt of an erasure: what was asked and what became of it, without anything of the person's."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from mdm_stream.core.cluster.golden import golden_id_of
from mdm_stream.core.times import format_time_us
from mdm_stream.erasure.evidence import total
from mdm_stream.erasure.search import STORES, Searched
from mdm_stream.objects.store import ObjectStore

FOLDER = "receipts"
ID_BYTES = 16
"""A receipt's id is random, so that it can be quoted and says nothing."""


@dataclass(frozen=True, slots=True)
class StoreReceipt:
    """What became of one store: things found before and left after, and until when what is left stays by itself."""

    found: int
    removed: int
    left: int
    left_until: str | None


@dataclass(frozen=True, slots=True)
class LeftInPlace:
    """One kind of thing that is left in a store, how many there are, and until when they stay by themselves."""

    store: str
    what: str
    count: int
    left_until: str | None


@dataclass(frozen=True, slots=True)
class Receipt:
    """One erasure. ``subjects`` are hashes of the records' keys (``core.golden.golden_id_of``), sorted.

    ``reason`` is what the caller wrote. ``notes`` say what lies outside of what was searched.
    """

    receipt_id: str
    domain: str
    subjects: tuple[str, ...]
    reason: str
    requested_at: str
    finished_at: str
    complete: bool
    stores: Mapping[str, StoreReceipt]
    left: tuple[LeftInPlace, ...]
    values_searched: int
    values_shared: int
    values_too_short: int
    notes: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)


def make_receipt(
    domain: str,
    refs: Collection[str],
    reason: str,
    times_us: tuple[int, int],
    before: Searched,
    after: Searched,
    notes: tuple[str, ...],
) -> Receipt:
    """Return the receipt of an erasure of ``refs``, from what was there before and what is left after it."""
    return Receipt(
        receipt_id=secrets.token_hex(ID_BYTES),
        domain=domain,
        subjects=tuple(sorted(golden_id_of(domain, ref) for ref in refs)),
        reason=reason,
        requested_at=format_time_us(times_us[0]),
        finished_at=format_time_us(times_us[1]),
        complete=not after.findings,
        stores={store: _store(store, before, after) for store in STORES},
        left=tuple(LeftInPlace(each.store, each.what, each.count, _time(each.until_us)) for each in after.findings),
        values_searched=after.values,
        values_shared=after.shared,
        values_too_short=after.too_short,
        notes=notes,
    )


def keep_receipt(store: ObjectStore, receipt: Receipt) -> str:
    """Put a receipt into the archive's store, beside the domains; return where it lies."""
    name = f"{FOLDER}/{receipt.finished_at[:10]}/{receipt.receipt_id}.json"
    store.put(name, orjson.dumps(receipt.document(), option=orjson.OPT_INDENT_2))
    return store.location(name)


def _store(store: str, before: Searched, after: Searched) -> StoreReceipt:
    found, left = total(before.findings, store), total(after.findings, store)
    until_us = [each.until_us for each in after.findings if each.store == store and each.until_us is not None]
    return StoreReceipt(found, max(0, found - left), left, format_time_us(max(until_us)) if until_us else None)


def _time(time_us: int | None) -> str | None:
    return None if time_us is None else format_time_us(time_us)
