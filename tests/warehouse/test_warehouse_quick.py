"""Changes that are checked without models: what they accept the models accept, and their rows are the models' rows."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from feed_messages import contents, erase, loaded, rejected
from hypothesis import given, settings
from hypothesis import strategies as st

from mdm_stream.contracts.golden import GoldenChange, parse_message, parse_moment
from mdm_stream.core.model import STEWARD_SOURCE, make_ref
from mdm_stream.decode import Delivery
from mdm_stream.errors import RejectedEventError
from mdm_stream.feed.envelope import change_message
from mdm_stream.index.port import OutboxEntry
from mdm_stream.warehouse import DuckDbWarehouse, WarehouseConsumer
from mdm_stream.warehouse.quick import quick_change
from mdm_stream.warehouse.quick_rows import DELIMITER, NULL, QUICK_COLUMNS
from mdm_stream.warehouse.redaction import contributors
from mdm_stream.warehouse.rows import stage_batch
from mdm_stream.warehouse.staging import FeedMessage

TIMES = [
    "2026-03-01T12:00:00.000000Z",
    "2026-03-01T12:00:00Z",
    "2026-03-01T12:00:00.123456+02:00",
    "2026-03-01T12:00:00,123456Z",
    "2026-W09-7T12:00:00.000000Z",
    "2026-13-01T12:00:00.000000Z",
    "2026-03-01T24:00:00.000000Z",
    "2026-03-01t12:00:00.000000Z",
    "2026-03-01 12:00:00.000000Z",
    "2026-03-01T12:00:00.000000",
    "0001-01-01T00:00:00.000000+14:00",
    "0000-01-01T00:00:00.000000Z",
    "9999-12-31T23:59:59.999999Z",
    "9999-12-31T23:59:59.999999-14:00",
    "٢٠٢٦-03-01T12:00:00.000000Z",
]
TEXTS = [
    "",
    "a",
    "é",
    "日本",
    "\x00",
    "\x1e",
    "\x1f",
    "\n",
    "\r\n",
    "\t",
    '"',
    "\\",
    "\\u0041",
    "\x7f",
    "\x85",
    "\u2028",
]
TEXTS += ["\ud7ff\ue000", "😀", "null", " a ", "a,b", "'", "1", STEWARD_SOURCE, "x" * 300]
SCALARS: list[Any] = [None, True, False, 0, 1, -1, 2**53, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), 1.0, 1.5, 1e300]
SCALARS += [*TEXTS, *TIMES, [], {}, [[]], [None], ["a"], {"a": 1}, "upsert", "retire", "erase", "mdm.golden.retired"]

texts = st.sampled_from(TEXTS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
plain = st.sampled_from(["crm", "erp", "1", "2", "x:y", "é"])
record_keys = st.fixed_dictionaries({"source": plain | texts, "record_id": plain | texts})
versions = st.sampled_from([0, -5, 2**63, 2**64 - 1, "0/16B3748", "7"])
origins = st.fixed_dictionaries(
    {
        "source": plain | texts,
        "record_id": plain | texts,
        "version": versions,
        "event_time": st.sampled_from(TIMES),
        "strategy": st.just("most_recent"),
    }
)


@st.composite
def messages(draw: st.DrawFn) -> dict[str, Any]:
    """A message in the form of the publisher."""
    content = {
        "domain": draw(st.sampled_from(["person", "company"])),
        "op": draw(st.sampled_from(["upsert", "upsert", "retire"])),
        "golden_id": draw(plain | texts),
        "members": draw(st.lists(record_keys, max_size=3)),
        "removed": draw(st.lists(record_keys, max_size=2)),
        "merged_into": draw(st.none() | plain | texts),
        "anchor": draw(st.none() | record_keys),
        "values": draw(st.dictionaries(plain | texts, st.none() | texts | st.lists(texts, max_size=2), max_size=3)),
        "provenance": draw(st.dictionaries(plain | texts, st.lists(origins, max_size=2), max_size=3)),
        "rules_version": draw(st.sampled_from([0, 3, -1, 2**63 - 1])),
        "rules_digest": draw(texts),
    }
    entry = OutboxEntry(
        epoch=draw(st.sampled_from([1, 2, 2**31])),
        sequence=draw(st.sampled_from([1, 7, 2**53])),
        committed_at_us=draw(st.sampled_from([0, 1_772_366_400_123_456])),
        content=orjson.dumps(content),
        wave_last=draw(st.sampled_from([0, 0, 9, 2**53])),
    )
    message: dict[str, Any] = orjson.loads(change_message(entry)[1])
    if draw(st.booleans()):
        message["data"]["committed_at"] = draw(st.sampled_from(TIMES))
    return message


def _places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    below = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(place for name, child in below for place in _places(child, (*path, name)))]


def _changed(message: Any, change: Callable[[Any, Any], None], path: tuple[Any, ...]) -> Any:
    message = copy.deepcopy(message)
    node = message
    for name in path[:-1]:
        node = node[name]
    change(node, path[-1])
    return message


def _shuffled(node: Any, name: Any) -> None:
    if isinstance(node[name], dict):
        node[name] = dict(reversed(node[name].items()))


def _with_member(node: Any, name: Any) -> None:
    if isinstance(node[name], dict):
        node[name]["more"] = "x"


def _without(node: Any, name: Any) -> None:
    del node[name]


def _rows_of(line: str) -> dict[str, str | None]:
    fields = line.split(DELIMITER)
    assert len(fields) == len(QUICK_COLUMNS)
    return {name: None if field == NULL else field for name, field in zip(QUICK_COLUMNS, fields, strict=True)}


def _part(document: str | None, key: str) -> str | None:
    return None if document is None else orjson.dumps(json.loads(document)[key]).decode()


def _model_rows(raw: bytes) -> list[dict[str, str | None]]:
    envelope = parse_message(raw)
    assert isinstance(envelope.data, GoldenChange)  # type: ignore[union-attr]
    rows = []
    for line in stage_batch([envelope]).ndjson.splitlines():  # type: ignore[list-item]
        row = json.loads(line)
        document = envelope.data.model_dump_json() if "document" in row else None  # type: ignore[union-attr]
        fields = {name: None if row.get(name) is None else str(row[name]) for name in QUICK_COLUMNS}
        parts = {
            name: _part(document, key) for name, key in (("golden_values", "values"), ("provenance", "provenance"))
        }
        rows.append({**fields, "document": document, **parts})
    return rows


def _check(raw: bytes) -> bool:
    """Compare both ways for one message; tell whether the quick one took it."""
    quick = quick_change(raw)
    if quick is None:
        return False
    data = parse_message(raw).data  # type: ignore[union-attr]
    assert isinstance(data, GoldenChange)
    rows = [_rows_of(line) for line in quick.rows.decode().split("\n")]
    assert sorted(rows, key=repr) == sorted(_model_rows(raw), key=repr)
    assert quick.claims == sum(row["kind"] == "claim" for row in rows)
    assert (quick.domain, quick.committed_at) == (data.domain, parse_moment(data.committed_at, ""))
    members = {(key.source, key.record_id) for key in data.members} if data.op == "upsert" else set()
    assert quick.records == contributors(data) | members
    return True


@given(messages())
@settings(max_examples=300, deadline=None)
def test_rows_are_those_of_the_models(message: dict[str, Any]) -> None:
    """Whatever a publisher's message holds, the same rows come of it, byte for byte, or the models are asked."""
    _check(orjson.dumps(message))


