"""What a record of the stream holds, and that everything which reads the stream unpacks it."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest
from letters_at_hand import change, give_up, names
from rulesets import PERSONS

from mdm_stream.archive.rows import rows_of
from mdm_stream.dead_letters import DeadLetters, Selection
from mdm_stream.decode import Decoder, Delivery, unpack, unpacking
from mdm_stream.decode.redrive_envelope import MARKER, wrap
from mdm_stream.erasure.in_letters import Certainty, erase_in_letters
from mdm_stream.erasure.whose import Owners
from mdm_stream.errors import RejectedEventError
from mdm_stream.objects.folder import FolderObjects

FIRST = Delivery(change("1", "streamed"), "7".zfill(64), 1_000_000, "changes/s:7")


def lines(delivery: Delivery) -> tuple[Delivery, ...]:
    """A layer such as an aggregate's: several events in one record, one a line."""
    parts = delivery.raw.split(b"\n")
    return tuple(replace(delivery, raw=raw, subsequence=number) for number, raw in enumerate(parts))


@pytest.fixture
def aggregates(monkeypatch):
    """A stream whose records may hold several events, below the redrive envelope."""
    monkeypatch.setattr(unpacking, "LAYERS", (*unpacking.LAYERS, lines))


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


def test_layers_are_taken_off_from_the_outermost_inwards(aggregates):
    """An envelope with several events gives each of them the place of their record, and its own place in it."""
    both = replace(FIRST, raw=b"a\nb")
    held = unpack(Delivery(wrap(both), "99".zfill(64), 0))
    first = replace(FIRST, redriven_on=unpacking.UNKNOWN_STREAM)
    assert held == (replace(first, raw=b"a"), replace(first, raw=b"b", subsequence=1))


def test_an_envelope_takes_no_event_out_of_a_record_of_several():
    """It keeps no subsequence, so the event would come back as another one."""
    with pytest.raises(ValueError, match="within a record"):
        wrap(replace(FIRST, subsequence=1))


def test_every_reader_of_the_stream_unpacks(aggregates, tmp_path):
    """Of a record with several events dead letters show what all claim, and an erasure takes out one of them."""
    both = change("1", "web") + b"\n" + change("2", "web")
    owners = Owners(Decoder(PERSONS), "person", ["web/2"])
    assert [said.whose for said in owners.of(Delivery.unplaced(both))] == ["others", "theirs"]
    objects = FolderObjects(tmp_path)
    give_up(objects, [both], 1)
    letters = DeadLetters(objects, "on_failure")
    (letter,) = letters.find(Selection())
    assert (letter.domain, letter.source, letter.record_id) == ("person", "web", None)
    assert erase_in_letters(letters, owners, ["web/2"], []).events == 1
    (letter,) = letters.find(Selection())
    assert [event.delivery.raw for event in letters.contents(letter).events] == [change("1", "web")]
    assert len(names(objects)) == 1
    assert not Certainty(["web/2"], []).is_theirs(both)


def test_what_is_archived_decodes_to_the_same():
    """A row keeps all of a delivery that its event says something by."""
    decoder = Decoder(PERSONS)
    events = decoder.decode(FIRST)
    (row,) = rows_of("person", events, FIRST)
    assert decoder.decode(Delivery(row.raw, row.position, row.arrival_time_us, row.origin)) == events
    assert orjson.loads(row.raw)["record_id"] == "1"
