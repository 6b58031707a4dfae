"""What a record of the stream holds, and that everything which reads the stream unpacks it."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest
from letters_at_hand import change, give_up, names
from rulesets import PERSONS

from mdm_stream.archive.rows import delivery_of, rows_of
from mdm_stream.contracts.change import encode_event
from mdm_stream.contracts.kpl import UserRecord, aggregate_of
from mdm_stream.dead_letters import DeadLetters, Selection
from mdm_stream.dead_letters.quarantine import QuarantineEntry, decode_entry, encode_entry
from mdm_stream.decode import Decoder, Delivery, unpack, unpacking
from mdm_stream.decode.delivery import split_place
from mdm_stream.decode.redrive_envelope import MARKER, wrap
from mdm_stream.erasure.in_letters import Certainty, erase_in_letters
from mdm_stream.erasure.whose import Owners
from mdm_stream.errors import Reason, RejectedEventError
from mdm_stream.objects.folder import FolderObjects

FIRST = Delivery(change("1", "streamed"), "7".zfill(64), 1_000_000, "changes/s:7")


def together(*contents: bytes) -> bytes:
    """An aggregate of events."""
    return aggregate_of([UserRecord(content, f"key-{number}") for number, content in enumerate(contents)])


def test_a_plain_record_is_its_own_delivery():
    """Most records are events: unpacking them changes nothing, and nor does unpacking twice."""
    assert unpack(FIRST) == (FIRST,)


def test_a_redriven_record_is_what_was_first_delivered():
    """Bytes, place, time and origin are those of the first delivery; of the envelope's only its stream is kept."""
    again = Delivery(wrap(FIRST), "99".zfill(64), 5_000_000, "again/s:99")
    assert unpack(again) == (replace(FIRST, redriven_on="again"),)
    assert unpack(unpack(again)[0]) == unpack(again)


def test_a_damaged_wrapping_is_rejected():
    """No part of it is delivered."""
    with pytest.raises(RejectedEventError) as caught:
        unpack(Delivery.unplaced(MARKER + b"\x00\x02{}"))
    assert [reason.code for reason in caught.value.reasons] == ["bad_envelope"]


def test_layers_are_taken_off_from_the_outermost_inwards():
    """An envelope with several events gives each of them the place of their record, and its own place in it."""
    both = replace(FIRST, raw=together(b"a", b"b"))
    held = unpack(Delivery(wrap(both), "99".zfill(64), 0))
    first = replace(FIRST, redriven_on=unpacking.UNKNOWN_STREAM)
    assert held == (replace(first, raw=b"a"), replace(first, raw=b"b", subsequence=1))
    assert [unpack(each) for each in held] == [(each,) for each in held]


def test_an_envelope_keeps_an_events_place_in_its_record():
    """Redriven, the second of two events is still the second: its version may come from there."""
    second = replace(FIRST, subsequence=1)
    (again,) = unpack(Delivery(wrap(second), "99".zfill(64), 0))
    assert again == replace(second, redriven_on=unpacking.UNKNOWN_STREAM)
    assert FIRST.place < second.place < replace(FIRST, position="8".zfill(64)).place
    assert split_place(second.place) == (FIRST.position, 1)
    with pytest.raises(ValueError, match="position must be"):
        wrap(replace(FIRST, position="7.12"))


def test_events_of_one_record_are_ordered_by_their_place_in_it():
    """Whose versions are positions: the later event of an aggregate is newer, and archived it stays so."""
    raw = together(change("1", "streamed", attributes={"city": "Bonn"}), change("1", "streamed"))
    decoder, versions = Decoder(PERSONS), []
    for each in unpack(replace(FIRST, raw=raw)):
        events = decoder.decode(each)
        (row,) = rows_of("person", events, each)
        assert decoder.decode(delivery_of(row)) == events
        (again,) = decoder.decode(replace(each, raw=encode_event(events[0])))
        assert again == events[0]
        versions.append(events[0].version)
    assert versions == sorted(versions)
    assert len(set(versions)) == 2


def test_a_rejected_event_keeps_its_place_in_quarantine():
    """It is one entry of its own, which comes back as it was: two equal events of one record are two entries."""
    same = change("1", "streamed")
    held = unpack(replace(FIRST, raw=together(same, same)))
    entries = [QuarantineEntry(each, (Reason("unknown_source", "source", "is not known"),), 10**15) for each in held]
    assert [decode_entry(encode_entry(entry)) for entry in entries] == entries
    assert len({entry.quarantine_id for entry in entries}) == 2


@pytest.mark.parametrize("inner", [together(b"{}"), wrap(FIRST), MARKER])
def test_what_is_sent_is_wrapped_once(inner: bytes):
    """An aggregate in an aggregate, or an envelope, is refused: it could say of its event what it likes."""
    with pytest.raises(RejectedEventError) as caught:
        unpack(replace(FIRST, raw=together(change("1"), inner)))
    assert [reason.code for reason in caught.value.reasons] == ["bad_aggregate"]


def test_every_reader_of_the_stream_unpacks(tmp_path):
    """Of a record with several events dead letters show what all claim, and an erasure takes out one of them."""
    kept, theirs = change("1", "web"), change("2", "web")
    several = together(kept, theirs, kept)
    owners = Owners(Decoder(PERSONS), "person", ["web/2"])
    assert [said.whose for said in owners.of(Delivery.unplaced(several))] == ["others", "theirs", "others"]
    objects = FolderObjects(tmp_path)
    give_up(objects, [several, wrap(replace(FIRST, raw=several)), together(theirs)], 1)
    letters = DeadLetters(objects, "on_failure")
    (letter,) = letters.find(Selection())
    assert (letter.domain, letter.source, letter.record_id) == ("person", "web", None)
    assert [event.holds for event in letters.contents(letter).events] == [3, 3, 1]
    before = [unpack(event.delivery) for event in letters.contents(letter).events]
    assert erase_in_letters(letters, owners, ["web/2"], []).events == 3
    (letter,) = letters.find(Selection())
    after = [unpack(event.delivery) for event in letters.contents(letter).events]
    assert after == [tuple(each for each in held if each.raw == kept) for held in before[:2]]
    assert b"".join(name.encode() for name in names(objects)).count(b"lambda") == 1
    assert not Certainty(["web/2"], []).is_theirs(several)


def test_what_is_archived_decodes_to_the_same():
    """A row keeps all of a delivery that its event says something by."""
    decoder = Decoder(PERSONS)
    events = decoder.decode(FIRST)
    (row,) = rows_of("person", events, FIRST)
    assert decoder.decode(Delivery(row.raw, row.position, row.arrival_time_us, row.origin)) == events
    assert orjson.loads(row.raw)["record_id"] == "1"