@given(messages(), st.data())
@settings(max_examples=1_000, deadline=None)
def test_nothing_is_accepted_that_the_models_refuse(message: dict[str, Any], data: st.DataObject) -> None:
    """A member of another type, lacking, added, in another order or twice: the models accept it too, and agree."""
    path = data.draw(st.sampled_from(_places(message)[1:]))
    value = data.draw(st.sampled_from(SCALARS))

    def replaced(node: Any, name: Any) -> None:
        node[name] = value

    change = data.draw(st.sampled_from([replaced, replaced, replaced, _without, _with_member, _shuffled]))
    raw = json.dumps(_changed(message, change, path), ensure_ascii=data.draw(st.booleans())).encode()
    if data.draw(st.booleans()):
        twice = b'"op":"retire",' if data.draw(st.booleans()) else b'"members":[],'
        raw = raw.replace(b'"data": {', b'"data": {' + twice)
    try:
        _check(raw)
    except RejectedEventError:
        pytest.fail("the models refuse what was accepted without them")


@given(st.lists(st.tuples(messages(), st.integers(0, 2**32)), min_size=1, max_size=8))
@settings(max_examples=30, deadline=None)
def test_consumers_with_and_without_models_apply_and_refuse_the_same(cases: list[tuple[dict[str, Any], int]]) -> None:
    """Batches of messages, half of them damaged: the same are refused, and every table is the same."""
    records = []
    for message, seed in cases:
        chance = random.Random(seed)
        if chance.random() < 0.5:
            path, value = chance.choice(_places(message)[1:]), chance.choice(SCALARS)

            def replace(node: Any, name: Any, value: Any = value) -> None:
                node[name] = value

            message = _changed(message, chance.choice([replace, replace, _without, _shuffled]), path)  # noqa: PLW2901
        records.append(Delivery.unplaced(json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()))
    told = []
    for takes_quick in (True, False):
        warehouse = DuckDbWarehouse(":memory:")
        warehouse.takes_quick = takes_quick
        outcome = WarehouseConsumer(warehouse, idle_close_s=60).apply_records(records)
        told.append((outcome.records_applied, outcome.first_failed, str(outcome.error), contents(warehouse)))
        warehouse.close()
    assert told[0] == told[1]


