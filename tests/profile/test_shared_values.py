"""Values that suspiciously many records share: found by type and distribution, of records as they are now."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdm_stream.core.model import EraseEvent, RecordEvent
from mdm_stream.profile.shared import SharedValues
from mdm_stream.profile.suspicion import SHARED_BY_MIN, TIMES_TYPICAL, suspicious_from, typical
from mdm_stream.rules import load_ruleset

PERSON = load_ruleset("person")
DESK = "desk@clinic.example"


def upsert(number: int, version: int = 1, source: str = "crm", **attributes) -> RecordEvent:
    """A write of one record."""
    return RecordEvent("person", source, str(number), "upsert", version, version, attributes)


def shared(events, rules=PERSON, **bounds):
    """The report about some events."""
    values = SharedValues(rules, **bounds)
    for event in events:
        values.add(event)
    report = values.report()
    values.close()
    return report


def named(groups):
    """By attribute, what is listed: values with their records."""
    return {group.name: {value.value: value.records for value in group.values} for group in groups}


@pytest.mark.parametrize(
    ("values_by_records", "said"),
    [({}, 1), ({500: 1}, 1), ({1: 1, 900: 1}, 1), ({1: 100}, 1), ({3: 9, 900: 1}, 3), ({1: 80, 40: 20}, 40)],
)
def test_the_typical_value_is_not_made_by_a_placeholder(values_by_records, said):
    """Nine in ten values have no more records; one value, however many records have it, moves nothing."""
    assert typical(values_by_records) == said


@pytest.mark.parametrize("type_name", SHARED_BY_MIN)
def test_a_value_is_suspicious_from_two_bounds_on(type_name):
    """The least of its type, and ten times what a typical value of the attribute has."""
    assert suspicious_from(type_name, {1: 1_000}) == SHARED_BY_MIN[type_name]
    assert suspicious_from(type_name, {70: 1_000}) == TIMES_TYPICAL * 70


def test_what_is_nearly_unique_is_listed_and_a_name_or_a_city_never():
    """A mailbox and a date of many records; the name and the city that all of them share are ordinary."""
    alone = [upsert(n, email=f"user{n}@x.example", birth_date=f"19{n % 80 + 10}-03-0{n % 9 + 1}") for n in range(200)]
    same = [
        upsert(n, source="crm" if n % 2 else "erp", given_name="Ann", city="Leeds", email=DESK, birth_date="1985-05-05")
        for n in range(1_000, 1_060)
    ]
    report = shared([*alone, *same])
    assert named(report.attributes) == {"email": {DESK: 60}, "birth_date": {"1985-05-05": 60}}
    [email] = [group for group in report.attributes if group.name == "email"]
    assert (email.suspicious_from, email.found) == (SHARED_BY_MIN["email"], 1)
    assert (email.values[0].sources, email.values[0].share) == ({"crm": 30, "erp": 30}, round(60 / 260, 4))
    assert report.records == 260


def test_a_household_and_its_systems_are_not_suspicious():
    """Four people with one phone in four systems; with a fifth member they would be a question."""
    events = [upsert(n, source=s, phone="+442071234567") for n in range(4) for s in ("crm", "erp", "web", "shop")]
    assert shared(events).attributes == ()


def test_records_count_once_as_they_are_now():
    """Not the rows: a later write takes a value away, a deletion and an erasure the record."""
    events = [upsert(n, version, email=DESK) for n in range(30) for version in (1, 2, 3)]
    assert named(shared(events).attributes) == {"email": {DESK: 30}}
    events += [upsert(n, 4, email=f"own{n}@x.example") for n in range(4)]
    events += [replace(upsert(n, 4), op="delete", attributes={}) for n in range(4, 6)]
    events += [EraseEvent("person", "crm/6", 5)]
    assert named(shared(events).attributes) == {"email": {DESK: 23}}
    patches = [replace(upsert(n, 5, email="new@x.example"), op="patch") for n in range(7, 29)]
    assert named(shared(events + patches).attributes) == {"email": {"new@x.example": 22}}


def test_suspended_keys_are_listed_with_the_mailboxes_that_share_one():
    """No mailbox is shared, and `info@` of 210 companies is one key: the digest is that of logs, the line a pattern."""
    events = [upsert(n, email=f"in.fo@firm{n}.example") for n in range(210)]
    report = shared(events)
    assert report.attributes == ()
    assert named(report.suspended) == {"local(email)": {"in.fo": 210}}
    assert len(report.suspended[0].values[0].digest) == 6
    assert report.lines == (r'shared_email: {attributes: email, patterns: ["in\\.fo@.*"]}',)


def test_the_lines_list_what_was_found(tmp_path):
    """Added to the rules, nothing is shared any more, and what was is set aside by the new lists."""
    events = [upsert(n, email=DESK, phone="020 7123 4567", country="GB", national_id='A"7\\4') for n in range(40)]
    events += [upsert(n, email=f"in.fo@firm{n}.example", birth_date="1985-05-05") for n in range(100, 310)]
    events += [upsert(n, street="1 Main Street", city="York") for n in range(400, 460)]
    before = shared(events)
    assert set(named(before.attributes)) == {"email", "phone", "national_id", "birth_date", "street"}
    path = tmp_path / "rules.yaml"
    lines = "".join(f"  {line}\n" for line in before.lines)
    path.write_text(f"extends: person\nversion: 2\nplaceholders:\n{lines}")
    after = shared(events, load_ruleset(str(path)))
    assert (after.attributes, after.suspended, after.lines) == ((), (), ())
    aside = {group.name: {value.set_aside_by for value in group.values} for group in after.set_aside}
    assert aside == {name: {f"list shared_{name}"} for name in named(before.attributes)}


def test_what_is_set_aside_already_names_its_list():
    """A list of the pack, or the type, by what was delivered; and why other values count for nothing is counted."""
    events = [
        upsert(n, birth_date="1970-01-01", email="no-reply@x.example", national_id="1.91431E+18", phone="none")
        for n in range(3)
    ]
    report = shared([*events, upsert(9, email="a@x.example; b@x.example")])
    aside = {group.name: {each.value: (each.records, each.set_aside_by) for each in group.values}
             for group in report.set_aside}  # fmt: skip
    assert aside == {
        "birth_date": {"1970-01-01": (3, "list zero_dates")},
        "email": {"no-reply@x.example": (3, "type email")},
        "phone": {"none": (3, "type phone")},
    }
    assert report.reasons == {
        "birth_date: placeholder": 3,
        "email: placeholder": 3,
        "email: several_values": 1,
        "national_id: scientific_notation": 3,
        "phone: placeholder": 3,
    }


WRITES = st.builds(
    lambda number, version, op, email: replace(
        upsert(number, version, **({} if op == "delete" else {"email": email})), op=op
    ),
    st.integers(0, 40),
    st.integers(1, 3),
    st.sampled_from(["upsert", "upsert", "upsert", "patch", "delete"]),
    st.sampled_from([DESK, "a@x.example", "b@x.example", "none"]),
)


@given(st.lists(WRITES, max_size=120), st.randoms(use_true_random=False), st.integers(0, 20_000))
@settings(max_examples=25)
def test_order_and_memory_change_nothing(events, randomness, bytes_max):
    """The same report whatever order and duplicates, also where hardly anything fits into memory."""
    again = events + events[::3]
    randomness.shuffle(again)
    assert shared(events) == shared(again, states_bytes_max=bytes_max, counts_bytes_max=bytes_max)
