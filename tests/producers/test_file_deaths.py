"""Processes that do loads may die at any write: the load ends as if none had."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

import pytest
from files_world import FilesWorld, people, rows

CONTENT = people(range(9)) + b"v3,,,\nv11,broken\nv1,,,\nv3,,,\n"
"""Three chunks and a bit: accepted, rejected and skipped rows."""


def once(number: int) -> Iterator[int]:
    """One process dies at this write, and no other."""
    yield number


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("fan_out", [False, True], ids=["direct", "chunks"])
def test_a_death_at_any_write_changes_nothing(drops, tmp_path, fan_out, after):
    """Whatever write a process dies at, before it or behind it, what is left at the end is the same."""
    reference = FilesWorld(drops, tmp_path, fan_out=fan_out)
    event = reference.drop(CONTENT)
    reference.run(event)
    expected = reference.left_behind()
    assert [each.state for each in expected["manifests"]] == ["done"]
    assert (expected["open"], expected["values"]) == ([], [])
    survived = processes = 0
    for process in itertools.count():
        deaths = 0
        for number in itertools.count(1):
            world = FilesWorld(drops, tmp_path, fan_out=fan_out)
            world.mortality.after = after
            quiet = [10**9] * process
            world.run(event, iter([*quiet, number]))
            assert world.left_behind() == expected, f"process {process} died at write {number}"
            if not world.deaths:
                break
            deaths += 1
        survived += deaths
        processes += 1
        if not deaths:
            break
    assert survived >= (20 if fan_out else 15)
    assert processes >= (8 if fan_out else 2)


@pytest.mark.parametrize("seed", range(12))
def test_many_deaths_change_nothing(drops, tmp_path, seed):
    """Many processes in a row that die somewhere leave what none leaves that lives."""
    draw = random.Random(seed)
    reference = FilesWorld(drops, tmp_path, fan_out=True)
    event = reference.drop(CONTENT)
    reference.run(event)
    world = FilesWorld(drops, tmp_path, fan_out=True)
    world.mortality.after = bool(seed % 2)
    world.run(event, iter([draw.randint(1, 8) for _ in range(60)]))
    assert world.deaths >= 5
    assert world.left_behind() == reference.left_behind()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_full_load_survives_deaths(drops, tmp_path, after):
    """The deletions of a full load are the same wherever a step was cut short, while the consumer goes on."""
    files = "load: full, deleted_share_max: 0.5"
    for number in itertools.count(1):
        world = FilesWorld(drops, tmp_path, files)
        world.load(people(range(4)), "person/vendor/first.csv", Metadata={"as-of": "2026-01-01"})
        world.resolve()
        event = world.drop(people(range(3)), Metadata={"as-of": "2026-01-02"})
        world.mortality.after = after
        world.run(event, once(number), between=world.resolve)
        (first, last) = sorted(world.manifests(), key=lambda each: each.as_of)
        assert (first.state, last.state, last.deleted, last.sent) == ("done", "done", 1, 4), number
        assert sorted(world.records()) == ["v0", "v1", "v2"]
        if not world.deaths:
            break
    assert number > 15


def test_every_message_twice_and_in_any_order(drops, tmp_path):
    """Messages that come twice, late and out of order, the gatekeeper's among them, change nothing."""
    reference = FilesWorld(drops, tmp_path, fan_out=True)
    event = reference.drop(CONTENT)
    reference.run(event)
    expected = reference.left_behind()
    for seed in range(6):
        draw = random.Random(seed)
        world = FilesWorld(drops, tmp_path, fan_out=True)
        world.process().handle(event)
        seen: list[str] = []
        while world.queue.bodies:
            body = draw.choice(world.queue.bodies + seen)
            seen.append(body)
            world.process().handle_message({"body": body})
            if body in world.queue.bodies and draw.random() < 0.7:
                world.queue.bodies.remove(body)
        for body in draw.sample(seen, len(seen)):
            world.process().handle_message({"body": body})
        world.process().handle(event)
        world.queue.bodies.clear()
        assert world.left_behind() == expected


def test_two_workers_at_once_end_the_same(drops, tmp_path):
    """Two processes that do one message at the same time, each write of one between two of the other, do no harm."""
    reference = FilesWorld(drops, tmp_path)
    event = reference.drop(rows(("v1", "Ada", "Byron", "London"), ("v2", "Alan", "Turing", "Wilmslow")))
    reference.run(event)
    writes = reference.mortality.writes
    for number in range(1, writes + 1):
        world = FilesWorld(drops, tmp_path)
        world.meanwhile(number, lambda world=world: world.process().handle(event))
        world.process().handle(event)
        assert world.left_behind() == reference.left_behind(), f"the other worked at write {number}"
