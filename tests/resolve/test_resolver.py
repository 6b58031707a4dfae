"""The resolve consumer's order of things: commit, archive, confirm, publish; and what it keeps of whom."""

from __future__ import annotations

from dataclasses import replace

import orjson
from resolver_world import RULES, World, erase, upsert

from mdm_stream.core.ruleset import Source
from mdm_stream.dead_letters.quarantine import decode_entry
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.decode.redrive_envelope import wrap
from mdm_stream.engine.batch import Engine
from mdm_stream.errors import TransientError
from mdm_stream.feed.publisher import Refused
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.resolve.expiries import EXPIRY_RESEND_US
from mdm_stream.settings import EngineSettings


def test_everything_accepted_is_archived_as_it_came(world):
    """Records, verdicts and overrides, raw and with their places; what was rejected is not among them."""
    verdict = {
        "domain": "person",
        "op": "verdict",
        "a": {"source": "crm", "record_id": "1"},
        "b": {"source": "erp", "record_id": "1"},
        "verdict": "link",
        "steward": "s",
    }
    override = {**upsert("1"), "op": "override", "steward": "s"}
    report = world.handle(upsert("1"), verdict, override, {"domain": "planet"}, erase("9"))
    assert (report.archived, report.quarantined, report.first_failed) == (4, 1, None)
    assert [(kind, int(position)) for kind, position, _ in world.rows()] == [
        ("erase", 5),
        ("override", 3),
        ("record", 1),
        ("verdict", 2),
    ]
    assert world.rows()[2][2] == orjson.dumps(upsert("1"))
    reached = world.index.position()
    assert world.archive.witness("person") == reached


def test_a_late_redelivery_of_an_erased_record_is_neither_applied_nor_archived(world):
    """After its erasure nothing of what is delivered about a record is kept, and the feed hears nothing of it."""
    world.handle(upsert("1"), upsert("2", family_name="Kim"))
    world.handle(erase("1"))
    told = len(world.golden.messages)
    report = world.handle(upsert("1", 7, family_name="Marker"), upsert("2", 2, family_name="Roth"))
    assert (report.archived, report.first_failed) == (1, None)
    assert b"Marker" not in b"".join(raw for *_, raw in world.rows())
    assert b"Marker" not in orjson.dumps(world.golden.messages)
    assert len(world.golden.messages) == told + 1
    assert [m["type"] for m in world.golden.messages].count("mdm.record.erased") == 1


def test_a_rejected_event_that_claims_an_erased_record_is_not_kept(world, tmp_path):
    """Neither its bytes nor a report of it: the quarantine would hold values of somebody who was erased."""
    world.handle(upsert("1"), erase("1"))
    told = len(world.golden.messages)
    bad = {**upsert("1", family_name="Marker"), "surprise": 1}
    nowhere = {name: value for name, value in bad.items() if name != "domain"}
    report = world.handle(bad, nowhere, {**bad, "record_id": "2"}, {**bad, "domain": "planet"})
    assert (report.quarantined, report.dropped, report.first_failed) == (2, 2, None)
    kept = [decode_entry(path.read_bytes()) for path in (tmp_path / "quarantine").rglob("*.json")]
    assert sorted((entry.domain, entry.record_id) for entry in kept) == [("person", "2"), ("planet", "1")]
    assert len(world.golden.messages) == told + 2
    assert report.summary()["dropped"] == 2


def test_a_batch_that_cannot_be_archived_is_not_done_and_not_published(world, monkeypatch):
    """It comes again, and is then absorbed, archived and published."""

    def full(*_: object) -> None:
        raise TransientError("no space left")

    monkeypatch.setattr(world.archive, "append", full)
    report = world.handle(upsert("1"))
    assert (report.first_failed, report.cause, world.golden.messages) == (0, "no space left", [])
    monkeypatch.undo()
    report = world.handle(upsert("1"))
    assert (report.first_failed, report.totals.absorbed, report.archived, report.published) == (None, 1, 1, 1)


def test_a_batch_whose_epoch_ended_meanwhile_is_done_again_in_the_next_one(world, monkeypatch):
    """What was committed to an epoch and archived after the last reading of its successor is applied to that one."""
    append = world.archive.append

    def switch_and_append(*arguments: object) -> None:
        monkeypatch.undo()
        epochs = world.index.epochs
        number = epochs.begin()
        epochs.fence(number)
        assert epochs.go_live(number)
        append(*arguments)

    monkeypatch.setattr(world.archive, "append", switch_and_append)
    report = world.handle(upsert("1"))
    assert (report.first_failed, report.published) == (None, 1)
    assert world.index.snapshot().crosswalk.keys() == {"crm/1"}
    assert [message["data"]["epoch"] for message in world.golden.messages] == [2]


