"""A member's name may be a personal value: no report repeats one that neither the contract nor the rules know."""

import io

import orjson
import pytest
from format_samples import SAMPLES
from rulesets import PERSONS

from mdm_stream.contracts.golden import parse_message
from mdm_stream.decode import Decoder, Delivery, iter_csv_events
from mdm_stream.errors import RejectedEventError

CANARIES = [
    "AdaLovelace1815",
    "ada@lovelace.org",
    "ada_lovelace",
    "Ada Lovelace",
    "+44 20 7946 0000",
    "\u202eAda",
    "ada" * 900,
]
BAD_VALUES = [{"x": 1}, [[1]], "\x1b", "x" * 70_000]
EVENT = {"domain": "person", "source": "web", "record_id": "1", "op": "upsert", "attributes": {"city": "Bonn"}}
OVERRIDE = {**EVENT, "op": "override", "steward": "reviewer"}
VERDICT = {
    "domain": "person",
    "op": "verdict",
    "verdict": "link",
    "steward": "reviewer",
    "a": {"source": "web", "record_id": "1"},
    "b": {"source": "web", "record_id": "2"},
}
FEED = {
    "specversion": "1.0",
    "id": "person/1/1",
    "source": "mdm-stream/person",
    "type": "mdm.golden.upserted",
    "subject": "g1",
    "time": "2026-01-01T00:00:00Z",
    "data": {"op": "upsert", "values": {}, "provenance": {}},
}


def reports_of(event):
    """What is said of an event, with every place, by the decoder and the reader of the feed; nothing if it is good."""
    said = []
    for read in (lambda raw: Decoder(PERSONS).decode(Delivery.from_row(raw, 1)), parse_message):
        try:
            read(orjson.dumps(event))
        except RejectedEventError as error:
            said += [f"{reason.code} {reason.path} {reason.message}" for reason in error.reasons]
    return said


def with_member(event, name, value):
    """Every variant of an event in which one of its objects has one more member."""
    yield {**event, name: value}
    for member, inner in event.items():
        if isinstance(inner, dict):
            for changed in with_member(inner, name, value):
                yield {**event, member: changed}


EVENTS = [EVENT, OVERRIDE, VERDICT, FEED]
EVENTS += [orjson.loads(raw) for samples in SAMPLES.values() for raw in samples]


@pytest.mark.parametrize("name", CANARIES)
@pytest.mark.parametrize("event", EVENTS)
def test_no_report_repeats_a_name_that_the_sender_chose(event, name):
    """Whatever object holds a member of that name, and whatever its value: the name is in no reason."""
    for value in ("x", *BAD_VALUES):
        for changed in with_member(event, name, value):
            assert not any(name.lower() in said.lower() for said in reports_of(changed))


def test_a_misspelt_member_is_told_by_what_was_meant():
    """The report of an unknown member names the member of the contract that it resembles."""
    (said,) = [each for each in reports_of({**EVENT, "recrod_id": "1"}) if each.startswith("unexpected")]
    assert said == "unexpected ? is no member of this event; did you mean record_id?"


def test_names_of_contract_and_rules_are_shown():
    """What the rules call an attribute is the place of its fault."""
    assert "wrong_type attributes.city " in reports_of({**EVENT, "attributes": {"city": {}}})[0]
    assert "wrong_type attributes.? " in reports_of({**EVENT, "attributes": {"town_of_ada": {}}})[0]


@pytest.mark.parametrize("name", CANARIES[:-1])
def test_no_report_of_a_csv_file_repeats_a_column(name):
    """Neither columns nor cells of a CSV file are in the reasons for which its rows are refused."""
    for header in (f"{name},{name}", f"source,{name}", f"source,record_id,{name}"):
        data = f"{header}\nweb,1,a,{name}\n{name},{name},{name}\nweb,\x1b{name}\n".encode()
        for _, event in iter_csv_events(io.BytesIO(data), PERSONS):
            if isinstance(event, RejectedEventError):
                assert name.lower() not in str(event).lower()
                assert not any(name in reason.path + reason.message for reason in event.reasons)
