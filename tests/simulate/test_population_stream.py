"""The population as a stream of events, and its truth."""

import subprocess
import sys
from collections import Counter, defaultdict
from itertools import islice, pairwise

import orjson
import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdm_stream.simulate import generate, people_for_events
from mdm_stream.simulate.cities import AREA_CODES, LINES_PER_AREA, PHONE_COUNT, phone_number
from mdm_stream.simulate.stream import END_US, PEOPLE_MAX

PEOPLE, SEED = 600, 11


@pytest.fixture(scope="module")
def events():
    """All deliveries of one population."""
    return list(generate(PEOPLE, SEED).events())


def version_of(event):
    """The token that orders an event within its record, as its source numbers it; load rows sort below all."""
    body = orjson.loads(event.raw)
    if event.source == "web":
        return (1, body["version"])
    if event.source == "crm":
        committed, current = orjson.loads(body["source"]["sequence"])
        return (int(body["op"] != "r"), int(committed or current), body["source"]["lsn"])
    if body["metadata"]["operation"] == "load":
        return (0, 0)
    _, file, offset, _ = body["metadata"]["stream-position"].split(".")
    return (1, int(file), int(offset))


def final_state(events):
    """Fold deliveries by version, newest wins, as any consumer must: {(source, record id): alive}."""
    newest = {}
    for event in events:
        if event.op == "control":
            continue
        key, version = (event.source, event.record_id), version_of(event)
        if key not in newest or newest[key][0] < version:
            newest[key] = (version, event.op != "delete")
    return {key for key, (_, alive) in newest.items() if alive}


def test_the_same_arguments_give_the_same_stream(events):
    """Two populations of the same people and seed are equal byte for byte; another seed gives another one."""
    assert list(generate(PEOPLE, SEED).events()) == events
    assert [event.raw for event in generate(PEOPLE, SEED + 1).events()] != [event.raw for event in events]


def test_a_fresh_process_gives_the_same_stream(events):
    """Nothing depends on the process, its hash seed included."""
    script = (
        "import hashlib; from mdm_stream.simulate import generate; "
        f"print(hashlib.sha256(b''.join(e.raw for e in generate({PEOPLE}, {SEED}).events())).hexdigest())"
    )
    out = {
        subprocess.run(
            [sys.executable, "-c", script], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(out) == 1


def test_truth_names_exactly_the_records_alive_after_folding_by_version(events):
    """Whatever the order of delivery, newest-version-wins leaves the records of the truth."""
    truth = [(row.source, row.record_id) for row in generate(PEOPLE, SEED).truth()]
    assert len(truth) == len(set(truth))
    assert final_state(events) == set(truth)
    assert final_state(reversed(events)) == set(truth)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 60), st.integers(0, 2**32))
def test_truth_holds_for_any_people_and_seed(people, seed):
    """The law above, for any arguments; and nobody is invented beyond the people asked for."""
    population = generate(people, seed)
    truth = list(population.truth())
    assert final_state(population.events()) == {(row.source, row.record_id) for row in truth}
    assert {row.entity_id for row in truth} <= {f"p{number:07d}" for number in range(people)}


def test_truth_can_be_had_while_the_events_are_drawn(events):
    """The callback of ``events`` gets the rows of ``truth``, in their order, and changes nothing about the events."""
    rows = []
    assert list(generate(PEOPLE, SEED).events(rows.append)) == events
    assert rows == list(generate(PEOPLE, SEED).truth())


def test_versions_grow_in_commit_order(events):
    """Within a source the position of every logged change is above those of all changes committed before it."""
    for source in ("crm", "erp", "web"):
        logged = sorted(
            (event for event in events if event.source == source and event.op != "control" and not event.repeat),
            key=lambda event: event.index,
        )
        versions = [version for version in map(version_of, logged) if version[0] == 1]
        assert all(before < after for before, after in pairwise(versions))


def test_every_logical_event_is_delivered_and_repeats_are_exact(events):
    """No event is lost; a repeated delivery has the bytes of the first."""
    first = {event.index: event for event in events if not event.repeat}
    assert sorted(first) == list(range(len(first)))
    repeats = [event for event in events if event.repeat]
    assert repeats
    assert all(event.raw == first[event.index].raw for event in repeats)


def test_some_records_are_overtaken(events):
    """There are records whose older version arrives after a newer one."""
    newest, overtaken = defaultdict(lambda: -1), 0
    for event in events:
        overtaken += event.index < newest[event.partition_key] and not event.repeat
        newest[event.partition_key] = max(newest[event.partition_key], event.index)
    assert overtaken >= 10


