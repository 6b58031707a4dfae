"""Sending dead letters again: what is sent, in which order, and what is left wherever the sender dies."""

import contextlib
import random

import pytest
from letters_at_hand import CHANGES, GOLDEN, both, change, delivered, give_up, names, reject

from mdm_stream.dead_letters import Message, RedriveRun, Selection, Streams
from mdm_stream.dead_letters import redrive as module
from mdm_stream.dead_letters.letters import REDRIVING, find_all
from mdm_stream.decode.redrive_envelope import unwrap, wrap

RUN = "a" * 16


class Killed(BaseException):
    """The process dies here: nothing catches it."""


class Stream:
    """What the streams took, in order; it refuses chosen records, and can die before or after it takes a portion."""

    def __init__(self):
        self.taken: list[Message] = []
        self.portions = 0
        self.refused: set[bytes] = set()
        self.dies = None

    def deliver(self, messages):
        """Take a portion."""
        if self.dies == "before":
            raise Killed
        self.portions += 1
        fine = [message for message in messages if message.data not in self.refused]
        self.taken += fine
        if self.dies == "after":
            raise Killed
        return {place: "Throttled" for place, each in enumerate(messages) if each.data in self.refused}

    def raws(self):
        """The events that were taken, out of their envelopes."""
        return [unwrap(message.data).raw for message in self.taken]


def key_of(raw):
    """A key that shows that it was asked for."""
    return f"own/{len(raw)}" if raw.startswith(b"{") else None


@pytest.fixture
def stream():
    """Streams that take everything, at first."""
    return Stream()


def send(objects, stream, selection=None, run=RUN, golden=GOLDEN):
    """One run of redrive over both kinds."""
    stores = both(objects)
    letters = find_all(stores, selection or Selection())
    return RedriveRun(stores, Streams(CHANGES, golden), key_of, stream.deliver).send(letters, run)


def test_an_event_is_sent_as_what_it_was(objects, stream):
    """Rejected or given up: on the stream again it has its bytes, its place and its time; then the letter is gone."""
    reject(objects, change("1"), 1)
    give_up(objects, [change("2"), change("3")], 2)
    report = send(objects, stream)
    assert (report.letters, report.events, report.complete) == (2, 3, True)
    assert [int(unwrap(message.data).position) for message in stream.taken] == [1, 2, 3]
    assert stream.raws() == [change("1"), change("2"), change("3")]
    assert [message.stream for message in stream.taken] == [CHANGES] * 3
    assert names(objects) == []


def test_partition_keys(objects, stream):
    """A record that was given up keeps its key, a rejected event gets its record's, and rubbish its letter's id."""
    reject(objects, change("1"), 1)
    rubbish = reject(objects, b"\x00", 2)
    give_up(objects, [change("3")], 3)
    send(objects, stream)
    assert [message.partition_key for message in stream.taken] == [f"own/{len(change('1'))}", rubbish, "key-3"]


def test_an_event_without_a_kept_place_is_sent_as_it_is(objects, stream):
    """Those of releases that kept none get a new place, as an event that was never on the stream."""
    reject(objects, change("1"), 1, place=False)
    assert send(objects, stream).complete
    assert [message.data for message in stream.taken] == [change("1")]


def test_an_envelope_is_sent_as_it_is(objects, stream):
    """An event that failed again on its second way keeps the place of its first; a damaged envelope is not hidden."""
    envelope = wrap(delivered(change("1"), 1, "first"))
    give_up(objects, [envelope], 900)
    reject(objects, envelope[:-3], 901)
    assert send(objects, stream).complete
    assert [message.data for message in stream.taken] == [envelope, envelope[:-3]]


def test_golden_changes_go_back_to_the_golden_feed(objects, stream):
    """What the warehouse consumer gave up is sent to its own stream, as it was: it is no change event."""
    give_up(objects, [b'{"golden":1}'], 5, stream=GOLDEN)
    assert send(objects, stream).complete
    assert stream.taken == [Message(GOLDEN, "key-5", b'{"golden":1}')]


def test_a_golden_change_may_be_larger_than_an_event(objects, stream):
    """A feed's stream takes what its limit says: what lay on it goes back, if one request can carry it."""
    room = module.GOLDEN_BYTES_MAX - len("key-5")
    give_up(objects, [b"{" + b"x" * (room - 1)], 5, stream=GOLDEN)
    assert send(objects, stream).complete
    assert [len(message.data) for message in stream.taken] == [room]
    letter_id = give_up(objects, [b"{" + b"x" * room], 5, stream=GOLDEN)
    assert "larger than a stream takes" in send(objects, stream).refused[letter_id]


def test_what_belongs_elsewhere_is_refused(objects, stream):
    """A batch of a stream that was not named is left where it is, and said; the others are sent."""
    letter_id = give_up(objects, [b"{}"], 5, stream=GOLDEN)
    reject(objects, change("6"), 6)
    before = [name for name in names(objects) if letter_id in name]
    report = send(objects, stream, golden=None)
    assert list(report.refused) == [letter_id]
    assert "stream golden" in report.refused[letter_id]
    assert (report.letters, names(objects)) == (1, before)


def test_what_cannot_fit_is_refused(objects, stream):
    """An event that no envelope can hold stays in quarantine, and is named by its letter."""
    letter_id = reject(objects, random.Random(1).randbytes(1_048_570), 1)
    report = send(objects, stream)
    assert list(report.refused) == [letter_id]
    assert "in its envelope" in report.refused[letter_id]
    assert (stream.taken, len(names(objects))) == ([], 1)


