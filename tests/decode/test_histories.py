"""Versions are (history, position): what the rules declare decides, and orders of delivery never do."""

from __future__ import annotations

import itertools
from dataclasses import replace

import orjson
import pytest
from failover_world import NEW_GTIDS, NEW_SERVER, dms, mysql, oracle, rules_of
from hypothesis import given
from hypothesis import strategies as st

from mdm_stream.contracts.change import encode_event
from mdm_stream.core.fold import EMPTY, fold
from mdm_stream.core.histories import in_history, shown_version, split_version
from mdm_stream.core.model import version_order
from mdm_stream.core.reference import resolve
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.errors import RejectedEventError
from mdm_stream.rules import load_ruleset

POSITIONS = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.text(st.characters(max_codepoint=0x10FFFC, exclude_categories=["Cs"]), min_size=1),
)
VERSIONS = st.tuples(st.integers(0, 999), POSITIONS)


@given(VERSIONS, VERSIONS)
def test_versions_are_in_the_order_of_their_histories_and_then_of_their_positions(left, right):
    """Whatever the positions are: integers and any texts of senders."""
    in_order = (left[0], version_order(left[1])) < (right[0], version_order(right[1]))
    assert (version_order(in_history(*left)) < version_order(in_history(*right))) == in_order
    assert split_version(in_history(*left)) == left


def test_a_version_is_shown_with_its_history():
    """What people read has no character that a terminal cannot show."""
    assert shown_version(in_history(2, "0001")) == "history 2: 0001"
    assert shown_version(in_history(3, -7)) == "history 3: -7"
    assert shown_version(7) == "7"


def decoded(rules, *messages):
    """Return what messages say, each with its arrival."""
    decoder = Decoder({"person": rules})
    rows = enumerate(messages, start=1)
    deliveries = [
        Delivery(orjson.dumps(each), str(n).zfill(64), 1_795_000_000_000_000 + n, "s/0:1") for n, each in rows
    ]
    return [event for each in deliveries for event in decoder.decode(each)]


def values_of(rules, events):
    """Return city or e-mail of each live record, whatever order its events come in."""
    found = []
    for order in itertools.permutations(events):
        states = {}
        for event in order:
            states[event.ref] = fold(states.get(event.ref, EMPTY), event, event.ref).state
        found.append({ref: state.columns() for ref, state in states.items() if state.live})
    assert all(each == found[0] for each in found)
    return found[0]


FAILOVER = (
    mysql(1, "2026-01-05T08:00:00Z", 812, 4000, city="Leeds"),
    mysql(2, "2026-01-05T08:00:01Z", 812, 5000, city="York"),
    mysql(1, "2026-01-31T22:53:20Z", 31, 700, server=NEW_SERVER, gtids=NEW_GTIDS, city="Bath"),
    mysql(2, "2026-01-31T22:53:21Z", 31, 900, op="d", server=NEW_SERVER, gtids=NEW_GTIDS),
)


@pytest.mark.parametrize(
    "declared",
    [
        f"[{{server_id: {NEW_SERVER}}}]",
        f"[{{server_id: 223344}}, {{server_id: {NEW_SERVER}}}]",
        f"[{{gtid_source: {NEW_GTIDS.upper()}}}]",
        "[{from: 2026-01-31}]",
        f"[{{server_id: {NEW_SERVER}, from: 2026-01-05T08:00:02Z}}]",
    ],
)
def test_a_new_servers_changes_win_once_its_history_is_declared(tmp_path, declared):
    """The city that it wrote stands, and the record that it deleted is gone."""
    rules = rules_of(tmp_path, shop=declared)
    assert {ref: row["city"] for ref, row in values_of(rules, decoded(rules, *FAILOVER)).items()} == {"shop/1": "Bath"}


def test_going_back_to_the_old_server_is_a_history_of_its_own(tmp_path):
    """One server may begin several histories, told apart by time."""
    back = mysql(1, "2026-03-01T10:00:00Z", 813, 100, city="Ripon")
    late = mysql(1, "2026-01-31T22:00:00Z", 812, 9000, city="Hull")  # written to the old server before it was left
    rules = rules_of(tmp_path, shop=f"[{{server_id: {NEW_SERVER}}}, {{server_id: 223344, from: 2026-02-28}}]")
    rows = values_of(rules, decoded(rules, FAILOVER[0], FAILOVER[2], late, back))
    assert rows["shop/1"]["city"] == "Ripon"


