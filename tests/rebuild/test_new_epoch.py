"""What a rebuild reads of the epoch that it fills is bounded by bytes, whatever golden records are in it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from small_world import small_rules

from mdm_stream.core.cluster.golden import digest_of_content
from mdm_stream.core.model import RecordEvent
from mdm_stream.engine.batch import Engine
from mdm_stream.index.redis.held_items import each_item
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.rebuild.new_epoch import NewEpoch
from mdm_stream.warehouse import paging

RULES = small_rules()
LARGE = 60_000
COUNT = 400


def person(number: int, version: int = 1) -> RecordEvent:
    """A record that nothing is like, and that makes a golden record of more than 60 kilobytes."""
    name = f"{number:05d}-{version}" + "x" * LARGE
    return RecordEvent("person", "crm", str(number), "upsert", version, 0, {"given_name": name})


@pytest.fixture
def epoch(redis_client):
    """An epoch that is being filled with large golden records, 24 megabytes of them."""
    index = RedisIndex(redis_client, RULES)
    found = NewEpoch(redis_client, RULES, "main", index.epochs.begin())
    for start in range(0, COUNT, 20):
        report = Engine(RULES, found).process([person(n) for n in range(start, min(start + 20, COUNT))])
        assert report.failed == []
    return found


@pytest.mark.one_redis
def test_large_golden_records_are_read_a_few_at_a_time(epoch, monkeypatch):
    """At the first look and later ones, and where contents are asked for: all are found, a bounded size at a time."""
    monkeypatch.setattr(paging, "PAGE_BYTES", 20 * LARGE)
    read, sizes = epoch.golden_contents, []

    def counted(golden_ids: Sequence[str]) -> dict[str, bytes]:
        contents = read(golden_ids)
        sizes.append(sum(map(len, contents.values())))
        return contents

    monkeypatch.setattr(epoch, "golden_contents", counted)
    epoch.look()
    assert len(epoch.digests) == len(epoch.crosswalk) == COUNT
    before = dict(epoch.digests)
    assert Engine(RULES, epoch).process([person(1, version=2)]).failed == []
    changed = epoch.look()
    assert {golden_id for golden_id, digest in epoch.digests.items() if before[golden_id] != digest} == changed
    first, *others = sizes
    assert first < 101 * (LARGE + 1_000)
    assert max(others) < 21 * (LARGE + 1_000)
    found = epoch.contents(sorted(epoch.digests))
    assert {golden_id: digest_of_content(content) for golden_id, content in found} == epoch.digests


@pytest.mark.one_redis
def test_a_search_of_the_index_reads_a_few_large_items_at_a_time(epoch, redis_client, monkeypatch):
    """Every golden record and every record is found, of hundreds some hundred at a time."""
    scan, sizes = redis_client.hscan, []

    def counted(*arguments: object, **options: object) -> tuple[int, dict[bytes, bytes]]:
        cursor, found = scan(*arguments, **options)
        sizes.append(sum(map(len, found.values())))
        return cursor, found

    monkeypatch.setattr(redis_client, "hscan", counted)
    items = [item.key for item in each_item(redis_client, "main", "person")]
    assert (items.count("gold"), items.count("rec")) == (COUNT, COUNT)
    assert max(sizes) < 2 * COUNT * LARGE // 3
    sizes.clear()
    assert len(dict(epoch.scan_golden())) == len(set(epoch.scan_refs())) == COUNT
    assert max(sizes) < 2 * COUNT * LARGE // 3
