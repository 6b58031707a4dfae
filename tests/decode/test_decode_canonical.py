"""Canonical events through the decoder."""

import contextlib
import json
from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rulesets import PERSON, PERSONS, ruleset

from mdm_stream.contracts.change import EVENT_BYTES_MAX, encode_event
from mdm_stream.core.model import RecordEvent, VerdictEvent
from mdm_stream.core.ruleset import Source
from mdm_stream.decode import Decoder, Delivery, claimed_identity
from mdm_stream.decode.reasons import COMPLAINTS_READ_MAX
from mdm_stream.errors import ConfigurationError, RejectedEventError

DECODER = Decoder(PERSONS)
RECEIVED = Delivery.from_kinesis(b"", "49590338271490256608559692538361571095921575989136588898", 1767225600.987)
EVENT = {
    "domain": "person",
    "source": "web",
    "record_id": "42",
    "op": "upsert",
    "version": 17,
    "event_time": "2026-01-01T00:00:00Z",
    "attributes": {"given_name": "Ada", "shoe_size": 38},
}
VERDICT = {
    "domain": "person",
    "op": "verdict",
    "a": {"source": "web", "record_id": "42"},
    "b": {"source": "crm", "record_id": "7"},
    "verdict": "link",
    "steward": "reviewer",
}


def rejected(raw, decoder=DECODER):
    """The (code, path) pairs of a rejection, after checking that decoding again says the same."""
    raw = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
    with pytest.raises(RejectedEventError) as first:
        decoder.decode(replace(RECEIVED, raw=raw))
    with pytest.raises(RejectedEventError) as second:
        decoder.decode(replace(RECEIVED, raw=raw))
    assert first.value.reasons == second.value.reasons
    return [(reason.code, reason.path) for reason in first.value.reasons]


def test_an_upsert_keeps_what_the_rules_use():
    """Attributes that the domain does not have are left behind; the rest arrives as it was sent."""
    (event,) = DECODER.decode(replace(RECEIVED, raw=orjson.dumps(EVENT)))
    assert event == RecordEvent("person", "web", "42", "upsert", 17, 1_767_225_600_000_000, {"given_name": "Ada"})


def test_a_record_without_a_required_attribute_is_accepted():
    """``required`` is for `rules check`, which names sources that cannot give it: other events would be another F."""
    rules = PERSONS["person"]
    needed = replace(rules, attributes=tuple(replace(each, required=True) for each in rules.attributes))
    (event,) = Decoder({"person": needed}).decode(replace(RECEIVED, raw=orjson.dumps(EVENT)))
    assert set(event.attributes) == {"given_name"} < {each.name for each in needed.attributes}


def test_a_mapped_source_sends_its_own_columns():
    """Where the rules map columns, those are kept, under their own names: the core maps them."""
    event = {**EVENT, "source": "crm", "version": "a", "attributes": {"first": "Ada", "given_name": "x"}}
    (decoded,) = DECODER.decode(replace(RECEIVED, raw=orjson.dumps(event)))
    assert decoded.attributes == {"first": "Ada"}


def test_position_and_arrival_stand_in():
    """Without a version and a time those of the archive are taken, so a redelivery gives the same event."""
    bare = {name: value for name, value in EVENT.items() if name not in {"version", "event_time"}}
    (event,) = DECODER.decode(replace(RECEIVED, raw=orjson.dumps({**bare, "source": "streamed"})))
    assert event.version == RECEIVED.position
    assert len(event.version) == 64
    assert event.event_time_us == 1_767_225_600_987_000


@given(st.integers(0, 10**56), st.integers(0, 10**56))
def test_positions_order_as_numbers(a, b):
    """Sequence numbers of any length compare as texts as they do as numbers."""
    first, second = (Delivery.from_kinesis(b"", str(number), 0.0).position for number in (a, b))
    assert (first < second) == (a < b)


def test_a_delete_drops_its_last_image():
    """Two deletes are equal whether or not the sender added what it deleted."""
    (event,) = DECODER.decode(replace(RECEIVED, raw=orjson.dumps({**EVENT, "op": "delete"})))
    assert event.attributes == {}


def test_a_verdict_is_on_an_unordered_pair():
    """Whichever record is named first, the event is the same."""
    (event,) = DECODER.decode(replace(RECEIVED, raw=orjson.dumps({**VERDICT, "version": 3})))
    (swapped,) = DECODER.decode(
        replace(RECEIVED, raw=orjson.dumps({**VERDICT, "version": 3, "a": VERDICT["b"], "b": VERDICT["a"]}))
    )
    assert event == swapped
    assert isinstance(event, VerdictEvent)
    assert (event.a, event.b) == ("crm/7", "web/42")


