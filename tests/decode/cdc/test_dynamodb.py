"""Changes of DynamoDB items: their order, their typed values, and what is refused."""

from __future__ import annotations

import itertools
from typing import Any

import orjson
import pytest
from rulesets import ruleset

from mdm_stream.core.model import RecordEvent, version_order
from mdm_stream.core.ruleset import Source
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.errors import RejectedEventError

ITEMS = Source("app", "dynamodb", "people", ("tenant", "nr"), columns={"name": ("name",), "town": ("home.town",)})
RULES = {"person": ruleset("person", ("name", "town"), ITEMS)}
KEYS = {"tenant": {"S": "eu|1"}, "nr": {"N": "12345678901234567890123456789012345678"}}
MADE_MS = 1_700_000_000_123
STREAM_ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/people/stream/2026-01-01T00:00:00.000"


def decoded(event: dict[str, Any]) -> RecordEvent:
    """The one change that an event says."""
    (change,) = Decoder(RULES).decode(Delivery.from_row(orjson.dumps(event), 1))
    assert isinstance(change, RecordEvent)
    return change


def reason_of(event: dict[str, Any]) -> tuple[str, str]:
    """Code and place of the one reason why an event is refused."""
    with pytest.raises(RejectedEventError) as caught:
        decoded(event)
    (reason,) = caught.value.reasons
    return reason.code, reason.path


def via_kinesis(op: str = "MODIFY", made: object = MADE_MS, **image: object) -> dict[str, Any]:
    """A change as it lies on a Kinesis data stream of the table."""
    change = {"ApproximateCreationDateTime": made, "Keys": KEYS, "SizeBytes": 1}
    change["OldImage" if op == "REMOVE" else "NewImage"] = {**KEYS, **image}
    return {
        "awsRegion": "eu-west-1",
        "eventID": "1",
        "eventName": op,
        "userIdentity": None,
        "recordFormat": "application/json",
        "tableName": "people",
        "dynamodb": change,
        "eventSource": "aws:dynamodb",
    }