def test_an_unreadable_letter_is_refused(objects, stream):
    """It is never taken for sent."""
    objects.put("person/" + "0" * 32 + ".json", b"{}")
    assert list(send(objects, stream).refused) == ["0" * 32]
    assert len(names(objects)) == 1


def test_an_event_is_sent_once_in_a_run(objects, stream, monkeypatch):
    """A batch that was written twice (a crash before the checkpoint) is sent once, over portions too."""
    monkeypatch.setattr(module, "PORTION_LETTERS_MAX", 1)
    for _ in range(3):
        give_up(objects, [change("1"), change("2")], 1)
    report = send(objects, stream)
    assert (report.letters, report.events, stream.raws()) == (3, 2, [change("1"), change("2")])
    assert names(objects) == []


def test_what_the_stream_does_not_take_is_kept(objects, stream, monkeypatch):
    """A letter stays until all of its events were taken; after a portion that failed nothing more is tried."""
    monkeypatch.setattr(module, "PORTION_LETTERS_MAX", 2)
    batch = give_up(objects, [change("1"), change("2")], 1)
    done = reject(objects, change("3"), 3)
    later = reject(objects, change("4"), 4)
    stream.refused = {wrap(delivered(change("2"), 2))}
    report = send(objects, stream)
    assert (report.letters, report.events) == (1, 2)
    assert report.failed == {batch: "1 events were not taken (Throttled)"}
    assert report.untried == [later]
    assert not any(done in name for name in names(objects))
    stream.refused.clear()
    stream.taken.clear()
    assert send(objects, stream, run="b" * 16).complete
    assert stream.raws() == [change("1"), change("2"), change("4")]
    assert names(objects) == []


@pytest.mark.parametrize("dies", ["before", "after"])
def test_a_sender_that_dies_loses_nothing(objects, stream, dies):
    """Killed before or after the stream took the events, the letters are there, marked, and the next run sends them."""
    ids = {reject(objects, change(str(number)), number) for number in range(3)} | {give_up(objects, [change("8")], 8)}
    stream.dies = dies
    with pytest.raises(Killed):
        send(objects, stream)
    left = find_all(both(objects), Selection())
    assert {letter.letter_id for letter in left} == ids
    assert all(letter.redriving for letter in left)
    stream.dies = None
    stream.taken.clear()
    assert send(objects, stream, run="b" * 16).complete
    assert stream.raws() == [change(str(number)) for number in (0, 1, 2, 8)]
    assert names(objects) == []


@pytest.mark.parametrize("operation", ["put", "delete"])
@pytest.mark.parametrize("after", range(4))
def test_killed_at_any_write_of_the_store_loses_nothing(objects, stream, monkeypatch, operation, after):
    """Wherever a run is cut short, every event was taken by the stream or is in a letter; the next run ends it."""
    raws = [change(str(number)) for number in range(2)]
    for number, raw in enumerate(raws):
        reject(objects, raw, number)
    done, original = [], getattr(type(objects), operation)

    def dying(self, *arguments):
        if len(done) == after:
            raise Killed
        done.append(arguments)
        return original(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(type(objects), operation, dying)
        with contextlib.suppress(Killed):
            send(objects, stream)
    stores = both(objects)
    held = [
        event.delivery.raw
        for each in stores
        for letter in each.find(Selection())
        for event in each.contents(letter).events
    ]
    assert set(held) | set(stream.raws()) == set(raws)
    assert send(objects, stream, run="b" * 16).complete
    assert set(stream.raws()) == set(raws)
    assert names(objects) == []


def test_an_event_that_is_rejected_again_stays(objects, stream):
    """The consumer may reject it before the run has ended, under the name that it had: that is not removed."""
    reject(objects, change("1"), 1)

    def rejecting(messages):
        for message in messages:
            event = unwrap(message.data)
            assert event == delivered(change("1"), 1)
            reject(objects, event.raw, 1)
        return {}

    stream.deliver = rejecting
    for run in ("a" * 16, "b" * 16):
        assert send(objects, stream, run=run).letters == 1
        (name,) = names(objects)
        assert not name.startswith(REDRIVING)


def test_two_senders_at_a_time_lose_nothing(objects, stream):
    """One that takes up what another is about to send removes only what it has sent itself."""
    reject(objects, change("1"), 1)
    inner = Stream()

    def interrupted(messages):
        assert send(objects, inner, run="b" * 16).letters == 1  # the other finds it set aside, and sends it
        reject(objects, change("1"), 1)  # and it is rejected again
        return stream.__class__.deliver(stream, messages)

    redriving = Stream()
    redriving.deliver = interrupted
    assert send(objects, redriving).letters == 1
    assert inner.raws() == stream.raws() == [change("1")]
    assert len(names(objects)) == 1


def test_portions_are_bounded(objects, stream, monkeypatch):
    """What is set aside at a time is limited in letters and in bytes, so that neither memory nor leftovers grow."""
    monkeypatch.setattr(module, "PORTION_LETTERS_MAX", 3)
    monkeypatch.setattr(module, "PORTION_BYTES_MAX", 2 * len(change("1")))
    for number in range(5):
        reject(objects, change(str(number)), number)
    send(objects, stream)
    assert stream.portions == 3
    assert len(stream.taken) == 5
