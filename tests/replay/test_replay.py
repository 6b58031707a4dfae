"""A replay's result depends on what is delivered, and on nothing else."""

from __future__ import annotations

import gzip
import random

import orjson
import pytest

from mdm_stream.core.cluster.golden import key_of
from mdm_stream.core.model import split_ref
from mdm_stream.core.reference import resolve
from mdm_stream.local.servers.redis import RedisServer
from mdm_stream.replay.run import replay
from mdm_stream.replay.schedule import Rejected, disturbed, read_files
from mdm_stream.rules import load_rulesets

FIRST = ["anna", "maria", "jonas", "peter", "ines", "omar"]
LAST = ["lindqvist", "okonkwo", "raman", "petrov", "da silva", "smith"]


@pytest.fixture(scope="module")
def redis_url():
    """One server for the module."""
    with RedisServer() as server:
        yield server.url


@pytest.fixture(scope="module")
def rulesets():
    """The person pack, as it is."""
    return load_rulesets(["person"])


@pytest.fixture(scope="module")
def events_file(tmp_path_factory):
    """Some hundred canonical events with typos, patches, deletes, verdicts and lines that are no events."""
    randomness = random.Random(20)
    lines = []
    for n in range(240):
        given, family = randomness.choice(FIRST), randomness.choice(LAST)
        born = f"19{randomness.randrange(50, 55)}-0{randomness.randrange(1, 4)}-1{randomness.randrange(3)}"
        event = {
            "domain": "person",
            "source": randomness.choice(["crm", "erp"]),
            "record_id": str(randomness.randrange(60)),
            "op": randomness.choice(["upsert"] * 6 + ["patch", "delete"]),
            "version": n,
            "event_time": f"2026-01-01T00:{n % 60:02}:00Z",
        }
        if event["op"] != "delete":
            attributes = {"given_name": given, "family_name": family, "birth_date": born, "city": "Leeds"}
            event["attributes"] = attributes if event["op"] == "upsert" else {"city": "York"}
        lines.append(orjson.dumps(event))
    for n in range(12):
        a, b = sorted(randomness.sample(range(60), 2))
        keys = [{"source": "crm", "record_id": str(n)} for n in (a, b)]
        verdict = {"domain": "person", "op": "verdict", "a": keys[0], "b": keys[1], "version": n, "steward": "s1"}
        verdict |= {"verdict": randomness.choice(["link", "separate"]), "event_time": "2026-01-02T00:00:00Z"}
        lines.append(orjson.dumps(verdict))
    lines += [b'{"domain":"person"', b"\x00\x01\x02 no text", b'{"domain":"person","op":"upsert"}']
    path = tmp_path_factory.mktemp("events") / "events.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n".join(lines)))
    return path


def run(events_file, rulesets, redis_url, out, *, shuffle=None, duplicate=0.0, batch_size=50, workers=1):
    """Replay and return the bytes of the three state files, and the figures."""
    items = disturbed(read_files([events_file], None, None, rulesets), shuffle, duplicate)
    stats = replay(items, rulesets, out, batch_size=batch_size, workers=workers, redis_url=redis_url)
    return [(out / name).read_bytes() for name in ("crosswalk.csv", "golden.jsonl", "review.jsonl")], stats


def test_order_duplicates_batches_and_workers_change_no_byte(events_file, rulesets, redis_url, tmp_path):
    """Crosswalk, golden records and review queue are byte-identical however the events are delivered."""
    plain, _ = run(events_file, rulesets, redis_url, tmp_path / "plain")
    for number, (seed, batch_size, workers) in enumerate([(1, 1, 1), (2, 7, 3), (3, 200, 2)]):
        other, stats = run(
            events_file,
            rulesets,
            redis_url,
            tmp_path / str(number),
            shuffle=seed,
            duplicate=0.2,
            batch_size=batch_size,
            workers=workers,
        )
        assert other == plain
        assert stats["absorbed"] > 0


def test_the_result_is_the_reference(events_file, rulesets, redis_url, tmp_path):
    """What a replay writes is F of the events, as the slow reference has it."""
    _, stats = run(events_file, rulesets, redis_url, tmp_path)
    events = [e for e in read_files([events_file], None, None, rulesets) if not isinstance(e, Rejected)]
    expected = resolve(rulesets["person"], events)
    golden = [orjson.loads(line) for line in (tmp_path / "golden.jsonl").read_bytes().splitlines()]
    assert {g["golden_id"]: g for g in golden} == expected.golden
    review = [orjson.loads(line) for line in (tmp_path / "review.jsonl").read_bytes().splitlines()]
    assert [orjson.dumps(item, option=orjson.OPT_SORT_KEYS) for item in review] == [
        orjson.dumps(expected.review[pair], option=orjson.OPT_SORT_KEYS)
        for pair in sorted(expected.review, key=lambda pair: [split_ref(ref) for ref in pair])
    ]
    assert stats["quarantined"] == 3
    quarantine = [orjson.loads(line) for line in (tmp_path / "quarantine.jsonl").read_bytes().splitlines()]
    assert {reason["code"] for entry in quarantine for reason in entry["reasons"]} >= {"truncated_json", "missing"}


def test_the_feed_rebuilds_the_golden_set(events_file, rulesets, redis_url, tmp_path):
    """The feed has every sequence number once, and folding it gives the golden records and the crosswalk."""
    run(events_file, rulesets, redis_url, tmp_path, shuffle=5, workers=3, batch_size=7)
    changes = [orjson.loads(line)["data"] for line in (tmp_path / "changes.jsonl").read_bytes().splitlines()]
    assert [change["sequence"] for change in changes] == list(range(1, len(changes) + 1))
    golden = {}
    crosswalk = {}
    for change in changes:
        for key in change["removed"]:
            crosswalk.pop((key["source"], key["record_id"]), None)
        if change["op"] == "retire":
            golden.pop(change["golden_id"])
            continue
        golden[change["golden_id"]] = {k: change[k] for k in ("domain", "golden_id", "members", "values", "provenance")}
        crosswalk.update({(key["source"], key["record_id"]): change["golden_id"] for key in change["members"]})
    written = [orjson.loads(line) for line in (tmp_path / "golden.jsonl").read_bytes().splitlines()]
    assert golden == {g["golden_id"]: g for g in written}
    rows = (tmp_path / "crosswalk.csv").read_text().splitlines()[1:]
    assert sorted(f"person,{s},{r},{g}" for (s, r), g in crosswalk.items()) == sorted(rows)
    assert key_of("crm/1/2") == {"source": "crm", "record_id": "1/2"}