@pytest.mark.parametrize("declared", [f"{{server_id: {NEW_SERVER}}}", f"{{gtid_source: {NEW_GTIDS}}}"])
@pytest.mark.parametrize("op", ["u", "d"])
def test_flattened_rows_belong_to_the_history_that_their_added_fields_name(tmp_path, declared, op):
    """A transform that adds the server or the GTID says as much as the envelope does."""
    rules = rules_of(tmp_path, shop=f"[{declared}]")
    enveloped = mysql(1, "2026-01-31T22:53:20Z", 31, 700, server=NEW_SERVER, gtids=NEW_GTIDS, op=op, city="Bath")
    added = {f"__source_{name}": value for name, value in enveloped["source"].items() if value is not None}
    flat = {**(enveloped["after"] or enveloped["before"]), "__op": op, **added}
    (left,), (right,) = decoded(rules, enveloped), decoded(rules, flat)
    assert left.version == right.version
    assert shown_version(right.version).startswith("history 1: ")
    assert replace(left, place=right.place) == replace(right, place=right.place)


def test_what_belongs_to_no_history_keeps_its_version(tmp_path):
    """So a history that begins later than all that was delivered changes nothing of it."""
    plain, ahead = rules_of(tmp_path), rules_of(tmp_path, shop="[{from: 2026-12-01}]")
    assert [each.version for each in decoded(plain, *FAILOVER)] == [each.version for each in decoded(ahead, *FAILOVER)]
    assert resolve(plain, decoded(plain, *FAILOVER)) == resolve(ahead, decoded(ahead, *FAILOVER))


def test_a_declared_reload_supersedes_what_was_before_it(tmp_path):
    """Its rows stand above older changes, and changes after it above its rows."""
    rules = rules_of(tmp_path, crm="[{from: 2026-02-01T00:00:00Z}]")
    events = decoded(
        rules,
        dms(1, "2026-01-01T00:00:00Z", "load", city="Leeds"),
        dms(1, "2026-01-03T00:00:00Z", "update", 154, city="Hull"),
        dms(2, "2026-01-03T00:01:00Z", "delete", 155),
        dms(1, "2026-02-01T00:00:05Z", "load", city="Bath"),
        dms(2, "2026-02-01T00:00:05Z", "load", city="York"),
    )
    assert {ref: row["city"] for ref, row in values_of(rules, events).items()} == {"crm/1": "Bath", "crm/2": "York"}
    (after,) = decoded(rules, dms(1, "2026-02-02T00:00:00Z", "update", 7, city="Ripon"))
    assert values_of(rules, [events[1], events[3], after])["crm/1"]["city"] == "Ripon"


def test_changes_of_one_scn_and_ssn_are_in_the_order_of_their_redo_records(tmp_path):
    """The last one wins, and a row deleted last is gone; padding and white space of LogMiner do not matter."""
    rules = rules_of(tmp_path)
    events = decoded(
        rules,
        oracle(1, "0x000010.00000020.0010", op="c", EMAIL="old@example.com"),
        oracle(1, " 0x000010.0000a1.0010 ", EMAIL="new@example.com"),
        oracle(2, "0x00000f.ffffffff.0010", op="c"),
        oracle(2, "0x000010.00000020.0010", ssn=1),
        oracle(2, "0x000010.00000020.0020", op="d"),
    )
    assert {ref: row["EMAIL"] for ref, row in values_of(rules, events).items()} == {"core/1": "new@example.com"}


@pytest.mark.parametrize("record", ["x", " ", "0x10.20", "0x10.20.30.40", 16, [1], "0x" + "f" * 17 + ".1.1"])
def test_a_redo_record_of_another_form_is_refused(tmp_path, record):
    """A token that cannot be ordered would order the row wrongly for good."""
    with pytest.raises(RejectedEventError) as caught:
        decoded(rules_of(tmp_path), oracle(1, record))
    assert caught.value.reasons[0].path == "source.rs_id"


