"""Finding and reading dead letters, on a real folder and on S3 as moto has it."""

import base64

import orjson
import pytest
from letters_at_hand import CHANGES, GOLDEN, SHARD, both, change, delivered, give_up, names, reject

from mdm_stream.core.times import format_time_us
from mdm_stream.dead_letters import DeadLetters, Selection
from mdm_stream.dead_letters.contents import read_contents
from mdm_stream.dead_letters.letters import REDRIVING, find_all
from mdm_stream.decode.redrive_envelope import wrap
from mdm_stream.errors import TerminalError
from mdm_stream.objects.store import MissingObjectError

RUN = "0123456789abcdef"
ASYNCHRONOUS = "aws/lambda/async/fn/2026/01/01/2026-01-01T00.00.00-00000000-0000-0000-0000-000000000001"
"""What Lambda writes for an invocation that no event source made: its payload is not ours to send to a stream."""


def test_a_rejected_event_is_a_letter(objects):
    """Its id, claims, reasons and size are listed; its bytes, place and time are read when they are asked for."""
    raw = change("1")
    letter_id = reject(objects, raw, 7)
    letters = DeadLetters(objects, "quarantine")
    (letter,) = letters.find(Selection())
    assert letter.summary() == {
        "id": letter_id,
        "kind": "quarantine",
        "redriving": False,
        "when": format_time_us(10**15),
        "domain": "person",
        "source": "crm",
        "record_id": "1",
        "causes": ["unknown_source"],
        "events": 1,
        "bytes": len(raw),
        "problem": None,
    }
    (event,) = letters.contents(letter).events
    assert event.delivery == delivered(raw, 7)


@pytest.mark.parametrize("suffix", ["", ".json"], ids=["as Lambda names it", "as the local folder does"])
def test_a_batch_that_was_given_up_is_a_letter(objects, suffix):
    """Each of its records is an event with its own place, partition key and stream; what all claim, it claims."""
    letter_id = give_up(objects, [change("1"), change("2")], 40, suffix=suffix)
    letters = DeadLetters(objects, "on_failure")
    (letter,) = letters.find(Selection())
    assert letter.letter_id == letter_id
    assert (letter.events, letter.causes, letter.redriving) == (2, ("RetryAttemptsExhausted",), False)
    assert (letter.domain, letter.source, letter.record_id) == ("person", "crm", None)
    first, second = letters.contents(letter).events
    assert (first.delivery, first.partition_key) == (delivered(change("1"), 40), "key-40")
    assert (second.delivery, second.stream) == (delivered(change("2"), 41), CHANGES)


def test_a_redriven_event_still_claims_what_it_claims(objects):
    """An envelope on the stream is looked into for what its event is about; a damaged one claims nothing."""
    envelope = wrap(delivered(change("1"), 3, "x"))
    give_up(objects, [envelope], 1)
    give_up(objects, [envelope[:-1]], 2)
    found = DeadLetters(objects, "on_failure").find(Selection())
    assert [letter.record_id for letter in found] == ["1", None]


def test_letters_come_in_the_order_of_the_stream(objects):
    """Whichever kind they are, and however they were written: by arrival of their first event."""
    expected = {3: reject(objects, change("3"), 3), 1: reject(objects, change("1"), 1)}
    expected |= {2: give_up(objects, [change("2")], 2), 4: give_up(objects, [change("4")], 4)}
    found = find_all(both(objects), Selection())
    assert [letter.letter_id for letter in found] == [expected[number] for number in sorted(expected)]


def test_letters_are_selected(objects):
    """By id, domain, source, and reason or condition; what is said together must all hold."""
    crm = reject(objects, change("1"), 1)
    erp = reject(objects, change("2", source="erp"), 2, code="missing")
    rubbish = reject(objects, b"\x00", 3, code="binary")
    mixed = give_up(objects, [change("3"), change("4", source="erp")], 4)

    def found(**wanted):
        return {letter.letter_id for letter in find_all(both(objects), Selection(**wanted))}

    assert found() == {crm, erp, rubbish, mixed}
    assert found(letter_ids=frozenset({crm, mixed})) == {crm, mixed}
    assert found(domain="person") == {crm, erp, mixed}
    assert found(source="crm") == {crm}
    assert found(cause="missing") == {erp}
    assert found(cause="RetryAttemptsExhausted") == {mixed}
    assert found(domain="person", cause="binary") == set()
    assert found(letter_ids=frozenset({crm}), source="erp") == set()


def test_other_objects_are_not_touched(objects):
    """What has not the name of a dead letter is none, whatever it holds."""
    for name in (
        "readme.txt",
        "person/x.json",
        "aws/lambda/x",
        ASYNCHRONOUS,
        f"{REDRIVING}/a/b.json",
        "a/b/" + "0" * 32 + ".json",
    ):
        objects.put(name, b"{}")
    assert find_all(both(objects), Selection()) == []


