"""``mdm-stream rules shadow`` on an archive: windows as text and as one document, and never a value of a record."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import replace

import orjson
import pytest
from rebuild_world import rows_of

from mdm_stream.archive import open_archive
from mdm_stream.cli.main import run
from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.core.model import RecordEvent
from mdm_stream.index.redis.index import RedisIndex

PERSONAL = ("Quackenbush", "Vanderbilt", "Theodora", "1951-03")
OLD = "extends: person\nversion: 1\nsources: {crm: {}, erp: {}}\n"
LESS = OLD + "match:\n  prior: 0.0000001\n  thresholds: {link: 0.97, review: 0.1}\n"
FAMILIES = ("Quackenbush", "Vanderbilt", "Okonkwo", "Fitzgerald")


@pytest.fixture
def work(tmp_path):
    """Two rule sets, and an archive of four persons, each in two systems, that arrived a minute ago."""
    (tmp_path / "old.yaml").write_text(OLD)
    (tmp_path / "less.yaml").write_text(LESS)
    events = [
        RecordEvent("person", source, str(number), "upsert", 1, 1,
                    {"given_name": "Theodora", "family_name": family, "birth_date": f"195{number}-03-1{number}"})
        for number, family in enumerate(FAMILIES) for source in ("crm", "erp")
    ]  # fmt: skip
    arrived_us = time.time_ns() // 1_000 - 60_000_000
    rows = [replace(row, arrival_time_us=arrived_us) for row in rows_of(events)]
    open_archive((tmp_path / "archive").as_uri()).append("person", rows, EpochPosition(1, 1, 1))
    return tmp_path


def shadow(work, *options, new="less"):
    """Run the command on the archive, against the rules in use."""
    rules = ["--archive", str(work / "archive"), "--rules", str(work / "old.yaml")]
    return run(["rules", "shadow", str(work / f"{new}.yaml"), *rules, *options])


PAST = ("--for", "0s", "--past", "30m", "--settle", "0s", "--every", "1h")


def test_each_hour_says_what_would_differ(work, capsys):
    """Clusters, questions and samples of the hour; in the end a table, and all of it as `rules diff` says it."""
    assert shadow(work, *PAST) == 0
    printed = capsys.readouterr().out
    assert "8 deliveries of 8 records; golden records concerned: 4, with the new rules 8" in printed
    assert "clusters: 0 unchanged, 0 merged, 4 split, 0 moved" in printed
    assert "questions for stewards: 0 new, with the new rules 4" in printed
    assert "  split g" in printed
    assert "  opened crm/0: erp/0" in printed
    assert "person: 4 golden records become 8" in printed
    assert not any(value in printed for value in PERSONAL)


def test_the_same_as_one_document(work, capsys):
    """Windows with figures and impact, the whole, and of which rules that is."""
    assert shadow(work, *PAST, "--json", "--samples", "2") == 0
    printed = capsys.readouterr().out
    document = orjson.loads(printed)
    assert sum(each["deliveries"] for each in document["windows"]) == 8
    assert document["total"]["clusters"]["split"] == {"before": 4, "after": 8, "records": 8}
    assert [each["kind"] for each in document["total"]["samples"]].count("split") == 2
    assert document["rules"]["old"]["digest"] != document["rules"]["new"]["digest"]
    assert (document["stopped"], document["rejected"]) == (False, {"old": {}, "new": {}})
    assert not any(value in printed for value in PERSONAL)


def test_ctrl_c_reports_and_leaves_nothing_behind(work, redis_client, redis_url, capsys):
    """In a Redis of choice: what the shadow kept there is deleted, and what others have there stays."""
    RedisIndex(redis_client, _rules(work), "main").position()
    there = set(redis_client.scan_iter())
    seen: set[bytes] = set()

    def stop() -> None:
        while not any(key.startswith(b"mdm:{shadow-") and b":1:" in key for key in seen):
            seen.update(redis_client.scan_iter())
            time.sleep(0.05)
        time.sleep(1.0)
        os.kill(os.getpid(), signal.SIGINT)

    asking = threading.Thread(target=stop)
    asking.start()
    before = signal.getsignal(signal.SIGINT)
    assert shadow(work, "--shadow-redis", redis_url, "--past", "2h", "--json") == 0
    asking.join()
    assert signal.getsignal(signal.SIGINT) is before
    document = orjson.loads(capsys.readouterr().out)
    assert document["stopped"]
    assert document["total"]["clusters"]["split"]["before"] == 4
    assert set(redis_client.scan_iter()) == there


def _rules(work):
    from mdm_stream.rules import load_ruleset  # noqa: PLC0415

    return load_ruleset(work / "old.yaml")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--archive", "somewhere"], "--archive needs --rules"),
        (["--every", "0s"], "--every takes at least 1s"),
        (["--for", "soon"], "expected a number and s, m, h or d"),
        (["--state", "nowhere"], "nowhere"),
    ],
)
def test_a_wrong_call_is_said(work, options, message, capsys):
    """Before anything is read."""
    assert run(["rules", "shadow", str(work / "less.yaml"), *options]) == 2
    assert message in capsys.readouterr().err
