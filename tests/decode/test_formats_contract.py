"""What every registered wire format keeps to: one suite for all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import orjson
import pytest
from format_samples import FILE_SAMPLES, SAMPLES
from hypothesis import given
from hypothesis import strategies as st
from rulesets import PERSONS

from mdm_stream.contracts.change import encode_event
from mdm_stream.core.model import version_order
from mdm_stream.core.wire_formats import WIRE_FORMATS
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.decode.files.event_files import line_events
from mdm_stream.decode.formats import FILE_FORMATS, FORMATS, Format, depends_on_receipt, formats_of
from mdm_stream.decode.json_object import parse_object
from mdm_stream.decode.sources import SourceCatalogue
from mdm_stream.errors import RejectedEventError

FIRST, SECOND = Delivery.from_row(b"", 1), Delivery.from_row(b"", 2)
DECODER = Decoder(PERSONS)
CATALOGUE = SourceCatalogue(PERSONS)
EACH = pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
EACH_FILE = pytest.mark.parametrize("form", FILE_FORMATS, ids=lambda form: form.name)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def outcome(decode: Callable[[], object]) -> object:
    """What decoding gives: its events, or the reasons of a rejection, of which there is at least one."""
    try:
        return decode()
    except RejectedEventError as rejected:
        return rejected.reasons or pytest.fail("a rejection without a reason")


def survives(decoder: Decoder, raw: bytes) -> None:
    """Decode bytes: the answer is events or a rejection with reasons, nothing else, and the same a second time."""
    assert outcome(lambda: decoder.decode(replace(FIRST, raw=raw))) == outcome(
        lambda: decoder.decode(replace(FIRST, raw=raw))
    )


def places_in(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The paths of all members and items of a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, item in items for place in [(*path, key), *places_in(item, (*path, key))]]


def replaced(value: object, path: tuple[str | int, ...], with_what: object) -> object:
    """A JSON value with another one at a path."""
    if not path:
        return with_what
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(copy[path[0]], path[1:], with_what)
    return copy


def test_what_is_declared_is_what_has_a_decoder():
    """Rules and commands offer each format that can be read, and none that cannot; each has samples here."""
    assert sorted([each.name for each in (*FORMATS, *FILE_FORMATS)]) == sorted(WIRE_FORMATS)
    assert all(each.declared is WIRE_FORMATS[each.name] for each in (*FORMATS, *FILE_FORMATS))
    assert {each.name for each in FORMATS} == {each.name for each in WIRE_FORMATS.values() if each.on_stream}
    assert SAMPLES.keys() == {each.name for each in FORMATS}
    assert FILE_SAMPLES.keys() == {each.name for each in FILE_FORMATS}


@EACH
def test_a_sample_is_recognised_by_its_format_alone(form: Format):
    """Each sample has the marks of one format, so a stream may carry all of them."""
    for raw in SAMPLES[form.name]:
        assert [each.name for each in FORMATS if each.matches(orjson.loads(raw))] == [form.name]


@EACH
def test_only_an_object_with_a_mark_of_a_format_can_be_of_it(form: Format):
    """Whatever is taken from a sample, or put beside members of another one, no format that matches is missed."""
    others = [orjson.loads(samples[0]) for samples in SAMPLES.values()]
    for event in map(orjson.loads, SAMPLES[form.name]):
        parts = [{name: value for name, value in event.items() if name != left_out} for left_out in event]
        single = [{name: value} for name, value in event.items()]
        for each in (event, *parts, *single, *({**other, **event} for other in others)):
            assert formats_of(each) == [other for other in FORMATS if other.matches(each)]


@EACH
def test_a_sample_is_decoded(form: Format):
    """All samples are accepted, announced or told by their shape; their changes can be sent in canonical form."""
    announced = Decoder(PERSONS, expected=form.name)
    found = [DECODER.decode(replace(FIRST, raw=raw)) for raw in SAMPLES[form.name]]
    assert found == [announced.decode(replace(FIRST, raw=raw)) for raw in SAMPLES[form.name]]
    events = [event for events in found for event in events]
    assert len(events) >= 4
    for event in events:
        assert DECODER.decode(replace(SECOND, raw=encode_event(event)))[0].refs == event.refs


@EACH
def test_a_sample_of_another_format_than_announced_is_refused(form: Format):
    """Announced, a format lets no event of another one pass."""
    announced = Decoder(PERSONS, expected=form.name)
    for raw in [raw for name, samples in SAMPLES.items() if name != form.name for raw in samples]:
        with pytest.raises(RejectedEventError) as caught:
            announced.decode(replace(FIRST, raw=raw))
        assert [reason.code for reason in caught.value.reasons] == ["unknown_shape"]


@EACH
def test_versions_rise_along_the_log(form: Format):
    """What one record's log says later has the greater version, so the order of delivery decides nothing."""
    versions: dict[str, list[object]] = {}
    for raw in SAMPLES[form.name]:
        for event in DECODER.decode(replace(FIRST, raw=raw)):
            versions.setdefault(event.refs[0], []).append(version_order(event.version))
    logged = [found for found in versions.values() if len(found) > 1] if form.declared.text_positions else []
    assert all(found == sorted(found) for found in logged)
    assert bool(logged) == form.declared.text_positions
    for raw in SAMPLES[form.name] if form.declared.text_positions else []:
        assert all(isinstance(event.version, str) for event in DECODER.decode(replace(FIRST, raw=raw)))