def test_what_is_set_aside_is_the_same_letter(objects):
    """It has its id, is found as one that is being redriven, and can be set aside again only by another name."""
    letter_id = reject(objects, change("1"), 1)
    letters = DeadLetters(objects, "quarantine")
    (letter,) = letters.find(Selection())
    assert letters.set_aside(letter, RUN) == (f"{REDRIVING}/{RUN}/person/{letter_id}.json",)
    (aside,) = letters.find(Selection())
    assert (aside.letter_id, aside.redriving, aside.events) == (letter_id, True, 1)
    assert letters.contents(letters.find(Selection())[0]).events[0].delivery.raw == change("1")
    assert letters.set_aside(aside, "f" * 16) == aside.names
    with pytest.raises(MissingObjectError):
        letters.set_aside(letter, RUN)
    with pytest.raises(ValueError, match="hexadecimal"):
        letters.set_aside(aside, "../..")


def test_a_letter_that_came_again_is_one_letter(objects):
    """What a redrive left, and the same event rejected once more, are one letter with two objects."""
    letter_id = reject(objects, change("1"), 1)
    letters = DeadLetters(objects, "quarantine")
    letters.set_aside(letters.find(Selection())[0], RUN)
    assert reject(objects, change("1"), 1) == letter_id
    (letter,) = letters.find(Selection())
    assert len(letter.names) == 2
    letters.remove(letter.names)
    assert names(objects) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no document"),
        (b"[]", "no document"),
        (b"\xff", "no document"),
        (b'{"requestContext":{"condition":"x"},"timestamp":"now"}', "no document"),
        (b'{"requestContext":{"condition":"x"},"timestamp":"2026-01-01T00:00:00Z"}', "no payload"),
        (b'{"requestContext":{"condition":"x"},"timestamp":"2026-01-01T00:00:00Z","payload":"{"}', "no event"),
        (b'{"requestContext":{"condition":"x"},"timestamp":"2026-01-01T00:00:00Z","payload":"[]"}', "no event"),
        (
            b'{"requestContext":{"condition":"x"},"timestamp":"2026-01-01T00:00:00Z","payload":"{\\"Records\\":[]}"}',
            "no records",
        ),
    ],
)
def test_an_unreadable_object_is_a_letter_with_a_problem(objects, content, said):
    """It is listed with what is wrong, so that nobody takes it for handled, and hides no other letter."""
    name = f"aws/lambda/m/{SHARD}/2026/01/01/x-00000000-0000-0000-0000-000000000001"
    objects.put(name, content)
    good = give_up(objects, [change("1")], 1)
    letters = DeadLetters(objects, "on_failure")
    bad, other = letters.find(Selection())
    assert said in bad.problem
    assert bad.summary()["when"] is None
    assert other.letter_id == good
    with pytest.raises(TerminalError, match=said):
        letters.contents(bad)


def record(**changes):
    """A record of a Kinesis event with members changed; those of ``kinesis`` too."""
    kinesis = {
        "sequenceNumber": "5",
        "partitionKey": "k",
        "data": base64.b64encode(b"{}").decode(),
        "approximateArrivalTimestamp": 1.5,
    }
    outer = {"eventID": f"{SHARD}:5", "eventSourceARN": f"arn:aws:kinesis:eu-west-1:1:stream/{CHANGES}"}
    return outer | {name: value for name, value in changes.items() if name in outer} | {
        "kinesis": kinesis | {name: value for name, value in changes.items() if name in kinesis}
    }  # fmt: skip


def given_up(*records):
    """The document of a batch of records."""
    payload = orjson.dumps({"Records": records}).decode()
    context = {"condition": "RecordAgeExceeded"}
    return orjson.dumps({"requestContext": context, "timestamp": "2026-01-01T00:00:00.123Z", "payload": payload})


def test_a_registered_consumer_s_stream_is_known():
    """With enhanced fan-out the ARN is that of the consumer, and goes on after the stream's name."""
    arn = f"arn:aws:kinesis:eu-west-1:1:stream/{GOLDEN}/consumer/warehouse:17"
    (event,) = read_contents("on_failure", given_up(record(eventSourceARN=arn))).events
    assert event.stream == GOLDEN


@pytest.mark.parametrize(
    "wrong",
    [
        {"sequenceNumber": "x"},
        {"sequenceNumber": 5},
        {"sequenceNumber": ""},
        {"partitionKey": ""},
        {"partitionKey": "k" * 257},
        {"partitionKey": 1},
        {"data": "=!"},
        {"data": None},
        {"approximateArrivalTimestamp": "soon"},
        {"approximateArrivalTimestamp": 1e300},
        {"approximateArrivalTimestamp": 1e12},
        {"eventSourceARN": "arn:aws:sqs:eu-west-1:1:queue"},
        {"eventSourceARN": None},
    ],
    ids=str,
)
def test_a_record_that_cannot_be_sent_again_makes_the_letter_unreadable(wrong):
    """Rather than that one record of a batch is passed over in silence."""
    with pytest.raises(TerminalError, match="no event of a Kinesis"):
        read_contents("on_failure", given_up(record(), record(**wrong)))
