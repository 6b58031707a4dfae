"""Looking into an index on Redis: what names lead to, and what is never shown."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest
from small_world import small_rules

from mdm_stream.core.cluster.golden import golden_id_of
from mdm_stream.core.model import EraseEvent, RecordEvent, VerdictEvent
from mdm_stream.engine.batch import Engine
from mdm_stream.errors import ConfigurationError, TerminalError, TransientError
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.steward.describe import MASK
from mdm_stream.steward.inspect import NotFoundError, explain_names, show

PLAIN = small_rules()
RULES = replace(
    PLAIN,
    attributes=(*PLAIN.attributes[:2], *(replace(each, sensitive=True) for each in PLAIN.attributes[2:])),
)
ANN = {"given_name": "Ann", "family_name": "Lee", "birth_date": "1980-01-01", "email": ("a@x.org", "b@x.org")}


def upsert(source, record_id, version=1, time_us=0, **changes):
    """Return an upsert of Ann, with some attributes changed."""
    return RecordEvent("person", source, record_id, "upsert", version, time_us, {**ANN, **changes})


def opened(redis_client, *events):
    """Return an index, opened for reading, that holds what the events say."""
    index = RedisIndex(redis_client, RULES)
    engine = Engine(RULES, index)
    assert not engine.process(events).failed
    engine.drain()
    return RedisIndex(redis_client, RULES, create=False)


def test_opening_for_reading_makes_nothing(redis_client):
    """Where there is no index, looking for one is refused and leaves no key behind."""
    with pytest.raises(TerminalError, match="there is no index of domain 'person'"):
        RedisIndex(redis_client, RULES, create=False)
    assert redis_client.dbsize() == 0


def test_other_rules_are_refused(redis_client):
    """An index is read with the rules that it was built with, or not at all."""
    opened(redis_client, upsert("crm", "1"))
    with pytest.raises(TerminalError, match="another rule set"):
        RedisIndex(redis_client, replace(RULES, digest="other"), create=False)


def test_a_record_is_shown_with_its_golden_record(redis_client):
    """A record's name leads to its golden record and to its own state, sensitive values masked."""
    verdict = VerdictEvent("person", "crm/1", "web/9", "separate", 4, 50, "steward-1")
    index = opened(redis_client, upsert("crm", "1", 3, 7_000_000), upsert("erp", "2", given_name="Anne"), verdict)
    found = show(index, RULES, "crm/1").document()
    golden, record = found["golden"], found["record"]
    assert golden["members"] == [{"source": "crm", "record_id": "1"}, {"source": "erp", "record_id": "2"}]
    assert golden["values"] == {"given_name": "Ann", "family_name": "Lee", "birth_date": MASK, "email": [MASK, MASK]}
    assert golden["provenance"]["family_name"][0]["version"] == 3
    assert record["status"] == "live"
    assert record["attributes"]["given_name"] == {
        "value": "Ann",
        "valid": True,
        "version": 3,
        "event_time": "1970-01-01T00:00:07.000000Z",
    }
    keys = {key["expression"]: key for key in record["blocking_keys"]}
    assert keys["soundex(family_name)"]["size"] == 2
    assert keys["soundex(family_name)"]["key"] != MASK
    assert keys["email"]["key"] == keys["first(given_name, 1) + year(birth_date)"]["key"] == MASK
    (shown,) = record["verdicts"]
    assert (shown["other"], shown["verdict"]) == ({"source": "web", "record_id": "9"}, "separate")
    assert "x.org" not in orjson.dumps(found).decode()
    revealed = show(index, RULES, "crm/1", reveal=True).document()
    assert revealed["golden"]["values"]["birth_date"] == "1980-01-01"
    assert show(index, RULES, golden["golden_id"]).document() == {
        "domain": "person",
        "redirected_from": None,
        "golden": golden,
        "record": None,
    }