def test_a_batch_that_straddles_a_switch_is_done_again_as_a_whole(redis_client, tmp_path, monkeypatch):
    """If another epoch goes live between two commits of one batch, what went to the old one is not taken for done."""
    world = World(redis_client, tmp_path, EngineSettings(events_per_plan_max=1))
    commit, switched = world.index.commit, []

    def commit_and_switch(commits: object) -> object:
        outcome = commit(commits)
        if not switched:
            switched.append(world.index.epochs.begin())
            world.index.epochs.fence(switched[0])
            assert world.index.epochs.go_live(switched[0])
        return outcome

    monkeypatch.setattr(world.index, "commit", commit_and_switch)
    events = [upsert("1"), upsert("2", family_name="Kim")]
    assert world.handle(*events).first_failed is None
    assert [message["data"]["epoch"] for message in world.golden.messages] == [2, 2]
    assert world.index.snapshot().crosswalk.keys() == {"crm/1", "crm/2"}
    assert world.index.epoch == 2


def test_a_record_that_is_erased_while_its_batch_is_archived_leaves_no_value(world, monkeypatch):
    """The erasure may look into the archive before the batch is written there; then the batch looks for the erasure."""
    append = world.archive.append

    def append_after_an_erasure(*arguments: object) -> None:
        monkeypatch.undo()
        world.handle(erase("1"))
        assert world.archive.holds("person", "crm/1") == []
        append(*arguments)

    monkeypatch.setattr(world.archive, "append", append_after_an_erasure)
    report = world.handle(upsert("1", family_name="Marker"), upsert("2", family_name="Kim"))
    assert report.first_failed is None
    assert world.archive.holds("person", "crm/1") == []
    assert [kind for kind, *_ in world.rows()] == ["erase", "record"]


def test_only_what_the_witness_covers_is_published(world, monkeypatch):
    """A change that another worker commits while this one archives is left to that one, or to the next batch."""
    append = world.archive.append

    def append_while_another_commits(*arguments: object) -> None:
        append(*arguments)
        other = RedisIndex(world.index._client, RULES)
        Engine(RULES, other).process(
            Decoder({"person": RULES}).decode(Delivery.from_row(orjson.dumps(upsert("2", family_name="Kim")), 99))
        )

    monkeypatch.setattr(world.archive, "append", append_while_another_commits)
    assert world.handle(upsert("1")).published == 1
    monkeypatch.undo()
    assert len(world.index.read(10)) == 1
    assert world.resolver.tick().published == 1


def test_merges_past_the_limit_are_an_alarm_and_change_nothing(world):
    """A storm is told once a minute of merges is too many; the domain may be held; the state is what it is."""
    families = ("Abc", "Kim", "Roth", "Quist")
    apart = [upsert(str(n), family_name=name, birth_date=f"19{n}0-01-01") for n, name in enumerate(families, start=5)]
    report = world.handle(*apart)
    assert report.storms == []
    report = world.handle(*[upsert(str(n), 2) for n in range(5, 9)])
    assert (report.storms, report.first_failed) == (["person"], None)
    assert len(world.holds) == 1
    assert report.totals.merges >= 2


def test_an_expiry_is_sent_once_and_again_only_after_a_while(world):
    """A tick while the first one is still on its way adds nothing to the stream; one that was lost is sent again."""
    ends = {**upsert("1"), "op": "override", "steward": "s", "expires_at": "1970-01-01T00:00:10Z"}
    world.handle(upsert("1"), ends)
    assert world.resolver.tick().expired == 0
    world.clock_us = 10_000_000
    assert [world.resolver.tick().expired for _ in range(3)] == [1, 0, 0]
    world.clock_us += EXPIRY_RESEND_US + 1
    assert world.resolver.tick().expired == 1
    first, second = world.changes.messages
    assert first == second
    world.handle(first)
    world.clock_us += EXPIRY_RESEND_US + 1
    assert world.resolver.tick().expired == 0


def test_a_batch_that_cannot_be_published_is_archived_once(world, monkeypatch):
    """However often it is delivered its rows are in the archive once, under a witness that is never behind."""

    def refuse(_: object) -> None:
        raise TransientError("the feed takes nothing")

    batch = [Delivery.from_row(orjson.dumps(upsert(str(n))), n, f"changes/{n}") for n in range(5)]
    with monkeypatch.context() as patch:
        patch.setattr(world.golden, "publish", refuse)
        reports = [world.resolver.handle(batch) for _ in range(7)]
    assert [(report.first_failed, report.archived) for report in reports] == [(0, 5)] + [(0, 0)] * 6
    done = world.resolver.handle(batch)
    assert (done.first_failed, done.archived, done.published > 0) == (None, 0, True)
    assert len(world.rows()) == 5
    assert world.archive.witness("person") == world.index.position()


