"""Which golden changes a delivery has caused: told from provenance, members, commits and witnesses of the archive."""

from __future__ import annotations

from collections.abc import Sequence

from mdm_stream.core.cluster.golden import golden_id_of
from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.core.fold import EMPTY, fold
from mdm_stream.core.model import EraseEvent, RecordEvent
from mdm_stream.decode import Delivery
from mdm_stream.trace.assemble import RecordStory, story_of
from mdm_stream.trace.causes import CLOCKS_APART_US
from mdm_stream.trace.effects import fold_effects
from mdm_stream.trace.findings import AcceptedDelivery, ArchivedPlace, GoldenHistory, ToldChange

REF = "crm/1"
GOLDEN = golden_id_of("person", REF)
START_US = 1_700_000_000_000_000
SECOND_US = 1_000_000


def delivered(
    version: int, at_s: float, *, batch: str, reached: int, op: str = "upsert", is_batch: bool = True, **attributes: str
) -> AcceptedDelivery:
    """Return a delivery that arrived so many seconds after the start, in an object with that witness."""
    arrived_us = START_US + round(at_s * SECOND_US)
    event = RecordEvent("person", "crm", "1", op, version, arrived_us, attributes)  # type: ignore[arg-type]
    delivery = Delivery(b"", f"{arrived_us:064d}", arrived_us, f"changes/shardId-0:{arrived_us}")
    place = ArchivedPlace(batch, 1, "2023-11-14", EpochPosition(1, reached, reached), is_batch)
    return AcceptedDelivery(delivery, (REF,), (place,), (event,), (event,))


def told(sequence: int, at_s: float, *versions: int, golden_id: str = GOLDEN, **more: object) -> ToldChange:
    """Return a change of the golden record that was committed then, with values of these versions."""
    written = {REF: frozenset((f"attribute_{version}", version) for version in versions)}
    fields: dict[str, object] = {"members": frozenset({REF, "erp/1"}), "written": written, "status": "live", **more}
    committed_us = START_US + round(at_s * SECOND_US)
    return ToldChange(golden_id, 1, sequence, committed_us=committed_us, **fields)  # type: ignore[arg-type]


def caused(deliveries: Sequence[AcceptedDelivery], changes: Sequence[ToldChange], **more: bool) -> list[list[int]]:
    """Return the sequence numbers of what each delivery has caused."""
    return [[each.change.sequence for each in of] for of in story(deliveries, changes, **more).caused]


def story(
    deliveries: Sequence[AcceptedDelivery], changes: Sequence[ToldChange], *, is_whole: bool = True
) -> RecordStory:
    """Return the story of the record."""
    return story_of("person", REF, deliveries, GoldenHistory(tuple(changes), is_whole=is_whole), None)


def test_provenance_tells_even_when_the_stream_had_a_backlog() -> None:
    """Both arrived before either was committed: the versions in provenance say which change is whose."""
    first = delivered(1, 0, batch="a", reached=1, city="x")
    second = delivered(2, 1, batch="b", reached=2, city="y")
    assert caused([first, second], [told(1, 10, 1), told(2, 11, 2)]) == [[1], [2]]


def test_two_deliveries_of_one_batch_share_its_commit() -> None:
    """The first never came out by itself, and is still a cause of what its batch has changed."""
    first = delivered(1, 0, batch="a", reached=1, city="x")
    second = delivered(2, 1, batch="a", reached=1, city="y")
    assert caused([first, second], [told(1, 2, 2)]) == [[1], [1]]


def test_values_that_all_lose_change_nothing() -> None:
    """A write none of whose values is published has caused no change of other batches."""
    first = delivered(1, 0, batch="a", reached=1, city="x")
    lost = delivered(2, 1, batch="b", reached=1, phone="y")
    third = delivered(3, 2, batch="c", reached=2, city="z")
    assert caused([first, lost, third], [told(1, 0.5, 1), told(2, 3, 3)]) == [[1], [], [2]]


def test_after_compaction_the_next_arrival_bounds() -> None:
    """A part witnesses no batch: what was committed after the next delivery came is not of the one before."""
    first = delivered(1, 0, batch="p", reached=9, is_batch=False, city="x")
    gone = delivered(2, 5, batch="p", reached=9, is_batch=False, op="delete")
    changes = [told(1, 1, 1), told(2, 6, members=frozenset({"erp/1"}), removed=frozenset({REF}))]
    assert caused([first, gone], changes) == [[1], [2]]
    assert caused([gone], changes[1:], is_whole=False) == [[]]


def test_a_delete_and_a_merge_are_told_by_members_and_commits() -> None:
    """All changes of the commit that concern the record are of the event: where it left, and where it joined."""
    other = "g" + "1" * 24
    first = delivered(1, 0, batch="a", reached=1, city="x")
    moved = delivered(2, 5, batch="b", reached=3, city="y")
    changes = [
        told(1, 1, 1),
        told(2, 6, members=frozenset(), status="retired", merged_into=other, anchor=REF),
        told(3, 6, 2, golden_id=other, members=frozenset({REF, "web/1"})),
    ]
    assert caused([first, moved], changes) == [[1], [2, 3]]
    words = [" and ".join(each.evidence) for each in story([first, moved], changes).caused[1]]
    assert f"retired, merged into {other}" in words[0]
    assert "became a member" in words[1]
    assert "of this write" in words[1]


def test_clocks_may_be_apart_a_little() -> None:
    """A commit that seems to be before the arrival of its event is its all the same, up to a limit."""
    apart_s = CLOCKS_APART_US / SECOND_US
    first = delivered(1, 0, batch="a", reached=1, city="x")
    assert caused([first], [told(1, -apart_s + 1, 1)]) == [[1]]
    assert caused([first], [told(1, -apart_s - 1, 1)]) == [[]]


def test_effects_follow_the_order_of_arrival() -> None:
    """Applied, a duplicate, stale; and what has taken their place by now."""
    first = delivered(5, 0, batch="a", reached=1, city="x")
    again = delivered(5, 0, batch="b", reached=1, city="x")
    again = AcceptedDelivery(
        Delivery(b"", "9", START_US + SECOND_US, "changes/shardId-0:9"),
        (REF,),
        again.places,
        again.events,
        again.counting,
    )
    stale = delivered(2, 2, batch="c", reached=1, city="w")
    effects = fold_effects(REF, [first, again, stale], None)
    assert [each.kind for each in effects] == ["applied", "duplicate", "stale"]
    assert effects[1].earlier == first.delivery.origin
    assert [each.beaten_by for each in effects] == ["", "", "5"]
    later = fold(EMPTY, RecordEvent("person", "crm", "1", "upsert", 7, 0, {"city": "y"}), REF).state
    assert [each.beaten_by for each in fold_effects(REF, [first], later)] == ["7"]
    erased = fold(EMPTY, EraseEvent("person", REF, 0), REF).state
    assert [each.beaten_by for each in fold_effects(REF, [first], erased)] == ["an erasure"]


def test_what_operators_took_out_and_what_no_rules_read() -> None:
    """Neither is applied, and each says which it is."""
    first = delivered(1, 0, batch="a", reached=1, city="x")
    out = AcceptedDelivery(first.delivery, first.refs, first.places, first.events, ())
    unread = AcceptedDelivery(first.delivery, first.refs, first.places, (), (), problem="unknown_source")
    assert [each.kind for each in fold_effects(REF, [out, unread], None)] == ["excluded", "unreadable"]