@EACH
def test_an_event_with_a_time_of_its_own_says_the_same_wherever_it_arrives(form: Format):
    """``own_time`` is the truth: such events are equal from two places, and the others are not."""
    for raw in SAMPLES[form.name]:
        first, second = DECODER.decode(replace(FIRST, raw=raw)), DECODER.decode(replace(SECOND, raw=raw))
        assert depends_on_receipt(raw) is not form.own_time(orjson.loads(raw))
        if form.own_time(orjson.loads(raw)):
            assert first == second
        elif first:
            assert first != second


@EACH
def test_a_format_with_tables_needs_them(form: Format):
    """A table that no source reads is refused if the format says that it has tables, and only then."""
    other = Decoder({"person": replace(PERSONS["person"], sources={})})
    refused = []
    for raw in SAMPLES[form.name]:
        try:
            other.decode(replace(FIRST, raw=raw))
        except RejectedEventError as rejected:
            refused += [reason.code for reason in rejected.reasons if reason.code != "version_kind"]
    assert set(refused) == ({"unknown_table"} if form.declared.needs_table else set())


@EACH
def test_a_cut_sample_is_rejected(form: Format):
    """Every cut of every sample is refused with reasons: a part of an event is none."""
    for raw in SAMPLES[form.name]:
        for end in range(1, len(raw)):
            with pytest.raises(RejectedEventError):
                DECODER.decode(replace(FIRST, raw=raw[:end]))


@EACH
@given(draw=st.data())
def test_changed_samples_raise_nothing_but_a_rejection(form: Format, draw: st.DataObject):
    """Whatever JSON value stands anywhere in an event, the answer is events or a rejection, the same each time."""
    event = orjson.loads(draw.draw(st.sampled_from(SAMPLES[form.name])))
    for _ in range(draw.draw(st.integers(1, 3))):
        event = replaced(event, draw.draw(st.sampled_from([(), *places_in(event)])), draw.draw(JSON))
    try:
        raw = orjson.dumps(event)
    except orjson.JSONEncodeError:  # an integer over 64 bits, which JSON has and orjson does not write
        return
    survives(DECODER, raw)
    survives(Decoder(PERSONS, expected=form.name), raw)
    if isinstance(event, dict):
        assert isinstance(form.matches(event), bool)
        assert isinstance(form.own_time(event), bool)
        if form.matches(event):
            assert isinstance(outcome(lambda: form.decode(event, FIRST, CATALOGUE)), tuple)


@EACH
@given(draw=st.data())
def test_damaged_samples_raise_nothing_but_a_rejection(form: Format, draw: st.DataObject):
    """Bytes that were overwritten, inserted or dropped at any place do no more than be rejected."""
    raw = draw.draw(st.sampled_from(SAMPLES[form.name]))
    start = draw.draw(st.integers(0, len(raw)))
    end = draw.draw(st.integers(start, min(len(raw), start + 8)))
    damaged = raw[:start] + draw.draw(st.binary(max_size=8)) + raw[end:]
    survives(DECODER, damaged)
    depends_on_receipt(damaged)