def test_tombstones_and_records_known_from_verdicts_are_shown(redis_client):
    """A deleted record, and one that only a verdict names, are in no golden record, and say so."""
    delete = RecordEvent("person", "crm", "1", "delete", 2, 9)
    verdict = VerdictEvent("person", "crm/1", "web/9", "link", 4, 50, "steward-1")
    index = opened(redis_client, upsert("crm", "1"), delete, verdict)
    found = show(index, RULES, "crm/1").document()
    assert (found["golden"], found["record"]["status"]) == (None, "deleted")
    assert found["record"]["last_whole_write"]["op"] == "delete"
    assert show(index, RULES, "web/9").document()["record"]["status"] == "unseen"
    gone = golden_id_of("person", "crm/1")
    assert show(index, RULES, gone).document() == {**found, "redirected_from": gone}


def test_an_erased_record_is_not_one_that_never_came(redis_client):
    """It says that it is erased, whatever was known of it before and whatever comes after."""
    index = opened(redis_client, upsert("crm", "1"), EraseEvent("person", "crm/1", 5), upsert("crm", "1", version=9))
    found = show(index, RULES, "crm/1").document()
    assert (found["golden"], found["record"]["status"], found["record"]["attributes"]) == (None, "erased", {})


def test_a_merged_golden_id_leads_to_where_its_record_is(redis_client):
    """The id of a golden record that was merged away leads to the one that holds its anchor now."""
    index = opened(redis_client, upsert("crm", "1", time_us=1), upsert("erp", "2", time_us=2))
    merged_away, live = golden_id_of("person", "erp/2"), golden_id_of("person", "crm/1")
    found = show(index, RULES, merged_away).document()
    assert found["golden"]["golden_id"] == live
    assert found["redirected_from"] == merged_away
    assert found["record"]["record_id"] == "2"
    document = explain_names(index, RULES, (live, merged_away)).document()
    assert (document["a"]["record_id"], document["b"]["record_id"], document["conclusion"]) == ("1", "2", "linked")


@pytest.mark.parametrize(
    ("name", "error"),
    [
        *((unknown, NotFoundError) for unknown in ("crm/404", "g" + "0" * 24)),
        *((no_name, ConfigurationError) for no_name in ("crm", "crm/", "/1", "g123", "")),
    ],
)
def test_an_unknown_name_is_told_in_a_sentence(redis_client, name, error):
    """A record never heard of and a golden id that never was are not found; what is neither is a wrong call."""
    index = opened(redis_client, upsert("crm", "1"))
    with pytest.raises(error):
        show(index, RULES, name).document()
    with pytest.raises(error):
        explain_names(index, RULES, ("crm/1", name)).document()


def test_one_record_is_no_pair(redis_client):
    """Two names of one record have nothing to explain."""
    index = opened(redis_client, upsert("crm", "1"))
    with pytest.raises(ConfigurationError, match="both names are of one record"):
        explain_names(index, RULES, ("crm/1", golden_id_of("person", "crm/1")))


def test_suspended_keys_are_told(redis_client):
    """A pair whose shared keys are all too large is never scored; the explanation names the keys and sizes."""
    others = [upsert("crm", str(n), birth_date=f"19{50 + n}-01-01", email=()) for n in range(6)]
    index = opened(redis_client, *others)
    document = explain_names(index, RULES, ("crm/0", "crm/1")).document()
    assert document["conclusion"] == "suspended_keys"
    assert document["shared_keys"] == [{"expression": "soundex(family_name)", "size": 6, "suspended": True}]
    assert document["score"]["decision"] in {"LINK", "REVIEW", "NO_LINK"}


def test_reads_that_contradict_each_other_are_done_again(redis_client, monkeypatch):
    """Somebody who writes between two reads costs another look; one who never stops ends in a transient error."""
    index = opened(redis_client, upsert("crm", "1"))
    calls = []

    def golden_of(refs, *, stale_for):
        calls.append(refs)
        return {} if len(calls) <= stale_for else RedisIndex.golden_of(index, refs)

    monkeypatch.setattr(index, "golden_of", lambda refs: golden_of(refs, stale_for=2))
    assert show(index, RULES, "crm/1").document()["golden"] is not None
    assert len(calls) == 3
    monkeypatch.setattr(index, "golden_of", lambda refs: golden_of(refs, stale_for=99))
    with pytest.raises(TransientError, match="keeps changing"):
        show(index, RULES, "crm/1")
