"""Who said an event: kept with what is refused and with what is accepted, and no part of the state."""

from __future__ import annotations

import orjson
import pytest
from test_resolver import RULES, World, erase, upsert

from mdm_stream.contracts.signature import SigningKey, signed
from mdm_stream.dead_letters.quarantine import QuarantineEntry, decode_entry
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.decode.authority import EVERYTHING, RECORD_OPS, Authority, Grant, Policy
from mdm_stream.decode.redrive_envelope import wrap
from mdm_stream.resolve.intake import Intake

pytestmark = pytest.mark.one_redis

KEY = SigningKey("crm-2026", b"k" * 32)
POLICY = Policy(
    {"changes": Grant(frozenset({"erp"}), RECORD_OPS), "steward": EVERYTHING},
    {"crm-2026": Grant(frozenset({"crm"}), RECORD_OPS)},
)


@pytest.fixture
def world(redis_client, tmp_path):
    """A resolver under that policy."""
    world = World(redis_client, tmp_path)
    world.resolver._intake = Intake(Decoder({"person": RULES}), Authority(POLICY, {KEY.key_id: KEY}))
    world.folder = tmp_path
    return world


def delivery(event, number, stream="changes"):
    """An event on a stream."""
    raw = event if isinstance(event, bytes) else orjson.dumps(event)
    return Delivery(raw, str(number).zfill(64), number, f"{stream}/shardId-0:{number}")


def kept(world) -> dict[int, QuarantineEntry]:
    """What is in quarantine, by the number of the delivery."""
    found = [decode_entry(path.read_bytes()) for path in (world.folder / "quarantine").rglob("*.json")]
    return {int(entry.delivery.position): entry for entry in found}


def test_what_is_accepted_is_archived_with_who_said_it(world):
    """Stream and place, the key that signed it, the stream on which it was redriven: through a compaction too."""
    first = delivery({**upsert("2"), "source": "erp"}, 2)
    deliveries = [
        delivery(signed(upsert("1"), KEY), 1),
        first,
        delivery(wrap(delivery(signed(upsert("3"), KEY), 3)), 9, "steward"),
    ]
    assert world.resolver.handle(deliveries).quarantined == 0
    for _ in range(2):
        rows = {row.refs[0]: row for row in world.archive.read_new("person", set())}
        assert {ref: (row.origin, row.key_id, row.redriven_on) for ref, row in rows.items()} == {
            "crm/1": ("changes/shardId-0:1", "crm-2026", ""),
            "erp/2": ("changes/shardId-0:2", "", ""),
            "crm/3": ("changes/shardId-0:3", "crm-2026", "steward"),
        }
        world.archive.compact("person")


def test_what_is_refused_is_kept_with_who_said_it_and_why(world):
    """The way in, what it may bring and the setting, and nothing of what was said; the rest of the batch goes on."""
    report = world.resolver.handle([
        delivery(upsert("Wilhelmina"), 1),
        delivery(signed(erase("1") | {"event_time": "2026-01-01T00:00:00Z"}, KEY), 2),
        delivery(wrap(delivery(erase("2"), 3)), 4, "steward"),
        delivery({**upsert("5"), "source": "erp"}, 5),
    ])  # fmt: skip
    assert (report.quarantined, report.archived, report.first_failed) == (3, 1, None)
    found = kept(world)
    assert {n: (e.delivery.stream, e.delivery.key_id, e.delivery.redriven_on) for n, e in found.items()} == {
        1: ("changes", "", ""),
        2: ("changes", "crm-2026", ""),
        3: ("changes", "", "steward"),
    }
    reasons = {number: entry.reasons[0] for number, entry in found.items()}
    assert {(each.code, each.path) for each in reasons.values()} == {
        ("not_authorised", "source"),
        ("not_authorised", "op"),
    }
    assert "streams.changes.allowed_sources" in reasons[1].message
    assert "keys.crm-2026" in reasons[2].message
    assert "Wilhelmina" not in str(reasons)
    assert set(world.index.snapshot().crosswalk) == {"erp/5"}