def test_a_large_golden_record_is_reported(world, monkeypatch):
    """Past the size that is reported, the report has golden id, members and bytes, and no value of it."""
    parts = world.resolver._domains["person"]
    monkeypatch.setitem(world.resolver._domains, "person", replace(parts, golden_bytes_warn=1_000))
    report = world.handle(
        upsert("1"), upsert("2", email=[f"marker{n}@example.org" for n in range(20)], family_name="Kim")
    )
    [large] = report.summary()["golden_large"]
    assert (large["members"], large["bytes"] > 1_000, report.published) == (1, True, 2)
    assert "marker" not in str(report.summary())


def test_a_message_that_the_feed_refuses_for_itself_fails_no_batch(world, monkeypatch):
    """The change stays in the outbox, is named in each report, and what lies behind it is published."""
    publish = world.golden.publish

    def refuse_kim(messages: list[tuple[str, bytes]]) -> list[Refused]:
        publish([message for message in messages if b"Kim" not in message[1]])
        refused = [position for position, message in enumerate(messages) if b"Kim" in message[1]]
        return [Refused(position, "ValidationException") for position in refused]

    with monkeypatch.context() as patch:
        patch.setattr(world.golden, "publish", refuse_kim)
        first = world.handle(upsert("1"), upsert("2", family_name="Kim"), upsert("3", family_name="Roth"))
        second = world.handle(upsert("4", family_name="Quist"))
    assert [(r.first_failed, r.published, len(r.refused)) for r in (first, second)] == [(None, 2, 1), (None, 1, 1)]
    assert first.refused == second.refused
    assert first.refused[0].startswith("person/1/")
    assert [b"Kim" in entry.content for entry in world.index.read(10)] == [True]
    assert world.resolver.tick().published == 1


def test_a_hold_that_failed_is_tried_again(world):
    """The storm is not forgotten with the batch that met it, whose redelivery merges nothing any more."""
    families = ("Abc", "Kim", "Roth", "Quist")
    apart = [upsert(str(n), family_name=name, birth_date=f"19{n}0-01-01") for n, name in enumerate(families, start=5)]
    world.handle(*apart)
    world.redis_fails = True
    together = [upsert(str(n), 2) for n in range(5, 9)]
    assert world.handle(*together).first_failed == 0
    world.redis_fails = False
    report = world.handle(*together)
    assert (report.totals.merges, report.storms, len(world.holds)) == (0, ["person"], 1)
    assert world.handle(*together).storms == []


def test_a_write_that_is_absorbed_though_it_is_later_is_told(world):
    """Its source is named in the batch's report, and no value; what is as old as what beats it is ordinary."""
    first = upsert("1", 9) | {"event_time": "2026-01-01T00:00:00Z"}
    world.handle(first, upsert("1", 3) | {"event_time": "2026-01-01T00:04:00Z"})
    report = world.handle(upsert("1", 4, city="Marker") | {"event_time": "2026-01-01T00:06:00Z"})
    assert report.totals.absorbed_later == {"crm": 1}
    assert report.summary()["absorbed_later"] == {"crm": 1}
    assert world.handle(first).totals.absorbed_later == {}
    patch = upsert("1", 4) | {"op": "patch", "event_time": "2026-02-01T00:00:00Z"}
    assert world.handle(patch).totals.absorbed_later == {"crm": 1}


def test_a_redriven_event_that_claims_what_cannot_be_is_kept_as_it_came(world, tmp_path):
    """It is quarantined without the envelope, under the place that it has: redriven from there it is judged by that."""
    arrival_us = 1_780_000_000_000_000
    claimed = Delivery(orjson.dumps(upsert("1")), "9".zfill(64), arrival_us + 1, "changes/s:9")
    record = Delivery(wrap(claimed), "7".zfill(64), arrival_us, "changes/s:7")
    report = world.resolver.handle([record])
    assert (report.quarantined, report.archived) == (1, 0)
    [path] = (tmp_path / "quarantine").rglob("*.json")
    kept = decode_entry(path.read_bytes())
    assert (kept.reasons[0].code, kept.record_id) == ("bad_envelope", "1")
    assert kept.delivery == replace(record, raw=claimed.raw, redriven_on="changes")


def test_rows_of_ignored_tables_are_counted_and_nothing_else(redis_client, tmp_path):
    """A table beside a source's own is no dead letter and not archived; the report says how many rows there were."""
    source = Source("log", "debezium", "public.t", ("id",), ignore=("public.audit",))
    world = World(redis_client, tmp_path, decoded_by=replace(RULES, sources={**RULES.sources, "log": source}))
    block = {"connector": "postgresql", "schema": "public", "table": "audit"}
    row = {"op": "c", "after": {"x": 1}, "source": block}
    report = world.handle(row, row, {"ts_ms": 1}, {**row, "source": {**block, "table": "other"}})
    assert (report.ignored, report.quarantined, report.archived) == (2, 1, 0)
    assert report.summary()["ignored"] == 2
