"""An erasure on real stores, but on no machine of one's own, as on AWS: what goes, what stays, what is told."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from erase_world import REF, RULES, World, places_of, upsert
from rebuild_world import Feed

from mdm_stream.archive.record import VALUE_KINDS
from mdm_stream.contracts.golden import parse_envelope
from mdm_stream.contracts.kpl import UserRecord, aggregate_of
from mdm_stream.core.cluster.golden import golden_id_of
from mdm_stream.dead_letters import Selection, read_contents
from mdm_stream.dead_letters.quarantine import QuarantineEntry, QuarantineStore
from mdm_stream.decode import Delivery, unpack
from mdm_stream.decode.redrive_envelope import wrap
from mdm_stream.erasure.erase import SNOWFLAKE_NOTE, Erase, EraseOptions, members_of
from mdm_stream.erasure.in_letters import BESIDE, UNCLEAR
from mdm_stream.erasure.receipt import LeftInPlace
from mdm_stream.errors import Reason, TerminalError, TransientError
from mdm_stream.index.redis.epochs import hold
from mdm_stream.index.redis.kept import kept_epoch
from mdm_stream.objects.folder import FolderObjects
from mdm_stream.rebuild.run import Rebuild, RebuildOptions
from mdm_stream.warehouse import DuckDbWarehouse
from mdm_stream.warehouse.old_versions import OldVersions

pytestmark = [pytest.mark.one_redis, pytest.mark.long]

MARKER, OLD = "Markermund", "Altmarkerstadt"
STREAMS = {"change_stream", "steward_stream", "golden_feed"}


def fill(world: World) -> None:
    """Have a person in three systems, one of which is to be erased, and somebody else."""
    world.send(upsert(city=OLD), upsert(version=2, family_name=f"Wintersheim {MARKER}"))
    world.send(upsert("erp/1"), upsert("web/1"), upsert("erp/2", given_name="Balthasar", birth_date="1950-01-01"))
    world.send(
        {**upsert(version=5), "op": "override", "steward": "s", "attributes": {"city": MARKER + "stadt"}},
        {**upsert(version=9, given_name=MARKER), "surprise": 1},
    )


def test_everything_but_the_streams_is_empty_at_once(world: World) -> None:
    """Only what nobody can delete is left, with the time at which its stream forgets it."""
    fill(world)
    assert {"index", "warehouse", "quarantine", "archive", *STREAMS} <= set(places_of(world.search(MARKER)))
    receipt, left = world.erase()
    assert set(places_of(left)) == STREAMS
    assert not receipt.complete
    tomorrow = datetime.now(UTC) + timedelta(hours=24)
    for finding in left.findings:
        until = datetime.fromtimestamp((finding.until_us or 0) / 1e6, UTC)
        assert abs(until - tomorrow) < timedelta(minutes=5)
    stores = receipt.stores
    assert {name for name, store in stores.items() if store.left_until} == STREAMS
    assert stores["quarantine"].removed == 1
    assert stores["archive"].removed == 3
    assert receipt.values_searched >= 3
    assert receipt.values_shared >= 2


def test_others_are_as_if_the_record_had_never_been(world: World) -> None:
    """Golden records, ids and archived rows of the others are untouched; the feed has a tombstone without a value."""
    fill(world)
    rows = [row for row in world.archive.read_new("person", set()) if REF not in row.refs]
    world.erase()
    snapshot = world.index.snapshot()
    assert REF not in snapshot.crosswalk
    assert snapshot.crosswalk["erp/1"] == snapshot.crosswalk["web/1"] != snapshot.crosswalk["erp/2"]
    left = list(world.archive.read_new("person", set()))
    assert [row for row in left if row.kind in VALUE_KINDS] == rows
    tombstones = [raw for raw in world.golden_messages() if b"mdm.record.erased" in raw]
    assert [orjson.loads(raw)["subject"] for raw in tombstones] == [golden_id_of("person", REF)]
    assert not any(MARKER.encode() in raw for raw in tombstones)


def test_the_receipt_is_kept_and_holds_no_value(world: World) -> None:
    """A second erasure is harmless and has a receipt of its own."""
    fill(world)
    first, _ = world.erase()
    second, left = world.erase()
    assert set(places_of(left)) == STREAMS
    receipts = [orjson.loads(path.read_bytes()) for path in (world.folder / "archive" / "receipts").rglob("*.json")]
    assert {each["receipt_id"] for each in receipts} == {first.receipt_id, second.receipt_id}
    text = orjson.dumps(receipts).decode()
    assert not [each for each in (MARKER, OLD, "Adelgundis", "p-7") if each in text]
    assert second.stores["archive"].found == 0


def test_all_members_go_together(world: World) -> None:
    """Values that only the erased records shared among themselves are nobody else's."""
    fill(world)
    refs = members_of(world.places.index, "erp/1")
    assert refs == sorted([REF, "erp/1", "web/1"])
    receipt, left = world.erase(*refs)
    assert len(receipt.subjects) == 3
    assert set(places_of(left)) == STREAMS
    assert "Adelgundis" in left.own
    assert members_of(world.places.index, REF) == [REF]
    assert set(world.index.snapshot().crosswalk) == {"erp/2"}


