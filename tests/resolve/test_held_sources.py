"""Held and excluded sources in the resolve consumer: kept aside or left out, and nothing is lost."""

from __future__ import annotations

import orjson
import pytest
from test_resolver import RULES, World, upsert

from mdm_stream.archive import Archive
from mdm_stream.core.reference import resolve
from mdm_stream.dead_letters import DeadLetters, RedriveRun, Streams
from mdm_stream.decode import Decoder, Delivery, unpack
from mdm_stream.errors import TransientError
from mdm_stream.objects.opening import open_object_store
from mdm_stream.rebuild.run import Rebuild, RebuildOptions
from mdm_stream.resolve import source_watch
from mdm_stream.resolve.source_release import kept_aside, release

pytestmark = pytest.mark.one_redis


@pytest.fixture
def world(redis_client, tmp_path):
    """A resolver, and the quarantine that it fills."""
    world = World(redis_client, tmp_path)
    world.quarantine = DeadLetters(open_object_store((tmp_path / "quarantine").as_uri()), "quarantine")
    world.sources = world.archive.sources("person")
    return world


class Silence:
    """A golden feed that nothing was published on, and that takes everything."""

    def publish(self, messages) -> None:
        """Take messages."""

    def read(self, state) -> None:
        """Nothing was published."""

    finish = read


@pytest.fixture
def marks_age(monkeypatch):
    """Let every batch read the marks anew."""
    monkeypatch.setattr(source_watch, "MARKS_AGE_S_MAX", 0.0)


def delivery(event, number, stream="changes"):
    """An event on a stream, ``number`` microseconds after 1970."""
    raw = event if isinstance(event, bytes) else orjson.dumps(event)
    return Delivery(raw, str(number).zfill(64), number, f"{stream}/{number}")


def f_of(*deliveries):
    """F of what some deliveries say."""
    decoder = Decoder({"person": RULES})
    return resolve(RULES, [event for each in deliveries for event in decoder.decode(unpack(each)[0])])


def versionless(record_id, source="log", **attributes):
    """An event that takes its version and its time from its place."""
    event = {**upsert(record_id, **attributes), "source": source}
    return {name: value for name, value in event.items() if name not in ("version", "event_time")}


def let_go(world, again, source="crm"):
    """Release a source; return what the release said. ``again`` gets what is put on the steward stream."""
    redrive = RedriveRun(
        [world.quarantine],
        Streams("changes", steward="steward"),
        lambda _: "key",
        lambda messages: again.extend(messages) or {},
    )
    return release(world.sources, kept_aside("person", source), world.quarantine, redrive, 0.0, sleep=lambda _: None)


def test_a_held_source_is_kept_aside_and_released_as_what_it_was(world, marks_age):
    """Others go on; once released the state is F of all that was delivered, with the places of the first delivery."""
    before = delivery(versionless("1", family_name="Old"), 1)
    held = [delivery(versionless("1", family_name="New"), 2), delivery(versionless("2"), 3)]
    others = [delivery(versionless("1", "tail"), 4), delivery({**upsert("9"), "source": "erp"}, 5)]
    assert world.resolver.handle([before]).first_failed is None
    world.sources.hold("log", "gone mad", 77)
    report = world.resolver.handle([*held, *others])
    assert (report.held, report.quarantined, report.archived, report.first_failed) == (2, 2, 2, None)
    assert world.index.snapshot() == f_of(before, *others)
    letters = world.quarantine.find(kept_aside("person", "log"))
    assert [(each.source, each.record_id) for each in letters] == [("log", "1"), ("log", "2")]
    assert world.sources.hold("log", "again", 99).reason == "gone mad"
    world.resolver.handle(held)  # redelivered while it is held
    again = []
    done = let_go(world, again, "log")
    assert (done.was_held, done.events, done.left) == (True, 2, {})
    assert {message.stream for message in again} == {"steward"}
    redriven = [delivery(message.data, 100 + n, "steward") for n, message in enumerate(again)]
    world.resolver.handle(redriven)
    assert world.index.snapshot() == f_of(before, *held, *others)
    assert world.quarantine.find(kept_aside("person", "log")) == []


def test_a_release_that_dies_loses_nothing(world, marks_age):
    """The mark is gone and the events are still in the quarantine: a second release sends them."""
    held = delivery(upsert("1"), 1)
    world.sources.hold("crm", "r", 1)
    world.resolver.handle([held])
    assert world.sources.release("crm")
    again = []
    done = let_go(world, again)
    assert (done.was_held, done.events) == (False, 1)
    world.resolver.handle([delivery(message.data, 9, "steward") for message in again])
    assert world.index.snapshot() == f_of(held)


def test_a_hold_begins_within_a_bounded_time(world, monkeypatch):
    """A consumer that has just read the marks applies a hold once they are old, and not before."""
    now_s = iter([0.0, source_watch.MARKS_AGE_S_MAX - 0.01, source_watch.MARKS_AGE_S_MAX])
    world.resolver._sources._now_s = lambda: next(now_s)
    assert world.resolver.handle([delivery(upsert("1"), 1)]).held == 0
    world.sources.hold("crm", "r", 1)
    assert world.resolver.handle([delivery(upsert("2"), 2)]).held == 0
    assert world.resolver.handle([delivery(upsert("3"), 3)]).held == 1


def test_a_marks_store_that_does_not_answer_holds_the_batch_back(world, monkeypatch):
    """Whether a source is held is not guessed: the batch is delivered again."""

    def away(*_):
        raise TransientError("the store is away")

    with monkeypatch.context() as patch:
        patch.setattr(Archive, "sources", away)
        assert world.resolver.handle([delivery(upsert("1"), 1)]).first_failed == 0
    assert world.resolver.handle([delivery(upsert("1"), 1)]).first_failed is None


def test_an_excluded_delivery_is_archived_and_not_applied(world, marks_age):
    """Late and repeated ones too, so that the state stays F of the rest, and taking it in again has all of it."""
    late, other, after = (
        delivery(upsert("1"), 5),
        delivery({**upsert("2"), "source": "erp"}, 6),
        delivery(upsert("3"), 9),
    )
    world.sources.exclude("crm", 5, 9, 100)
    report = world.resolver.handle([late, other, after])
    assert (report.excluded, report.archived) == (1, 3)
    assert world.index.snapshot() == f_of(other, after)
    verdict = {
        "domain": "person", "op": "override", "source": "crm", "record_id": "3", "version": 1, "steward": "s",
        "event_time": "2026-01-01T00:00:00Z", "attributes": {"given_name": "Anna"},
    }  # fmt: skip
    steward = delivery(verdict, 7, "steward")
    assert world.resolver.handle([steward]).excluded == 0
    assert world.index.snapshot() == f_of(other, after, steward)


def test_a_redelivery_to_a_new_epoch_finds_new_marks(world, redis_client):
    """A consumer whose marks are fresh by the clock reads them anew once its index is bound to another epoch."""
    world.resolver._sources._now_s = lambda: 0.0
    first = delivery(upsert("1"), 5)
    world.resolver.handle([first])
    world.sources.exclude("crm", 5, 6, 100)
    socket = redis_client.connection_pool.connection_kwargs["path"]
    Rebuild(
        RULES, f"unix://{socket}", "main", archive=world.archive, golden=Silence(), published=Silence(),
        options=RebuildOptions(workers=1, publish_grace_s=0.0),
    ).run()  # fmt: skip
    assert world.resolver.handle([first]).first_failed is None
    world.index.refresh()
    assert world.index.snapshot() == f_of()
