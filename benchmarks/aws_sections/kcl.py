"""The resolve consumer under the KCL's own daemon: killed, resharded, and without its index for good.

``mdm-stream kcl`` with Java and its children, against a double of Kinesis and moto's DynamoDB on loopback. Changes of
few records come, and now and then one makes a record another person's, so that shards write the same golden records. In
the first part the daemon is killed, a shard is split and a child is killed, each while there is work; in the second
one Redis is away for longer than a batch is tried again. After each of it checkpoints are compared with the index: what
they cover has to be there.

Each start of a daemon takes a minute or so of the KCL's own pauses. ``MDM_AWS_KCL=RECORDS`` takes another number than
``RECORDS``. Needs `make kcl` and Java.
"""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path

import orjson
from show import Show

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "support"))

from kcl_world import KclWorld, expected_state, kill, missing, wait_for  # noqa: E402

from mdm_stream.local.servers.children import log_tail  # noqa: E402

VARIABLE = "MDM_AWS_KCL"
RECORDS, SHARDS, SEED = 50_000, 4, 20260101
RECORDS_A_KEY = 8
RECORDS_A_PERSON = 3
AFTER_SHARE = 25
"""One of so many further records comes when Redis is away."""
RULES_FILE = ROOT / "mdm_stream" / "rules" / "packs" / "person.yaml"
FIRST_SHARD = "shardId-000000000000"
START_S_MAX, DONE_S_MAX, GIVE_UP_S_MAX = 300.0, 900.0, 400.0
STEADY = {"MDM_KCL_STEADY_S": "10"}
"""Each restart is the first of its row."""
WITHOUT_INDEX = {"MDM_KCL_RETRY_S_MAX": "5", "MDM_KCL_RESTARTS_MAX": "1", "MDM_KCL_STEADY_S": "3600"}


def figures(show: Show, scratch: Path) -> None:
    """Kill, split and kill; then leave the children without Redis."""
    if said := missing():
        if "kcl" in show.only:
            show.figure("the resolve consumer under the KCL", said, floor="it runs", holds=False)
        else:
            show.fact("the resolve consumer under the KCL", f"skipped: {said}")
        return
    count = int(os.environ.get(VARIABLE, RECORDS))
    records = changes(count + count // AFTER_SHARE)
    with KclWorld(scratch / "kcl", RULES_FILE, SHARDS, STEADY) as world:
        part = _Part(show, world)
        part.killed_and_split(records[: count // 2], records[count // 2 : count])
        part.without_index(records[count:])


def changes(count: int) -> list[tuple[str, bytes]]:
    """Return changes of records, each with its partition key: some delete, and some make a record another person's."""
    drawn = random.Random(SEED)
    keys = max(1, count // RECORDS_A_KEY)
    found = []
    for version in range(1, count + 1):
        number = drawn.randrange(keys)
        person = (number + (drawn.random() < 0.1)) // RECORDS_A_PERSON
        change = {
            "domain": "person",
            "source": "crm",
            "record_id": str(number),
            "version": version,
            "event_time": "2026-01-01T00:00:00Z",
        }
        if drawn.random() < 0.1:
            change["op"] = "delete"
        else:
            change |= {"op": "upsert", "attributes": {"given_name": "Ann", "email": f"a{person}@example.org"}}
        found.append((f"crm/{number}", orjson.dumps(change)))
    return found


class _Part:
    """Does it to a world, and shows what came of it."""

    def __init__(self, show: Show, world: KclWorld) -> None:
        self._show = show
        self._world = world
        self._drawn = random.Random(SEED)
        self._beyond: list[str] = []

    def killed_and_split(self, before: list[tuple[str, bytes]], after: list[tuple[str, bytes]]) -> None:
        """Kill the daemon, split a shard, kill a child, and compare what all ends with."""
        world, began_s = self._world, time.monotonic()
        world.put(before)
        world.start()
        took_s = [self._more()]
        took_s.append(self._kill(world.daemon()))
        world.split(FIRST_SHARD)
        world.put(after)
        self._more()
        took_s.append(self._kill(self._drawn.choice(world.children())))
        self._finish("two kills and a split", len(before) + len(after))
        self._show.fact("seconds to the next commit from a start, a killed daemon, a killed child",
                        ", ".join(f"{each:.0f} s" for each in took_s))  # fmt: skip
        self._show.fact("all of it", f"{time.monotonic() - began_s:.0f} s")
        code = world.stop()
        self._show.figure("exit code when stopped", code, floor="0", holds=code == 0)

    def without_index(self, records: list[tuple[str, bytes]]) -> None:
        """Take Redis away until the supervisor gives up, then give it back and start anew."""
        world = self._world
        done = sum(len(shard.records) for shard in world.shards_now())
        logged = world.log.stat().st_size
        world.settings = WITHOUT_INDEX
        world.redis.stop()
        world.put(records)
        world.start()
        process = world.process
        assert process is not None
        took_s = wait_for(lambda: process.poll() is not None, GIVE_UP_S_MAX, self._said)
        outlived = b"retries_outlived" in world.log.read_bytes()[logged:]
        self._show.figure("exit code without Redis", f"{world.stop()} after {took_s:.0f} s and 1 restart",
                          floor="not 0, once children have outlived their retries",
                          holds=process.returncode != 0 and outlived)  # fmt: skip
        world.redis.start()
        self._look()
        world.start()
        self._finish("Redis away for good, and a new start", done + len(records))
        world.stop()

    def _said(self) -> str:
        return log_tail(self._world.log)

    def _more(self) -> float:
        """Wait for further commits, or for the end of a few records, and return for how many seconds."""
        world, begun = self._world, self._world.committed()
        return wait_for(lambda: world.committed() > begun or world.is_done(), START_S_MAX, self._said)

    def _kill(self, pid: int) -> float:
        """Kill a process while it is at work, wait until none of that daemon is there and the next one commits.

        Return for how many seconds.
        """
        world = self._world
        time.sleep(self._drawn.random())
        before = {world.daemon(), *world.children()}
        began_s = time.monotonic()
        kill(pid)
        wait_for(lambda: before.isdisjoint({world.daemon(), *world.children()}), START_S_MAX, self._said)
        self._look()
        self._more()
        return time.monotonic() - began_s

    def _look(self) -> None:
        self._beyond += self._world.not_committed(self._world.shards_now())

    def _finish(self, what: str, count: int) -> None:
        """Wait until all is done, and show what is lost and what is not F's."""
        world = self._world
        wait_for(world.is_done, DONE_S_MAX, self._said)
        self._look()
        shards = world.shards_now()
        put, covered = sum(len(each.records) for each in shards), sum(each.covered for each in shards)
        equal = world.index().snapshot() == expected_state(world.rules, shards)
        self._show.figure(f"{what}: state of the index", "F" if equal else "not F", floor="F", holds=equal)
        self._show.figure(f"{what}: records that are checkpointed", f"{covered:,} of {put:,} on {len(shards)} shards",
                          floor="all", holds=covered == put == count)  # fmt: skip
        lost = len(world.not_archived(shards))
        self._show.figure(f"{what}: records missing in the archive", lost, floor="0", holds=not lost)
        gaps = world.not_published()
        self._show.figure(f"{what}: changes missing on the golden feed", gaps, floor="0", holds=not gaps)
        self._show.figure(f"{what}: records checkpointed before they were committed", len(self._beyond), floor="0",
                          holds=not self._beyond)  # fmt: skip