def test_the_stream_holds_what_it_promises(events):
    """Inserts, snapshot rows, updates, patches, deletes and re-inserts all occur, over three sources."""
    kinds = Counter((event.source, event.op) for event in events)
    assert all(kinds[source, op] > 0 for source in ("crm", "erp", "web") for op in ("insert", "update", "delete"))
    assert kinds["web", "patch"] > 0
    assert kinds["erp", "control"] == 1
    snapshots = [event for event in events if b'"op":"r"' in event.raw or b'"operation":"load"' in event.raw]
    assert 0 < len(snapshots) < len(events) / 4
    inserts = Counter(event.partition_key for event in events if event.op == "insert" and not event.repeat)
    assert max(inserts.values()) > 1


def test_records_of_one_entity_lie_in_several_sources():
    """There is something to match: most people are in more than one record, some twice in one source."""
    sources = defaultdict(list)
    for row in generate(PEOPLE, SEED).truth():
        sources[row.entity_id].append(row.source)
    assert sum(len(set(found)) > 1 for found in sources.values()) > PEOPLE / 2
    assert any(len(found) > len(set(found)) for found in sources.values())


def test_no_event_is_far_past_the_end_and_time_comes_from_the_seed_alone(events):
    """Event times lie between the start and some weeks past the fixed end."""
    population = generate(PEOPLE, SEED)
    assert min(event.time_us for event in events) >= population.start_us
    assert max(event.time_us for event in events) < END_US + 40 * 86_400_000_000


def test_contacts_reach_nobody(events):
    """E-mail lies under reserved domains, and telephone numbers under the unassigned exchange 555."""
    for event in events:
        if event.source == "web" and event.op == "insert":
            attributes = orjson.loads(event.raw)["attributes"]
            if attributes["email"] and "@" in attributes["email"]:
                assert attributes["email"].lower().endswith(("example.com", "example.net", "example.org"))
            digits = "".join(filter(str.isdigit, attributes["phone"] or ""))
            # A mistyped digit may fall into the exchange; a placeholder has zeros alone.
            assert (
                not digits
                or sum(a != b for a, b in zip(digits[-7:-4], "555", strict=True)) <= 1
                or set(digits) == {"0"}
            )


def test_telephone_numbers_are_distinct_and_valid():
    """Slots give different numbers up to the stated count, each of them valid by the numbering plan."""
    assert len({phone_number(slot) for slot in range(200_000)}) == 200_000
    assert phone_number(0) == phone_number(PHONE_COUNT)
    assert len(AREA_CODES) == len(set(AREA_CODES))
    for area in AREA_CODES:
        assert phonenumbers.is_valid_number(phonenumbers.parse(f"{area}5550123", "US"))
    assert LINES_PER_AREA * len(AREA_CODES) == PHONE_COUNT


def test_a_great_population_starts_at_once_and_stays_small():
    """The stream of the most people begins without generating them, in the past."""
    population = generate(PEOPLE_MAX, 3)
    assert len(list(islice(population.events(), 500))) == 500
    assert 0 < population.start_us < END_US


def test_names_are_skewed_and_people_distinguishable():
    """Frequent family names are frequent, yet name and birth date seldom coincide by chance."""
    people = [person for life in generate(3000, 5)._lives() for person in life.people]
    families = Counter(person.family for person in people)
    assert families.most_common(1)[0][1] > 20
    assert len(families) > 400
    full = Counter((person.given, person.family, person.birth) for person in people)
    assert sum(count - 1 for count in full.values()) <= 2
    assert len({person.email for person in people}) == len(people)
    assert [person.number for person in people] == list(range(3000))


def test_families_have_twins_and_namesakes():
    """Twins share birth date and family name, namesakes given and family name; both live at one address."""
    homes = [life.people for life in generate(4000, 5)._lives()]
    twins = namesakes = 0
    for home in homes:
        for a in home:
            for b in home:
                if a.number < b.number and a.family == b.family and a.address == b.address:
                    twins += a.birth == b.birth and a.given != b.given
                    namesakes += a.given == b.given and a.birth != b.birth
    assert twins >= 5
    assert namesakes >= 10


@pytest.mark.parametrize("people", [0, -1, PEOPLE_MAX + 1])
def test_impossible_numbers_are_refused(people):
    """A population of nobody, or of too many, is a programmer's fault."""
    with pytest.raises(ValueError, match="people must be from 1"):
        generate(people, 1)


def test_people_for_events_is_about_right(events):
    """Asking for the people behind n events gives a stream of about n."""
    assert people_for_events(len(events)) == pytest.approx(PEOPLE, rel=0.1)
    assert people_for_events(0) == 1