def test_one_erased_record_does_not_stand_up_for_another(world: World) -> None:
    """What the streams still hold of a record that was erased before does not make a value somebody else's."""
    fill(world)
    for ref in ("erp/1", "web/1"):
        world.erase(ref)
    _, left = world.erase()
    assert "Adelgundis" in left.own
    assert set(places_of(left)) == STREAMS


def test_a_batch_that_was_given_up_keeps_its_other_events(world: World) -> None:
    """Plain, in an envelope, or as a golden change: what is theirs goes, what is others' stays as it was."""
    fill(world)
    theirs, others = upsert(version=3, city=MARKER), upsert("erp/2", 4, given_name="Balthasar")
    world.give_up(theirs, wrap(Delivery.from_row(orjson.dumps(theirs), 1, "a/b:1")), others)
    world.give_up(theirs)
    golden = next(raw for raw in world.golden_messages() if MARKER.encode() in raw)
    world.give_up(golden, stream=world.golden)
    receipt, left = world.erase()
    assert set(places_of(left)) == STREAMS
    assert receipt.stores["on_failure"].removed == 4
    contents = [content for _, content in world.places.letters[1].each_object()]
    events = [event for content in contents for event in read_contents("on_failure", content).events]
    assert sorted(len(read_contents("on_failure", content).events) for content in contents) == [1, 1]
    kept = [event.delivery.raw for event in events]
    assert orjson.dumps(others) in kept
    [message] = [parse_envelope(raw).data for raw in kept if raw != orjson.dumps(others)]
    assert "family_name" not in message.values
    assert not any(MARKER.encode() in raw for raw in kept)


def test_a_quarantined_event_that_does_not_say_whose_it_is(world: World) -> None:
    """It goes if it holds the record's id and a value that nobody else has; with one of the two it is reported."""
    fill(world)
    named = b'{"op": "upsert", "who": "p-7", "family_name": "' + MARKER.encode() + b'"'
    unnamed, foreign = named.replace(b"p-7", b"p-70"), b'{"who": "p-7", "given_name": "Adelgundis"'
    world.send(named, unnamed, foreign)
    assert places_of(world.search(MARKER))["quarantine"] == 4
    _, left = world.erase(values=[MARKER])
    findings = {each.what: each for each in left.findings if each.store == "quarantine"}
    assert set(findings) == {UNCLEAR, f"{UNCLEAR}, with an id of theirs"}
    contents = [content for _, content in world.places.letters[0].each_object()]
    kept = [event.delivery.raw for content in contents for event in read_contents("quarantine", content).events]
    assert sorted(kept) == sorted([unnamed, foreign])
    letter_ids = {letter.letter_id for letter in world.places.letters[0].find(Selection())}
    assert {where for finding in findings.values() for where in finding.where} == letter_ids