@pytest.mark.parametrize(
    "raw", [b"", b"null", b"[]", b"{", b"\xff", b'"\\ud800"', b"{}" * 2, b'{"data":{}}', "\ufeff{}".encode()]
)
def test_what_is_no_message_is_left_to_the_models(raw: bytes) -> None:
    """It raises nothing itself: the models say what is wrong."""
    assert quick_change(raw) is None


def _feed(seed: int, count: int = 120) -> list[bytes]:
    """A random feed: upserts, retirements, erasures, reports and manifests, with odd texts here and there."""
    chance = random.Random(seed)
    feed = []
    for sequence in range(1, count + 1):
        number, at = chance.randrange(15), f"2026-03-01T12:{sequence % 60:02d}:00.00000{sequence % 10}Z"
        odd = chance.choice(["", "é", "\x1f", "\n", "\u2028", '"', "\x00"]) if chance.random() < 0.1 else ""
        keys = [{"source": source, "record_id": f"{number}{odd}"} for source in ("crm", "erp")[: chance.randint(1, 2)]]
        if chance.random() < 0.08:
            feed.append(erase(sequence, f"{chance.choice(['crm', 'erp'])}/{number}").model_dump_json().encode())
            continue
        source = chance.choice(keys)
        if chance.random() < 0.05:
            source = {"source": STEWARD_SOURCE, "record_id": make_ref(**keys[0])}
        origin = {
            **source,
            "version": chance.choice([sequence, 2**64 - 1, "0/16"]),
            "event_time": at,
            "strategy": "most_recent",
        }
        is_upsert = chance.random() < 0.8
        content = {
            "domain": chance.choice(["person", "person", "company"]),
            "op": "upsert" if is_upsert else "retire",
            "golden_id": f"g{number}",
            "members": keys if is_upsert else [],
            "removed": [] if is_upsert else keys,
            "merged_into": None if is_upsert else f"g{number + 1}",
            "anchor": None if is_upsert else keys[0],
            "values": {"name": f"name {sequence}{odd}", "tags": ["x", odd], "none": None} if is_upsert else {},
            "provenance": {"name": [origin], "tags": [origin, origin]} if is_upsert else {},
            "rules_version": 3,
            "rules_digest": "abc+1.2.def",
        }
        entry = OutboxEntry(1, sequence, orjson.dumps(content), 1_772_366_400_000_000 + sequence)
        feed.append(change_message(entry)[1])
    feed.append(rejected("q1").model_dump_json().encode())
    feed.append(loaded("0" * 32, 1, "done").model_dump_json().encode())
    chance.shuffle(feed)
    return feed


@pytest.mark.parametrize("seed", range(6))
def test_both_ways_end_in_the_same_tables(seed: int) -> None:
    """Random feeds in random batches, erasures among them, with replays: every table is the same in both."""
    feed, chance = _feed(seed), random.Random(seed)
    by_models, by_both = DuckDbWarehouse(":memory:"), DuckDbWarehouse(":memory:")
    quick_ones = 0
    while feed:
        batch = [feed.pop() for _ in range(min(len(feed), chance.randint(1, 40)))]
        if chance.random() < 0.3:
            feed += batch[: len(batch) // 2]
            batch = batch[len(batch) // 4 :]
        mixed: list[FeedMessage] = [quick_change(raw) or parse_message(raw) for raw in batch]  # type: ignore[misc]
        quick_ones += sum(quick_change(raw) is not None for raw in batch)
        told = by_models.apply([parse_message(raw) for raw in batch])  # type: ignore[misc]
        assert by_both.apply(mixed) == told
    assert quick_ones > 50
    assert contents(by_both) == contents(by_models)
    by_models.close()
    by_both.close()


def test_the_publishers_ordinary_change_is_quick_and_the_consumer_uses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the form of the publisher to change, this fails, and not only the speed."""
    feed = [raw for raw in _feed(99) if b"mdm.golden" in raw and b"\\" not in raw and b"\xe2\x80\xa8" not in raw]
    ordinary = [raw for raw in feed if STEWARD_SOURCE.encode() not in raw]
    assert len(ordinary) > 80
    assert all(quick_change(raw) is not None for raw in ordinary)
    monkeypatch.setattr("mdm_stream.warehouse.consumer.parse_message", lambda _: pytest.fail("the models were asked"))
    consumer = WarehouseConsumer(DuckDbWarehouse(":memory:"), idle_close_s=1)
    outcome = consumer.apply_records([Delivery.unplaced(raw) for raw in ordinary])
    assert (outcome.records_applied, outcome.error) == (len(ordinary), None)
