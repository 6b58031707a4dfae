"""Numbers of JSON keep their digits, or are refused: never rounded into another number."""

import time
from dataclasses import replace
from decimal import Decimal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rulesets import PERSONS

from mdm_stream.contracts.change import check_value, encode_event
from mdm_stream.contracts.signature import SigningKey, is_signed_by, signed
from mdm_stream.core.model import MISSING
from mdm_stream.core.standardise import STANDARDISERS, why_invalid
from mdm_stream.core.written_numbers import WRITTEN_NUMBER_CHARS_MAX, WrittenNumber, is_lost_number
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.decode.canonical import signable
from mdm_stream.decode.cdc.table_row import check_key
from mdm_stream.decode.json_object import DEPTH_MAX, parse_object
from mdm_stream.errors import RejectedEventError

DECODER = Decoder(PERSONS)
RECEIVED = Delivery.from_row(b"", 1)
KEY = SigningKey("erp", b"k" * 32)
SENDERS = {
    "canonical": b'{"domain":"person","source":"web","record_id":"1","op":"upsert","version":1,'
    b'"attributes":{"city":%b}}',
    "debezium": b'{"op":"c","after":{"id":1,"town":%b},"source":{"schema":"public","table":"customer","lsn":1}}',
    "wrapped": b'{"schema":null,"payload":{"op":"c","after":{"id":1,"town":%b},"source":{"schema":"public",'
    b'"table":"customer","lsn":1}}}',
    "flattened": b'{"__op":"c","id":1,"town":%b,"__schema":"public","__table":"customer","__lsn":1}',
    "dms": b'{"data":{"company":"A","client_no":1,"name1":%b},"metadata":{"record-type":"data","operation":"insert",'
    b'"schema-name":"sales","table-name":"client","stream-position":"01"}}',
}
KEYED = {
    "debezium": b'{"op":"c","after":{"id":%b},"source":{"schema":"public","table":"customer","lsn":1}}',
    "flattened": b'{"__op":"c","id":%b,"__schema":"public","__table":"customer","__lsn":1}',
    "dms": b'{"data":{"company":%b,"client_no":1},"metadata":{"record-type":"data","operation":"insert",'
    b'"schema-name":"sales","table-name":"client","stream-position":"01"}}',
}


def one(raw):
    """The one event of some bytes."""
    (event,) = DECODER.decode(replace(RECEIVED, raw=raw))
    return event


def refused(raw):
    """The (code, path) of the one reason for which bytes are rejected."""
    with pytest.raises(RejectedEventError) as caught:
        DECODER.decode(replace(RECEIVED, raw=raw))
    (reason,) = caught.value.reasons
    return reason.code, reason.path


@pytest.mark.parametrize("sender", SENDERS)
@pytest.mark.parametrize(
    ("written", "value"),
    [
        (b"9007199254740993", 9_007_199_254_740_993),
        (b"18446744073709551615", 2**64 - 1),
        (b"18446744073709551616", "18446744073709551616"),
        (b"-9223372036854775808", -(2**63)),
        (b"-9223372036854775809", "-9223372036854775809"),
        (b"89441100680000000012", "89441100680000000012"),
        (b" 89441100680000000094", "89441100680000000094"),
        (b"[1,89441100680000000094]", (1, "89441100680000000094")),
        (b"0.1", 0.1),
        (b"0.30000000000000004", 0.30000000000000004),
        (b"12345678901234567.89", "12345678901234567.89"),
        (b"0.12345678901234567890", "0.12345678901234567890"),
        (b"1.91431E+18", "1.91431E+18"),
        (b"4.479e11", "4.479e11"),
        (b"1e18", "1.0e18"),
        (b"[2E5]", ("2.0e5",)),
        (b'"1e5, and 89441100680000000012"', "1e5, and 89441100680000000012"),
    ],
)
def test_a_value_has_the_digits_that_were_sent(sender, written, value):
    """In every format: what 64 bits or a double hold is that number, and anything else the text that was written."""
    event = one(SENDERS[sender] % written)
    assert list(event.attributes.values()) == [value]


def test_what_was_read_is_read_so_again():
    """A value that became a text stays it when its event is written in canonical form, as an archive's rest is."""
    event = one(SENDERS["canonical"] % b"[89441100680000000012,1e18]")
    assert one(encode_event(event)).attributes == event.attributes


@pytest.mark.parametrize("sender", KEYED)
def test_a_key_has_its_digits_or_is_refused(sender):
    """Two long numbers are two records; one that has lost digits is none, as a number and as a text."""
    refs = [one(KEYED[sender] % number).ref for number in (b"89441100680000000012", b"89441100680000000094")]
    assert "89441100680000000012" in refs[0]
    assert "89441100680000000094" in refs[1]
    for lost in (b"9.91214E+15", b"1e3", b'"9.91214E+15"', b'"9,91214E+15"', b'" 1E+18 "'):
        assert refused(KEYED[sender] % lost)[0] == "imprecise_key"