@pytest.mark.parametrize("escape", [str.lower, str.upper])
def test_a_cut_and_escaped_event_does_not_fool_the_search(world: World, escape: Callable[[str], str]) -> None:
    """The text of a broken event is found although JSON would have to be parsed to read it; it goes if it is theirs."""
    world.send(upsert(family_name="M\u00f6wenst\u00f6ver"))
    written = f"M\\u{escape('00f6')}wenst\\u{escape('00f6')}ver"
    theirs = (
        b'{"domain": "person", "source": "crm", "record_id": "p-7", "attributes": {"family_name": "' + written.encode()
    )
    word = b'{"who": "p-7", "name": "' + written.encode() + b'", "x'
    world.send(theirs, word, b'{"name": "' + written.encode())
    assert places_of(world.search("M\u00f6wenst\u00f6ver"))["quarantine"] == 3
    _, left = world.erase()
    [finding] = [each for each in left.findings if each.store == "quarantine"]
    assert (finding.what, finding.count) == (UNCLEAR, 1)


def test_a_value_beside_an_event_is_found(world: World) -> None:
    """The place of a reason may repeat a member's name, and an origin is a file's name."""
    fill(world)
    reason = Reason("unknown_member", f"attributes.{MARKER}", "is not known")
    entry = QuarantineEntry(Delivery.unplaced(b'{"a": 1', f"{OLD}.csv:7"), (reason,), 0)
    QuarantineStore(FolderObjects(world.folder / "quarantine")).put([entry])
    left = world.search(MARKER)
    assert [each.count for each in left.findings if each.what == BESIDE] == [1]


def test_several_values_point_to_somebody(world: World) -> None:
    """Each is shared or short, so that it says nothing alone; together they are reported, and not removed."""
    world.send(upsert(family_name="Wintersheim", city="Ulm"), upsert("erp/1", family_name="Wintersheim", city="Ulm"))
    world.send(b'{"n": "Wintersheim", "c": "Ulm', b'{"n": "Wintersheim", "c": "Ulmen"', b'{"c": "Ulm"')
    _, left = world.erase()
    [finding] = [each for each in left.findings if each.store == "quarantine"]
    assert (finding.what, finding.count) == (f"{UNCLEAR}, with several of their values", 1)


def test_what_cannot_be_read_proves_nothing(world: World) -> None:
    """A payload in a packing that nothing here undoes is reported."""
    world.send(upsert())
    world.send(b"\x28\xb5\x2f\xfd" + bytes(range(64)))
    _, left = world.erase()
    [finding] = [each for each in left.findings if each.store == "quarantine"]
    assert finding.what == f"{UNCLEAR}, with content that cannot be read"


def test_other_domains_are_not_this_ones(world: World) -> None:
    """A record of the same key in another domain is another record, and what it shares is not this one's alone."""
    fill(world)
    firm = {**upsert(), "domain": "organisation", "attributes": {"name": f"{MARKER} GmbH", "city": OLD}}
    world.send(firm)
    world.give_up(firm)
    _, left = world.erase()
    assert set(places_of(left)) == STREAMS
    assert OLD not in left.own
    assert list(world.places.letters[1].each_object())
    assert [row.refs for row in world.archive.read_new("organisation", set())] == [(REF,)]


def test_a_late_delivery_is_found_on_the_stream_alone(world: World) -> None:
    """Whatever comes of an erased record, good or bad, is applied, archived and quarantined by nobody."""
    fill(world)
    world.erase()
    before = places_of(world.search(MARKER))["change_stream"]
    report = world.send(upsert(version=50, city=MARKER), {**upsert(version=51, city=MARKER), "surprise": 1})
    assert report is not None
    assert (report.archived, report.quarantined, report.dropped) == (0, 0, 1)
    left = places_of(world.search(MARKER, OLD))
    assert set(left) == STREAMS
    assert left["change_stream"] == before + 2


def test_an_erasure_that_nobody_applies_says_so_and_is_completed_later(world: World) -> None:
    """Without consumers, or while the domain is held, it ends with a sentence; once they run it is done."""
    fill(world)
    world.consuming = False
    with pytest.raises(TransientError, match=r"has not erased.* within 0 s.*consumers run"):
        world.erase(options=EraseOptions(wait_s=0))
    assert "archive" in places_of(world.search())
    world.consuming = True
    world.consume()
    _, left = world.erase()
    assert set(places_of(left)) == STREAMS
    hold(world.client, "main", "person", "somebody looks into it")
    assert set(places_of(world.search(MARKER))) == STREAMS