@pytest.mark.parametrize("member", ["rs_id", "lcr_position"])
def test_an_empty_token_of_oracle_says_as_little_as_an_absent_one(tmp_path, member):
    """LogMiner leaves the redo record of some changes empty: the row is ordered by what else the change says."""
    rules = rules_of(tmp_path)
    absent, empty = oracle(1, None), oracle(1, None)
    empty["source"][member] = ""
    versions = [decoded(rules, message)[0].version for message in (absent, empty)]
    assert versions[0] == versions[1]
    flat = {**empty["after"], "__op": "u", **{f"__source_{name}": value for name, value in empty["source"].items()}}
    assert decoded(rules, flat)[0].version == versions[0]


def test_positions_of_xstream_order_changes_of_one_scn(tmp_path):
    """That connector names no redo record."""
    rules = rules_of(tmp_path)
    messages = [oracle(1, None, EMAIL=f"{n}@example.com") for n in range(3)]
    for n, message in enumerate(messages):
        message["source"]["lcr_position"] = f"00000000{n}A0000001"
    assert values_of(rules, decoded(rules, *messages))["core/1"]["EMAIL"] == "2@example.com"


def test_canonical_integers_belong_to_a_history_by_their_time(tmp_path):
    """A system that was restored counts anew."""
    rules = rules_of(tmp_path, web="[{from: 2026-02-01}]")
    base = {"domain": "person", "source": "web", "record_id": "1", "op": "upsert"}
    before = {**base, "version": 9_000, "event_time": "2026-01-31T23:59:59Z", "attributes": {"email": "a@example.com"}}
    after = {**base, "version": 12, "event_time": "2026-02-01T00:00:00Z", "attributes": {"email": "b@example.com"}}
    assert values_of(rules, decoded(rules, before, after))["web/1"] == {"email": "b@example.com"}


def test_no_sender_reaches_a_later_history_with_a_version_of_its_own(tmp_path):
    """The characters that later histories begin with are refused in whatever a sender writes."""
    path = tmp_path / "text.yaml"
    path.write_text("extends: person\nversion: 1\nsources:\n  web: {version_kind: text}\n")
    rules = load_ruleset(path)
    for version in ("\U0010fffd001t9", "\U0010fffe", "\U0010ffff9"):
        event = {"domain": "person", "source": "web", "record_id": "1", "op": "delete", "version": version}
        with pytest.raises(RejectedEventError) as caught:
            decoded(rules, event)
        assert caught.value.reasons[0].path == "version"


def test_a_clock_that_is_ahead_reaches_a_later_history_no_sooner_than_its_arrival_allows(tmp_path):
    """The log's time counts to a day after the arrival: nothing delivered by now can belong to what begins later."""
    text = rules_of(tmp_path, shop="[{from: 2027-06-01}]")
    event = mysql(1, "2031-01-01T00:00:00Z", 1, 1, dob="2026-01-01")
    source = text.sources["shop"]
    rules = replace(text, sources={**text.sources, "shop": replace(source, event_time="dob")})
    (decoded_event,) = decoded(rules, event)
    assert split_version(decoded_event.version)[0] == 0
    assert decoded_event.place.time_us is not None


def test_what_an_erasure_leaves_of_a_row_can_still_be_told_apart(tmp_path):
    """It is kept in canonical form with its bare position and its log, so a history declared later has it too."""
    before, after = rules_of(tmp_path), rules_of(tmp_path, shop=f"[{{server_id: {NEW_SERVER}}}]")
    (event,) = decoded(before, FAILOVER[2])
    rest = orjson.loads(encode_event(event))
    (again,) = decoded(after, rest)
    assert again.version == decoded(after, FAILOVER[2])[0].version
    assert split_version(again.version)[0] == 1
    (back,) = decoded(before, orjson.loads(encode_event(again)))
    assert back == event


def test_only_rows_of_a_log_may_name_one(tmp_path):
    """An application's event has a time, and that decides."""
    event = {
        "domain": "person",
        "source": "web",
        "record_id": "1",
        "op": "delete",
        "version": 1,
        "log": {"timeline": "2"},
    }
    with pytest.raises(RejectedEventError) as caught:
        decoded(rules_of(tmp_path), event)
    assert (caught.value.reasons[0].code, caught.value.reasons[0].path) == ("unexpected", "log")
