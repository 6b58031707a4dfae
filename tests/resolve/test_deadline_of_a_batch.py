"""A batch that has no time to end is done as far as there is time, and says from where on it is not."""

from __future__ import annotations

from resolver_world import World, upsert

from mdm_stream.aws.deadline import Deadline
from mdm_stream.resolve.resolver import ANSWER_S
from mdm_stream.settings import EngineSettings

COMMIT_S = 1.0


def slow(world: World, monkeypatch) -> list[float]:
    """Let a commit take a second by the clock that is returned."""
    now_s, commit = [0.0], world.index.commit

    def slowly(commits):
        now_s[0] += COMMIT_S
        return commit(commits)

    monkeypatch.setattr(world.index, "commit", slowly)
    return now_s


def test_what_was_committed_in_time_is_done_and_the_rest_is_named(redis_client, tmp_path, monkeypatch):
    """Engines stop while there is time to publish: what they did is archived and published, and counts."""
    world = World(redis_client, tmp_path, EngineSettings(events_per_plan_max=1))
    now_s = slow(world, monkeypatch)
    world.golden.longest_s = 4.0
    events = [upsert(str(number), family_name=f"N{number}") for number in range(12)]
    deadline = Deadline(10.0, lambda: now_s[0])
    assert world.handle(upsert("warm", family_name="Warm")).first_failed is None
    now_s[0] = 0.0
    report = world.resolver.handle(world.deliveries(events), deadline)
    done = 6  # the attempts that begin before 10 - ANSWER_S - 4 seconds
    assert ANSWER_S + done - 1 + 4.0 < 10.0
    assert (report.first_failed, report.fault) == (done, "OutOfTimeError")
    assert now_s[0] < 10.0 - ANSWER_S
    assert len({position for _, position, _ in world.rows()}) == 1 + done
    assert world.index.read(1) == []
    again = world.resolver.handle(world.deliveries(events)[done:])
    assert again.first_failed is None
    assert len(world.index.snapshot().crosswalk) == 13


def test_a_deadline_is_of_one_batch_alone(world):
    """What is asked of the index after it, and the next batch, is not held to it."""
    late = world.resolver.handle(world.deliveries([upsert("1")]), Deadline.after(0.0))
    assert (late.first_failed, late.archived) == (0, 0)
    assert world.index.snapshot().crosswalk == {}
    assert world.handle(upsert("1")).first_failed is None


def test_a_tick_leaves_to_the_next_one_what_it_has_no_time_for(world):
    """It is no error, and says why it did nothing."""
    report = world.resolver.tick(Deadline.after(0.0))
    assert (report.fault, report.published) == ("OutOfTimeError", 0)
    assert world.resolver.tick(Deadline.after(60.0)).cause == ""
