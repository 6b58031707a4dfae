"""Whose an event is, in whatever format and condition it comes."""

from __future__ import annotations

import base64
import gzip

import orjson
import pytest

from mdm_stream.decode import Decoder, Delivery
from mdm_stream.decode.redrive_envelope import MARKER, wrap
from mdm_stream.erasure.in_letters import Certainty
from mdm_stream.erasure.whose import OTHER_DOMAIN, Owners
from mdm_stream.rules import load_ruleset
from mdm_stream.simulate import DEMO_RULES

SOURCE = {"connector": "postgresql", "schema": "public", "table": "customer", "lsn": 7, "sequence": '["6","7"]'}


@pytest.fixture(scope="module")
def owners(tmp_path_factory: pytest.TempPathFactory) -> Owners:
    """Of records of two systems, under the rules of the demo."""
    path = tmp_path_factory.mktemp("rules") / "demo.yaml"
    path.write_text(DEMO_RULES)
    return Owners(Decoder({"person": load_ruleset(path)}), "person", ["crm/1", "web/w 1"])


def web(record_id: str = "w 1", **members: object) -> bytes:
    """Return a canonical event."""
    event = {"domain": "person", "source": "web", "record_id": record_id, "op": "upsert", "version": 1}
    return orjson.dumps({**event, "attributes": {"given_name": "Ada"}, **members})


def row(before: dict[str, object] | None, after: dict[str, object] | None, **members: object) -> bytes:
    """Return a Debezium event."""
    op = "c" if before is None else "d" if after is None else "u"
    return orjson.dumps({"before": before, "after": after, "source": SOURCE, "op": op, "ts_ms": 1, **members})


CASES = {
    "canonical": (web(), "theirs"),
    "canonical of another record": (web("w 10"), "others"),
    "delete": (web(op="delete"), "theirs"),
    "row": (row(None, {"id": 1, "first_name": "Ada"}), "theirs"),
    "row of another record": (row(None, {"id": 2, "first_name": "Ada"}), "others"),
    "row that took another key": (row({"id": 1, "first_name": "Ada"}, {"id": 2, "first_name": "Ada"}), "theirs"),
    "in an envelope": (wrap(Delivery.from_row(web(), 1, "a/b:1")), "theirs"),
    "another's in an envelope": (wrap(Delivery.from_row(web("w 10"), 1, "a/b:1")), "others"),
    "bad": (web(surprise=1), "theirs"),
    "bad, of another record": (web("w 10", surprise=1), "others"),
    "without a domain": (web(domain=None), "theirs"),
    "another domain's": (web(domain="planet"), "others"),
    "erasure": (web(op="erase", attributes=None), "theirs"),
    "no JSON": (b'"a": 1}' + web()[:9], "unclear"),
    "cut off": (web()[:-9], "theirs"),
    "damaged envelope": (MARKER + b"\x00\x02{}", "unclear"),
    "unknown table": (row(None, {"id": 1}, source={**SOURCE, "table": "supplier"}), "unclear"),
}
CASES["erasure"] = (orjson.dumps({"domain": "person", "source": "web", "record_id": "w 1", "op": "erase"}), "others")


@pytest.mark.parametrize("name", CASES)
def test_every_event_is_somebodys_or_unclear(owners: Owners, name: str) -> None:
    """By what it says if the rules accept it, by what it claims if not."""
    raw, whose = CASES[name]
    assert [said.whose for said in owners.of(Delivery.from_row(raw, 1))] == [whose]


def test_what_an_event_says_of_others_is_kept(owners: Owners) -> None:
    """A row that took another key becomes the insertion of that one, and holds nothing of the old one."""
    moved = row({"id": 1, "first_name": "Ada", "last_name": "Marker"}, {"id": 2, "first_name": "Ida"})
    (said,) = owners.of(Delivery.from_row(moved, 1))
    assert said.refs == ("crm/1", "crm/2")
    [rest] = owners.rest(said)
    assert orjson.loads(rest)["record_id"] == "2"
    assert b"Marker" not in rest
    assert [each.whose for each in owners.of(Delivery.unplaced(rest))] == ["others"]
    assert [owners.rest(said) for said in owners.of(Delivery.from_row(web(), 1))] == [[]]


def test_a_record_of_another_domain_has_no_reference_here(owners: Owners) -> None:
    """It is never taken for one that is erased in this domain."""
    (said,) = owners.of(Delivery.from_row(web(domain="planet"), 1))
    assert said.refs == (OTHER_DOMAIN,)


def test_an_event_that_is_cut_off_is_theirs_if_it_says_so(owners: Owners) -> None:
    """Its identity stands before the break: as JSON, escaped, packed, or in a damaged envelope."""
    whole = web(surprise="x" * 50)
    cut = whole[:-20]
    escaped = cut.replace(b"record_id", b"record\\u005fid").replace(b"w 1", b"w\\u00201")
    for raw in (cut, escaped, b"\xef\xbb\xbf" + cut, gzip.compress(whole)[:-12], base64.b64encode(cut), MARKER + cut):
        assert [said.whose for said in owners.of(Delivery.from_row(raw, 1))] == ["theirs"], raw
    (other,) = owners.of(Delivery.from_row(web("w 10", surprise="x")[:-3], 1))
    assert (other.whose, owners.claims_other(other)) == ("unclear", True)


def test_a_claim_that_is_cut_off_itself_is_none(owners: Owners) -> None:
    """``w 1`` may have been ``w 10``; an identity deeper inside, or one of two, is not the event's."""
    before, _, _ = web().partition(b'w 1"')
    for raw in (before + b"w 1", b'{"a": ' + web() + b', "b"', web()[:-1] + b"}" + web("w 10") + b"{"):
        (said,) = owners.of(Delivery.from_row(raw, 1))
        assert said.whose == "unclear", raw


def test_an_event_that_crashes_the_decoder_does_not_stop_an_erasure(
    owners: Owners, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is judged by what it claims."""

    def crash(_: object, __: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Decoder, "decode", crash)
    assert [said.whose for said in owners.of(Delivery.from_row(web(), 1))] == ["theirs"]
    assert [said.whose for said in owners.of(Delivery.from_row(web("w 10"), 1))] == ["others"]


def test_only_what_is_surely_theirs_is_certain() -> None:
    """An id letter by letter and a value nobody else has, both as words; a short id is in every payload."""
    certainty = Certainty(["crm/p-7", "crm/1"], ["Marker"])
    assert certainty.is_theirs(b"id=p-7;Marker")
    assert certainty.is_theirs(b'{"id":"p\\u002d7","name":"\\u004DARKER"')
    for raw in (b"id=p-70;Marker", b"id=P-7;Marker", b"id=p-7;Markermann", b"id=p-7;Mark", b"id=1;Marker"):
        assert not certainty.is_theirs(raw), raw
