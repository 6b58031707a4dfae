"""Filling an epoch that is being built with a state that was computed elsewhere: in bulk, by any number of writers.

It goes through ``commit.lua`` as any commit does, so it is fenced; it expects nothing, since nobody else writes to an
epoch that is being built, and what is written is a function of the state alone. So writers share the state in any way,
in any order, and one that was killed does its part again: it writes the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import redis

from mdm_stream.core.plan.commit import HeldReview
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.errors import TransientError
from mdm_stream.index.errors import EpochChangedError
from mdm_stream.index.redis.codec import encode_block, encode_pair, encode_review
from mdm_stream.index.redis.open_epoch import OpenEpoch

CALL_BYTES = 256 * 1024
"""Bytes of one call, which Redis takes some milliseconds for: it serves no other client meanwhile."""

BUSY_SHARE = 0.5
"""The share of its time in which a writer may keep Redis busy: it lets pass as long as its last call took."""

RETRY_PAUSES_S = (0.2, 1.0, 5.0, 15.0, 0.0)
"""Pauses before a call that failed is made again; at the last one the task fails, and with it the job."""

_PARTS = (
    *("expect_records", "expect_components", "expect_blocks", "expect_edges", "expect_suspended"),
    *("put_records", "put_blocks", "drop_blocks", "suspend", "resume", "grow", "shrink", "put_components", "put_pages"),
    *("drop_components", "component_of", "crosswalk", "drop_refs", "put_golden", "drop_golden", "put_edges"),
    *("drop_edges", "put_review", "drop_review", "enqueue", "dequeue", "put_expiries", "drop_expiries", "changes"),
)
"""What ``commit.lua`` reads."""


@dataclass(frozen=True, slots=True)
class BulkSettings:
    """How a writer spares Redis: see ``CALL_BYTES`` and ``BUSY_SHARE``."""

    call_bytes: int = CALL_BYTES
    busy_share: float = BUSY_SHARE


class BulkWriter:
    """One writer of an epoch that is being built. ``EpochChangedError`` where that may not be written any more.

    What is put is sent once it is large enough, and the rest with ``flush``. ``calls`` and ``bytes_written`` count what
    was sent.
    """

    def __init__(
        self,
        client: redis.Redis | redis.RedisCluster,
        rules: Ruleset,
        namespace: str,
        epoch: int,
        settings: BulkSettings | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Open the epoch."""
        self._epoch = OpenEpoch(client, rules, namespace, create=False, building=epoch)
        self._client = client
        self._settings = settings or BulkSettings()
        self._sleep = sleep
        self._held: dict[str, list[Any]] = {}
        self._held_bytes = 0
        self.calls = 0
        self.bytes_written = 0

    def put_record(self, ref: str, stored: bytes, expires_us: int | None) -> None:
        """Put a record in its stored form, and when the first of its overrides ends."""
        if expires_us is not None:
            self._put("put_expiries", 16, ref, expires_us)
        self._put("put_records", len(ref) + len(stored), ref, stored)

    def put_block(self, key: str, members: Mapping[str, str]) -> None:
        """Put an open block: references with their revisions."""
        stored = encode_block(members)
        self._put("put_blocks", len(key) + len(stored), key, stored)

    def put_suspended(self, key: str, members: Sequence[str]) -> None:
        """Put some of the members of a suspended block: references and revisions by turns."""
        self._put("grow", len(key) + sum(map(len, members)), key, members)

    def put_component(self, component_id: str, stored: bytes) -> None:
        """Put a component in its stored form (``pages.stored_component``), without its pages."""
        self._put("put_components", len(stored), component_id, stored)

    def put_page(self, first: str, stored: bytes) -> None:
        """Put a page of a large component in its stored form."""
        self._put("put_pages", len(stored), first, stored)

    def put_member(self, ref: str, component_id: str) -> None:
        """Put the component of a live record."""
        self._put("component_of", len(ref) + len(component_id), ref, component_id)

    def put_place(self, ref: str, golden_id: str) -> None:
        """Put the golden record of a live record."""
        self._put("crosswalk", len(ref) + len(golden_id), ref, golden_id)

    def put_golden(self, golden_id: str, content: bytes) -> None:
        """Put a golden record."""
        self._put("put_golden", len(content), golden_id, content)

    def put_doubt(self, review: HeldReview) -> None:
        """Put a REVIEW edge, which is stored at both its ends."""
        stored, (a, b) = encode_review(review), review.edge.pair
        self._put("put_edges", 2 * len(stored), a, b, stored, b, a, stored)

    def put_review(self, pair: tuple[str, str], item: bytes) -> None:
        """Put an item of the review queue (JSON)."""
        self._put("put_review", len(item), encode_pair(*pair), item)

    def flush(self) -> None:
        """Send what is held."""
        if not self._held:
            return
        parts: dict[str, object] = {**dict.fromkeys(_PARTS, ()), **self._held}
        sha, root = self._epoch.scripts.sha("commit"), self._epoch.epochs.root
        payload = self._epoch.payload(parts)
        for pause_s in RETRY_PAUSES_S:
            began_s = time.monotonic()
            try:
                self._epoch.call(lambda: self._client.evalsha(sha, 2, self._epoch.key("meta"), root, payload))
                break
            except EpochChangedError:
                raise
            except TransientError:
                if not pause_s:
                    raise
                self._sleep(pause_s)  # a call may be made twice: it writes the same
        took_s = time.monotonic() - began_s
        self._held, self._held_bytes = {}, 0
        self.calls += 1
        self.bytes_written += len(payload)
        self._sleep(took_s * (1 / self._settings.busy_share - 1))

    def _put(self, part: str, size: int, *values: Any) -> None:
        if self._held and self._held_bytes + size > self._settings.call_bytes:
            self.flush()
        self._held.setdefault(part, []).extend(values)
        self._held_bytes += size