@pytest.mark.parametrize("source", ["counted", "logged", "crm"])
def test_one_kind_of_version_a_source(source):
    """An integer among texts (or the reverse) would never, or always, be the newest: it is refused."""
    right, wrong = (1, "1") if source == "counted" else ("1", 1)
    assert DECODER.decode(replace(RECEIVED, raw=orjson.dumps({**EVENT, "source": source, "version": right})))
    assert rejected({**EVENT, "source": source, "version": wrong}) == [("version_kind", "version")]


@pytest.mark.parametrize("source", ["web", "counted", "logged", "crm"])
def test_a_source_with_versions_must_send_them(source):
    """The archive's position cannot stand in where it would be compared with another order."""
    bare = {name: value for name, value in EVENT.items() if name != "version"}
    assert rejected({**bare, "source": source}) == [("version_kind", "version")]


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b" \n", "empty"),
        (b"\x1f\x8b\x08\x00", "binary"),
        (b"\xf3\x89\x9a\xc2rest", "binary"),
        (b'{"a":"\x00"}', "binary"),
        ('{"a":"é"}'.encode("latin-1"), "not_utf8"),
        ('{"a":"b"}'.encode("utf-16"), "binary"),
        (b'{"a":NaN}', "invalid_json"),
        (b'{"a":1e999}', "unknown_shape"),
        (b'{"a":"\x01"}', "invalid_json"),
        (b"[" * 5000 + b"]" * 5000, "invalid_json"),
        (b"not json", "invalid_json"),
        (b"[]", "not_an_object"),
        (b"42", "not_an_object"),
        (b"{}", "unknown_shape"),
        (b'{"hello":"world"}', "unknown_shape"),
        (b'{"a":"' + b"x" * EVENT_BYTES_MAX + b'"}', "too_large"),
    ],
)
def test_bytes_that_are_no_event(raw, code):
    """Whatever the bytes are, the reason says which way they are wrong."""
    assert rejected(raw) == [(code, "")]


def test_null_is_an_event_where_tombstones_are_sent_and_nowhere_else():
    """JSON's null is a tombstone to the rules of a source that sends those, and no event to all others."""
    lone = Decoder({"person": ruleset("person", ("given_name",), Source("web"))})
    assert rejected(b"null", lone) == [("not_an_object", "")]
    assert DECODER.decode(replace(RECEIVED, raw=b"null")) == ()


def test_every_cut_of_an_event_is_truncated():
    """An event cut anywhere, in the middle of a character too, is told from one that was never JSON."""
    whole = orjson.dumps({**EVENT, "attributes": {"given_name": "Zoë \n", "n": [1.5, True, None]}})
    for length in range(1, len(whole)):
        assert rejected(whole[:length]) == [("truncated_json", "")]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"domain": "planet"}, [("unknown_domain", "domain")]),
        ({"source": "elsewhere"}, [("unknown_source", "source")]),
        ({"op": "merge"}, [("unknown_value", "op")]),
        ({"op": 1}, [("unknown_value", "op")]),
        ({"record_id": 42}, [("wrong_type", "record_id")]),
        ({"record_id": "a\nb"}, [("control_character", "record_id")]),
        ({"version": 1.5}, [("wrong_type", "version")]),
        ({"version": 2**70}, [("wrong_type", "version")]),
        ({"version": 2**63}, [("out_of_range", "version")]),
        ({"event_time": "2026-13-01T00:00:00Z"}, [("wrong_format", "event_time")]),
        ({"attributes": []}, [("wrong_type", "attributes")]),
        ({"attributes": {"given_name": {}}}, [("wrong_type", "attributes.given_name")]),
        ({"attributes": {"given_name": "x" * 5_000}, "zzz": 1}, [("unexpected", "?")]),
        ({"attributes": {"given_name": "x" * 70_000}}, [("too_long", "attributes.given_name")]),
        ({"attributes": {"given name": "\x00"}}, [("control_character", "attributes.?")]),
        (
            {"domain": 1, "record_id": "", "attributes": {"city": "\x1b"}},
            [("wrong_type", "domain"), ("too_short", "record_id"), ("control_character", "attributes.city")],
        ),
    ],
)
def test_every_fault_has_its_code_and_place(change, expected):
    """All that is wrong is told at once, each with a code and the path to it."""
    assert sorted(rejected({**EVENT, **change})) == sorted(expected)


@pytest.mark.parametrize("member", ["domain", "source", "record_id", "op", "attributes"])
def test_missing_members_are_named(member):
    """A member that is not there is told by its name."""
    assert ("missing", member) in rejected({name: value for name, value in EVENT.items() if name != member})


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"b": VERDICT["a"]}, ("same_record", "b")),
        ({"b": {"source": "crm"}}, ("missing", "b.record_id")),
        ({"b": {"source": "elsewhere", "record_id": "1"}}, ("unknown_source", "source")),
        ({"verdict": "maybe"}, ("unknown_value", "verdict")),
        ({"steward": ""}, ("too_short", "steward")),
    ],
)
def test_wrong_verdicts(change, expected):
    """A verdict on one record, on an unknown source or with an unknown word is refused."""
    assert rejected({**VERDICT, **change}) == [expected]