def test_what_nobody_has_heard_of_is_known_before(world: World) -> None:
    """A record of which only the archive or a dead letter knows counts as known; any other does not."""
    fill(world)
    world.give_up(upsert("crm/given-up"))
    erasures = {ref: Erase(world.places, RULES, [ref]).known() for ref in (REF, "crm/given-up", "crm/typo")}
    assert {ref: known.refs for ref, known in erasures.items()} == {
        REF: {REF},
        "crm/given-up": {"crm/given-up"},
        "crm/typo": set(),
    }
    assert erasures[REF].values.texts >= {MARKER + "stadt", OLD, "1971-02-03"}


def test_a_key_that_no_event_could_have_is_refused(world: World) -> None:
    """An erase event that the consumer would reject is not sent."""
    with pytest.raises(TerminalError, match="no such record"):
        Erase(world.places, RULES, ["crm/" + "x" * 300])


def test_an_aggregate_is_looked_into_and_kept_without_what_is_theirs(world: World) -> None:
    """On the stream their event is found within it; of a failed batch the others' events stay, at their places."""
    fill(world)
    theirs, others = (orjson.dumps(each) for each in (upsert(version=3, city=MARKER), upsert("erp/2", version=4)))
    several = aggregate_of([UserRecord(raw, "key") for raw in (others, theirs, others)])
    world.erase()
    assert places_of(world.search())["change_stream"] == 3
    world.consuming = False
    world.send(several)
    world.give_up(several)
    assert places_of(world.search())["change_stream"] == 4
    world.consuming = True
    receipt, left = world.erase()
    assert set(places_of(left)) == STREAMS
    assert receipt.stores["on_failure"].removed == 1
    ((_, content),) = world.places.letters[1].each_object()
    (record,) = read_contents("on_failure", content).events
    assert [(each.raw, each.subsequence) for each in unpack(record.delivery)] == [(others, 0), (others, 2)]


def test_old_versions_of_rows_are_told_until_they_are_gone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Time Travel can be read: while the warehouse keeps old versions of erased rows the erasure is not complete."""
    until = datetime(2031, 3, 8, 12, tzinfo=UTC)
    kept = [OldVersions("golden_history", "Time Travel of 1 days, then Fail-safe", until)]

    def old_versions(self: DuckDbWarehouse, domain: str, refs: Collection[str]) -> list[OldVersions]:
        assert (domain, set(refs)) == ("person", {REF})
        return kept if self.erased(domain) else []

    monkeypatch.setattr(DuckDbWarehouse, "old_versions", old_versions)
    real_purge = DuckDbWarehouse.purge
    monkeypatch.setattr(DuckDbWarehouse, "purge", lambda self: not real_purge(self))
    fill(world)
    receipt, left = world.erase()
    what = "old rows of table golden_history (Time Travel of 1 days, then Fail-safe)"
    assert set(places_of(left)) == {*STREAMS, "warehouse"}
    assert receipt.stores["warehouse"].left_until == "2031-03-08T12:00:00.000000Z"
    assert [each for each in receipt.left if each.store == "warehouse"] == [
        LeftInPlace("warehouse", what, 1, "2031-03-08T12:00:00.000000Z")
    ]
    assert SNOWFLAKE_NOTE in receipt.notes
    kept.clear()
    assert "warehouse" not in places_of(world.search(MARKER))


def test_nothing_is_left_in_an_epoch_that_is_kept_for_going_back(world: World, redis_url: str) -> None:
    """It cannot be erased from, so it goes with the erasure; what is live stays."""
    fill(world)
    feed = Feed()
    feed.messages = world.golden_messages()
    Rebuild(
        RULES, redis_url, "main", archive=world.archive, golden=feed, published=feed,
        options=RebuildOptions(workers=1, publish_grace_s=0.0, keep_before=True),
    ).run()  # fmt: skip
    kept = kept_epoch(world.client, RULES, "main")
    assert kept is not None
    assert "index" in places_of(world.search(MARKER))
    _, left = world.erase()
    assert kept_epoch(world.client, RULES, "main") is None
    assert set(places_of(left)) == STREAMS
    assert world.index.snapshot().crosswalk.keys() == {"erp/1", "erp/2", "web/1"}