def test_a_canonical_record_id_in_scientific_notation_is_refused():
    """A spreadsheet's record ids have lost their digits before they came: no write and no delete goes by them."""
    event = {"domain": "person", "source": "web", "record_id": "9.91214E+15", "op": "delete", "version": 1}
    assert refused(orjson.dumps(event)) == ("imprecise_key", "record_id")
    assert refused(orjson.dumps({**event, "op": "upsert", "attributes": {}})) == ("imprecise_key", "record_id")
    assert one(orjson.dumps({**event, "record_id": "2E18"})).ref == "web/2E18"


def test_a_version_of_more_than_64_bits_is_no_text():
    """A version that is too great is refused, not taken for one of another kind that would stand above all others."""
    for version in (b"18446744073709551616", b"1e3", b"1.5"):
        raw = SENDERS["canonical"].replace(b'"version":1', b'"version":' + version) % b"1"
        with pytest.raises(RejectedEventError) as caught:
            one(raw)
        assert {reason.path for reason in caught.value.reasons} == {"version"}


@given(st.decimals(allow_nan=False, allow_infinity=False) | st.integers().map(Decimal))
def test_no_number_is_read_as_another(number):
    """Whatever number is written, what is read has its value, to the last digit."""
    written = str(number)
    if "E" in written and abs(number.adjusted()) > 300:
        return  # no double is so great; orjson refuses it
    value = parse_object(b'{"a":' + written.encode() + b"}")["a"]
    assert Decimal(value.text if isinstance(value, WrittenNumber) else repr(value)) == number


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("1.0E7", "10000000"),
        ("4.47700900123E11", "447700900123"),
        ("9.007199254740992E15", "9007199254740992"),
        ("1.91431E+18", None),
        ("1.5e-7", "0.00000015"),
        ("1.0e-99999999999", None),
        ("89441100680000000012", "89441100680000000012"),
        ("1" * (WRITTEN_NUMBER_CHARS_MAX + 1), None),
    ],
)
def test_a_double_up_to_its_precision_has_all_its_digits(text, plain):
    """Where it is known that a number was a double, its digits can be told up to 2^53, and not beyond."""
    assert WrittenNumber(text).plain == plain


@pytest.mark.parametrize(
    "text", ["1.91E+18", "1,91E+18", "1E+18", "1.e5", "'4.479E+11", '="4.479e11"', "\uff11.91E18", "1.5E-05", ".5E-7",
     "1.0e-99999999", "1,5E+123456789", "1e+" + "9" * 90, "0." + "3" * 300 + "e-7"]
)  # fmt: skip
def test_what_machines_write_in_scientific_notation_is_known(text):
    """With a point, a comma or a plus sign, in quotes, in full width: it is a number that has lost digits."""
    assert is_lost_number(text)


@pytest.mark.parametrize(
    "text", ["2E18", "7E-05", "12E45", "E5", "1.2.3E+4", "1E+", "447700900123", "1.91", "7E-99999", "1e+" + "9" * 900]
)
def test_what_may_be_a_name_is_no_lost_number(text):
    """A part number, a door, a version: nothing that no machine writes for a number."""
    assert not is_lost_number(text)


@pytest.mark.parametrize("sender", sorted(KEYED))
@pytest.mark.parametrize(
    ("number", "key"),
    [
        (b"5.00", "5"),
        (b"-7.50", "-7.5"),
        (b"0.0000001", "0.0000001"),
        (b"9007199254740993.0", "9007199254740993"),
        (b"9007199254740993.000000000", "9007199254740993"),
        (b"9007199254740993.10", "9007199254740993.1"),
        (b"89441100680000000012", "89441100680000000012"),
        (b"89441100680000000000", "89441100680000000000"),
        (b'"5.00"', "5.00"),
    ],
)
def test_a_number_is_a_key_in_its_digits_alone(sender, number, key):
    """Zeros after the point say nothing in a number, however long it is; a text is a key as it was written."""
    (event,) = DECODER.decode(replace(RECEIVED, raw=KEYED[sender] % number))
    assert event.record_id.split("|")[0] == key