def on_stream(op: str, sequence: str, made: float = 1.7e9) -> dict[str, Any]:
    """A change as it lies on the table's DynamoDB stream."""
    event = via_kinesis(op, made)
    del event["tableName"]
    event["dynamodb"] |= {"SequenceNumber": sequence, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    return {**event, "eventSourceARN": STREAM_ARN}


def test_an_item_is_a_record():
    """Keys keep all digits and are told apart when joined, a map's member is a column, the rest is left behind."""
    event = decoded(via_kinesis(name={"S": "Ada"}, home={"M": {"town": {"S": "Bonn"}}}, secret={"S": "x"}))
    assert event.record_id == "eu\\|1|12345678901234567890123456789012345678"
    assert (event.op, event.event_time_us) == ("upsert", MADE_MS * 1_000)
    assert event.attributes == {"name": "Ada", "home.town": "Bonn"}
    flat = decoded(via_kinesis(**{"home.town": {"S": "Köln"}, "home": {"S": "no map"}}))
    assert flat.attributes == {"home.town": "Köln"}
    assert decoded(via_kinesis("REMOVE")).op == "delete"


@pytest.mark.parametrize(
    ("typed", "plain"),
    [
        ({"S": ""}, ""),
        ({"N": "-7"}, -7),
        ({"N": "9223372036854775808"}, "9223372036854775808"),
        ({"N": "0.10"}, "0.10"),
        ({"N": "1.5E+3"}, "1500"),
        ({"N": "12E-3"}, "0.012"),
        ({"BOOL": True}, True),
        ({"NULL": True}, None),
        ({"B": "QUJD"}, "QUJD"),
        ({"SS": ["a", "b"]}, ("a", "b")),
        ({"NS": ["1", "2.50"]}, (1, "2.50")),
        ({"L": [{"S": "a"}, {"N": "1"}, {"NULL": True}]}, ("a", 1, None)),
    ],
)
def test_typed_values_keep_what_they_say(typed: dict[str, object], plain: object):
    """A number that 64 bits do not hold is the text of all its digits."""
    assert decoded(via_kinesis(name=typed)).attributes == {"name": plain}


@pytest.mark.parametrize(
    "typed",
    [{"M": {}}, {"L": [{"L": []}]}, {"S": 1}, {"BOOL": "true"}, {"X": "a"}, {}, {"S": "a", "N": "1"}, "a", None],
)
def test_what_is_no_value_of_an_attribute_is_refused(typed: object):
    """Of the wrong shape, or nested deeper than an attribute may be."""
    assert reason_of(via_kinesis(name=typed)) == ("wrong_type", "dynamodb.NewImage.name")


def test_the_first_of_several_wrong_values_is_told():
    """The reason depends on the item alone: the order of its attributes, then that of paths into maps."""
    wrong = {"X": "1"}
    for names in (("tenant", "name"), ("name", "tenant")):
        event = via_kinesis()
        event["dynamodb"] |= {"Keys": {}, "NewImage": dict.fromkeys(names, wrong)}
        assert reason_of(event) == ("wrong_type", f"dynamodb.NewImage.{names[0]}")
    within = {"M": {"town": wrong}}
    assert reason_of(via_kinesis(home=within, name=wrong)) == ("wrong_type", "dynamodb.NewImage.name")
    assert reason_of(via_kinesis(home=within, name={"S": "a"})) == ("wrong_type", "dynamodb.NewImage.home.town")


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1e9999", "", "0x1", "1" * 300])
def test_what_is_no_number_is_refused(text: str):
    """A number that DynamoDB cannot hold was not written by it."""
    assert reason_of(via_kinesis(name={"N": text})) == ("wrong_format", "dynamodb.NewImage.name")


@pytest.mark.parametrize(
    ("made", "precision", "time_us"),
    [
        (1_700_000_000_123, None, 1_700_000_000_123_000),
        (1_700_000_000_123, "MILLISECOND", 1_700_000_000_123_000),
        (1_700_000_000_123_456, "MICROSECOND", 1_700_000_000_123_456),
        (1_700_000_000_123_456, None, 1_700_000_000_123_456),
        (1_700_000_000.25, None, 1_700_000_000_250_000),
        (1_700_000_000, None, 1_700_000_000_000_000),
        ("2023-11-14T22:13:20Z", None, 1_700_000_000_000_000),
        (5_000, "MICROSECOND", 5_000),
    ],
)
def test_the_time_is_read_in_its_unit(made: object, precision: str | None, time_us: int):
    """The precision says it; without one the number's size does."""
    event = via_kinesis(made=made)
    if precision:
        event["dynamodb"]["ApproximateCreationDateTimePrecision"] = precision
    rules = {
        "person": ruleset("person", ("name",), Source("app", "dynamodb", "people", ("nr",), event_time_floor_us=0))
    }
    (change,) = Decoder(rules).decode(Delivery.from_row(orjson.dumps(event), 1))
    assert isinstance(change, RecordEvent)
    assert change.event_time_us == time_us


def test_changes_of_an_item_are_ordered_by_when_they_were_made():
    """By way of Kinesis; within one millisecond what must have come later is later, and a finer precision decides."""
    ops = [("INSERT", 0), ("MODIFY", 0), ("REMOVE", 0), ("INSERT", 1), ("MODIFY", 2), ("REMOVE", 2)]
    versions = [version_order(decoded(via_kinesis(op, MADE_MS + later)).version) for op, later in ops]
    assert versions == sorted(set(versions))
    finer = via_kinesis("INSERT", MADE_MS * 1_000 + 1)
    finer["dynamodb"]["ApproximateCreationDateTimePrecision"] = "MICROSECOND"
    assert versions[2] < version_order(decoded(finer).version) < versions[3]


def test_changes_of_a_dynamodb_stream_are_ordered_by_their_number():
    """Its time is in seconds, and approximate: the sequence number is compared as a number."""
    numbers = ["99999999999999999999", "100000000000000000000", "4" * 40]
    versions = [
        version_order(decoded(on_stream("MODIFY", n, 1.7e9 - place)).version) for place, n in enumerate(numbers)
    ]
    assert versions == sorted(set(versions))
    assert decoded(on_stream("REMOVE", "1")).version != decoded(on_stream("INSERT", "1")).version


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"eventName": "EXPIRE"}, ("unknown_value", "eventName")),
        ({"eventName": 7}, ("unknown_value", "eventName")),
        ({"tableName": "other"}, ("unknown_table", "table")),
        ({"tableName": None}, ("missing", "tableName")),
        ({"dynamodb": {"Keys": KEYS}}, ("no_position", "dynamodb.ApproximateCreationDateTime")),
        ({"dynamodb": {"Keys": KEYS, "SequenceNumber": "1"}}, ("missing", "dynamodb.NewImage")),
        ({"dynamodb": {"SequenceNumber": "x"}}, ("wrong_format", "dynamodb.SequenceNumber")),
        ({"dynamodb": {"SequenceNumber": "1" * 41}}, ("wrong_format", "dynamodb.SequenceNumber")),
        ({"dynamodb": {"SequenceNumber": "1", "NewImage": KEYS}}, ("missing", "dynamodb.Keys")),
        ({"dynamodb": {"SequenceNumber": "1", "Keys": []}}, ("wrong_type", "dynamodb.Keys")),
    ],
)
def test_what_lacks_a_part_is_refused(change: dict[str, object], reason: tuple[str, str]):
    """Each with its place and what is wrong there."""
    assert reason_of({**via_kinesis(), **change}) == reason


@pytest.mark.parametrize("made", [True, [], 1e300, -1e300, 10**18, {"a": 1}])
def test_a_time_that_is_none_is_refused(made: object):
    """Neither a wrong type nor a number without end is a time."""
    code, path = reason_of(via_kinesis(made=made))
    assert path == "dynamodb.ApproximateCreationDateTime"
    assert code in ("wrong_type", "out_of_range")


def test_any_order_of_delivery_gives_one_order():
    """Versions of an item's changes are distinct, so that the newest one is the same in every order."""
    history = [via_kinesis(op, MADE_MS + at) for op, at in (("INSERT", 0), ("MODIFY", 1), ("REMOVE", 2), ("INSERT", 3))]
    for order in itertools.permutations(history):
        newest = max(map(decoded, order), key=lambda event: version_order(event.version))
        assert newest == decoded(history[-1])