def test_shapes_do_not_mix():
    """An object with the marks of two formats is refused instead of guessed at; one announced format settles it."""
    both = {**EVENT, "source": {"table": "customer"}, "after": {}}
    assert rejected(both) == [("ambiguous_shape", "")]
    faults = rejected(both, Decoder(PERSONS, expected="canonical"))
    assert sorted(faults) == [("unexpected", "?"), ("wrong_type", "source")]
    assert rejected(EVENT, Decoder(PERSONS, expected="dms")) == [("unknown_shape", "")]


def test_no_reason_repeats_a_value():
    """Whatever is wrong, the text of the error holds nothing that the sender wrote as a value."""
    secret = "Wachowiak"
    for change in (
        {"domain": secret},
        {"source": secret},
        {"op": secret},
        {"record_id": secret + "\x00"},
        {"version": secret + "\x00"},
        {"event_time": secret},
        {"attributes": secret},
        {"attributes": {"city": [secret, {}]}},
        {"attributes": {f"{secret} {secret}": {}}},
    ):
        with pytest.raises(RejectedEventError) as caught:
            DECODER.decode(replace(RECEIVED, raw=orjson.dumps({**EVENT, **change})))
        assert secret not in str(caught.value)


def test_a_rule_set_without_sources_takes_all():
    """A bare pack maps every source's attributes by name."""
    decoder = Decoder({"person": ruleset("person", PERSON)})
    (event,) = decoder.decode(replace(RECEIVED, raw=orjson.dumps({**EVENT, "source": "anything"})))
    assert event.attributes == {"given_name": "Ada"}


def test_contradicting_rules_are_refused_at_once():
    """Two sources on one table, or a table's source without a key, is a configuration error before any event."""
    table = Source("a", "debezium", "public.t", ("id",))
    twice = {"person": ruleset("person", PERSON, table, Source("b", "debezium", "public.t", ("id",)))}
    with pytest.raises(ConfigurationError, match=r"public\.t"):
        Decoder(twice)
    with pytest.raises(ConfigurationError, match="key"):
        Decoder({"person": ruleset("person", PERSON, Source("a", "dms", "t"))})
    with pytest.raises(ConfigurationError, match="no source nobody"):
        Decoder(PERSONS, only_source="nobody")


@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_rejected(raw):
    """There are no bytes that make the decoder fail in any other way, and what they claim can always be asked."""
    with contextlib.suppress(RejectedEventError):
        DECODER.decode(replace(RECEIVED, raw=raw))
    claimed_identity(raw)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
MEMBERS = [
    *("domain", "source", "record_id", "op", "version", "event_time", "attributes", "a", "b", "verdict", "steward"),
    *("payload", "schema", "before", "after", "ts_ms", "metadata", "data", "before-image", "status", "id"),
]
VALID = st.sampled_from(
    ["person", "web", "crm", "upsert", "verdict", "c", "u", "d", {}, 1, None, {"table": "customer"}]
)


@given(st.dictionaries(st.sampled_from(MEMBERS), VALID | json_values, max_size=8))
def test_any_object_is_decoded_or_rejected(event):
    """There is no object, however near to an event, that makes the decoder fail in any other way."""
    raw = orjson.dumps(event)
    with contextlib.suppress(RejectedEventError):
        for decoded in DECODER.decode(replace(RECEIVED, raw=raw)):
            assert DECODER.decode(replace(RECEIVED, raw=encode_event(decoded))) == (decoded,)


def test_what_a_rejected_event_claims():
    """Domain, source and id are read where they have their form; anything else is left out."""
    assert claimed_identity(orjson.dumps({**EVENT, "op": "x"})).record_id == "42"
    assert claimed_identity(b'{"domain":"../etc","source":"a/b","record_id":"\\u0000"}') == claimed_identity(b"[1]")
    assert claimed_identity(b'{"domain":"person\\n"}').domain is None


def test_thousands_of_unknown_members_cost_no_more_than_some(monkeypatch):
    """Reasons are made from a bounded number of a model's complaints, however many there are."""
    asked = []
    monkeypatch.setattr("mdm_stream.decode.reasons._meant", lambda name: asked.append(name) or "")
    assert rejected({**EVENT, **{f"x{number}": 1 for number in range(5_000)}}) == [("unexpected", "?")]
    assert len(set(asked)) == COMPLAINTS_READ_MAX