@pytest.mark.parametrize("number", ["1e-99999999", "1E99999", "-2.5e+123456", "7e-00001", "1" * 80 + "e5"])
@pytest.mark.parametrize("quoted", [False, True])
def test_a_number_with_a_long_exponent_is_neither_key_nor_value(number, quoted):
    """However many digits its exponent has, a number of JSON has lost its own; no notation makes it huge either."""
    mantissa = number if "." in number else number.lower().replace("e", ".0e")
    read = f'"{mantissa}"' if quoted else number
    value = parse_object(b'{"n": ' + read.encode() + b"}")["n"]
    text = value if isinstance(value, str) else check_value(value)
    assert STANDARDISERS["identifier"](text, {}) == MISSING
    assert why_invalid("phone", text) == "scientific_notation"
    assert len(STANDARDISERS["number"](text, {}).value) <= WRITTEN_NUMBER_CHARS_MAX
    with pytest.raises(RejectedEventError) as caught:
        check_key(text, "key")
    assert caught.value.reasons[0].code == "imprecise_key"


def test_a_number_that_no_double_holds_is_json_all_the_same():
    """It is kept as written, or refused for its size; a text with such a number that is no JSON says so, as ever."""
    read = parse_object(b'{"s": "1e999 \\" 2", "n": [1e999, -4, 0.25], "m": %b}' % (b"1" * 350))
    assert read == {"s": '1e999 " 2', "n": [WrittenNumber("1.0e999"), -4, 0.25], "m": WrittenNumber("1" * 350)}
    for raw, code in {
        b'{"n": 1e999, "m": }': "invalid_json",
        b'{"n": 1e999, "m": 01}': "invalid_json",
        b'{"n": 1e999, "m": NaN}': "invalid_json",
        b'{"n": 1e999, "m": "\\ud800"}': "invalid_json",
        b'{"n": 1e999, "m': "truncated_json",
        b"[1e999]": "not_an_object",
    }.items():
        with pytest.raises(RejectedEventError) as caught:
            parse_object(raw)
        assert caught.value.reasons[0].code == code
    with pytest.raises(RejectedEventError) as caught:
        DECODER.decode(replace(RECEIVED, raw=SENDERS["canonical"] % (b"1" * 500)))
    assert caught.value.reasons[0].code == "out_of_range"


@pytest.mark.parametrize("fill", ["1", "1.", "e+", " ", "'", "1e+1"])
def test_looking_for_a_lost_number_is_linear(fill):
    """A text of any size made to confuse the pattern is answered in a moment."""
    text = (fill * WRITTEN_NUMBER_CHARS_MAX)[:WRITTEN_NUMBER_CHARS_MAX]
    began = time.process_time()
    for _ in range(1_000):
        is_lost_number(text + "x")
    assert time.process_time() - began < 0.5


def test_a_signature_holds_every_digit():
    """Other digits under the same double are another event; a double in any notation is itself."""
    event = {"domain": "person", "version": 1, "event_time": "2026-01-01T00:00:00Z", "attributes": {"n": 1.0e16}}
    value = signed(event, KEY)["signature"]["value"]
    wire = b'{"domain":"person","version":1,"event_time":"2026-01-01T00:00:00Z","attributes":{"n":%b}}'
    assert is_signed_by(parse_object(wire % b"1e16"), value, KEY)
    assert is_signed_by(parse_object(wire % b"1.0E16"), value, KEY)
    for other in (b"10000000000000000", b"10000000000000000000000001", b"1.00000000000000000001E16"):
        assert not is_signed_by(parse_object(wire % other), value, KEY)


def test_reading_digits_takes_no_depth_and_no_time():
    """A deep event with a long number is refused, wherever it is decoded, and a large one costs in proportion."""
    deep = b'{"n":89441100680000000012,"a":' + b"[" * DEPTH_MAX + b"]" * DEPTH_MAX + b"}"
    with pytest.raises(RejectedEventError) as caught:
        parse_object(deep)
    assert caught.value.reasons[0].code == "too_many"
    assert parse_object(b'{"n":89441100680000000012,"a":[' + b"[]," * DEPTH_MAX + b"[]]}")
    started = time.process_time()
    for filling in (b"[],", b"1e5,", b"0.123456789012345678,", b'"1e5",', b"12345678901234567890123,"):
        parse_object(b'{"n":1e5,"a":[' + filling * (900_000 // len(filling)) + b"0]}")
    assert time.process_time() - started < 15


def test_a_signed_event_is_sent_with_every_digit():
    """What is published under a signature has its long numbers as texts, so that signature and digits both hold."""
    raw = SENDERS["canonical"] % b"[89441100680000000012,1e18]"
    raw = raw.replace(b'"version":1', b'"version":1,"event_time":"2026-01-01T00:00:00Z"')
    sent = parse_object(orjson.dumps(signed(signable(raw), KEY)))
    assert sent["attributes"] == {"city": ["89441100680000000012", "1.0e18"]}
    assert is_signed_by(sent, sent["signature"]["value"], KEY)