@given(raw=st.binary(max_size=200))
def test_garbage_raises_nothing_but_a_rejection(raw: bytes):
    """Any bytes are events or a rejection, and it can be told whether their place is a part of them."""
    survives(DECODER, raw)
    assert depends_on_receipt(raw) in (True, False)


@given(event=st.dictionaries(st.text(max_size=8), JSON, max_size=4))
def test_an_object_without_marks_is_of_no_format(event: dict[str, object]):
    """An object that no format recognises is refused as such, and its place is no part of what it says."""
    try:
        raw = orjson.dumps(event)
    except orjson.JSONEncodeError:
        return
    parsed = parse_object(raw)
    if not any(form.matches(parsed) for form in FORMATS):
        assert depends_on_receipt(raw) is False
        with pytest.raises(RejectedEventError) as caught:
            DECODER.decode(replace(FIRST, raw=raw))
        assert caught.value.reasons[0].code == "unknown_shape"


@EACH
def test_only_formats_with_tombstones_accept_no_bytes(form: Format):
    """A record without bytes is accepted where the format announced sends such, and rejected otherwise."""
    announced = Decoder({"person": replace(PERSONS["person"], sources={})}, expected=form.name)
    if form.declared.tombstones:
        assert announced.decode(replace(FIRST, raw=b"")) == ()
    else:
        with pytest.raises(RejectedEventError):
            announced.decode(replace(FIRST, raw=b""))


def test_an_object_with_the_marks_of_several_formats_is_refused():
    """All of them are named, in one order; the first one registered says whether its place is a part of it."""
    marks = {"payload": {"source": {"ts_ms": 5}}, "data": {}, "metadata": {"record-type": "data"}}
    raw = orjson.dumps(marks)
    with pytest.raises(RejectedEventError) as caught:
        DECODER.decode(replace(FIRST, raw=raw))
    (reason,) = caught.value.reasons
    assert (reason.code, reason.message) == ("ambiguous_shape", "has the marks of several formats: debezium, dms")
    assert depends_on_receipt(raw)
    assert not depends_on_receipt(raw.replace(b'"record-type"', b'"timestamp":"2026-01-01T00:00:00Z","record-type"'))


def test_a_rejection_names_the_formats_that_would_do():
    """The sentences are made of what is declared."""
    titles = "canonical, Debezium, DMS, DynamoDB, Maxwell, Aurora DSQL, PostgreSQL"
    for raw, sentence in (
        (b"{}", f"is an object, but not a {titles} or CSV row event"),
        (b"", "has no bytes, which only a Debezium source sends (a tombstone)"),
    ):
        with pytest.raises(RejectedEventError) as caught:
            Decoder({"person": replace(PERSONS["person"], sources={})}).decode(replace(FIRST, raw=raw))
        assert [reason.message for reason in caught.value.reasons] == [sentence]


@EACH_FILE
def test_a_file_sample_is_read_row_by_row(form):
    """Both rows are read, and together the bytes of the rows and the header are the file's."""
    content = FILE_SAMPLES[form.name]
    rows = list(line_events(content.splitlines(keepends=True), form.name, None, PERSONS))
    assert [item.ref for _, item in rows] == ["web/1", "web/2"]
    assert content.endswith(b"".join(raw for raw, _ in rows))


@EACH_FILE
@given(draw=st.data())
def test_a_damaged_file_raises_nothing(form, draw: st.DataObject):
    """Damage anywhere costs rows, with reasons; reading goes on, and says the same a second time."""
    content = FILE_SAMPLES[form.name]
    start = draw.draw(st.integers(0, len(content)))
    damaged = content[:start] + draw.draw(st.binary(max_size=8)) + content[start + draw.draw(st.integers(0, 8)) :]

    def read() -> list[tuple[bytes, object]]:
        rows = form.read(damaged.splitlines(keepends=True), PERSONS, "web", None)
        return [(raw, item.reasons if isinstance(item, RejectedEventError) else item) for raw, item in rows]

    assert read() == read()
