"""Signatures of canonical events: the bytes that are signed, and what a signature does not bear."""

from __future__ import annotations

import hashlib
import hmac
import struct

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from source_tree import ROOT

from mdm_stream.contracts.signature import DEPTH_MAX, SigningKey, is_signed_by, signed, signed_bytes

KEY = SigningKey("shop-2026", bytes(range(32)))
EVENT = {
    "domain": "person",
    "source": "shop",
    "record_id": "7",
    "op": "upsert",
    "version": 12,
    "event_time": "2026-03-01T00:00:00Z",
    "attributes": {"given_name": "Zoë", "city": None, "vip": True, "score": -0.5, "emails": ["a@example.org", 3]},
}
SIGNED_BYTES = (
    b"mdm-stream event 1\nshop-2026\n"
    b"{s10:attributes{s4:cityns6:emails[s13:a@example.orgi3;]s10:given_names4:Zo\xc3\xabs5:scoredbfe0000000000000s3:vipt}"
    b"s6:domains6:persons10:event_times20:2026-03-01T00:00:00Zs2:ops6:upserts9:record_ids1:7s6:sources4:shop"
    b"s7:versioni12;}"
)


def test_the_documented_vector():
    """The signed bytes are those of the page on trust, and the signature is their HMAC-SHA256."""
    assert signed_bytes(EVENT, KEY.key_id) == SIGNED_BYTES
    assert struct.pack(">d", -0.5).hex() == "bfe0000000000000"
    value = hmac.new(bytes(range(32)), SIGNED_BYTES, hashlib.sha256).hexdigest()
    assert signed(EVENT, KEY)["signature"] == {"key_id": "shop-2026", "value": value}
    assert value == "0981f9d21f9df765d03dfab3864895b358599fffe93e28d0964e190be91361e2"
    page = (ROOT / "docs" / "operate" / "trust-model.md").read_text("utf-8")
    for shown in (SIGNED_BYTES.decode(), value):
        assert f"\n{shown}\n" in page
    event = page[page.index('{"domain":"person"') : page.index("\n\nmdm-stream event 1")]
    assert orjson.loads(event) == EVENT


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(attributes=st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=8), JSON, max_size=4))
def test_how_the_json_is_written_does_not_matter(attributes):
    """Other white space, another order of members and other escapes are the same event under the same signature."""
    event = {**EVENT, "attributes": attributes}
    sent = signed(event, KEY)
    turned = dict(reversed(list(orjson.loads(orjson.dumps(sent, option=orjson.OPT_INDENT_2)).items())))
    assert is_signed_by(turned, turned["signature"]["value"], KEY)


@given(one=JSON, other=JSON)
def test_two_values_never_have_the_same_bytes(one, other):
    """Else one signature would be that of two events: ``1`` and ``1.0``, ``-0.0`` and ``0.0`` are different ones."""
    same = orjson.dumps(one, option=orjson.OPT_SORT_KEYS) == orjson.dumps(other, option=orjson.OPT_SORT_KEYS)
    assert (signed_bytes({"x": one}, "k") == signed_bytes({"x": other}, "k")) == same


@pytest.mark.parametrize(
    "changed",
    [
        {"record_id": "8"},
        {"version": 13},
        {"version": "12"},
        {"op": "patch"},
        {"attributes": {}},
        {"event_time": "2026-03-01T00:00:01Z"},
        {"more": None},
    ],
)
def test_a_changed_event_is_not_signed(changed):
    """Any member that is changed, added or of another type; and so it is under another key or another key's name."""
    sent = signed(EVENT, KEY)
    value = sent["signature"]["value"]
    assert is_signed_by(sent, value, KEY)
    assert not is_signed_by({**sent, **changed}, value, KEY)
    assert not is_signed_by(sent, value, SigningKey("shop-2026", bytes(32)))
    assert not is_signed_by(sent, value, SigningKey("shop-2027", bytes(range(32))))
    assert not is_signed_by(sent, "é" * 64, KEY)


def test_only_what_is_the_same_anywhere_is_signed():
    """A copy of what takes version or time from its place would be another event; an erasure has no version."""
    for lacking in ("version", "event_time"):
        with pytest.raises(ValueError, match="version and an event_time"):
            signed({name: value for name, value in EVENT.items() if name != lacking}, KEY)
    erasure = {"domain": "person", "source": "shop", "record_id": "7", "op": "erase", "event_time": EVENT["event_time"]}
    assert signed(erasure, KEY)["signature"]["key_id"] == KEY.key_id


def test_what_json_cannot_say_is_not_signed():
    """And a key that could be guessed is none."""
    deep: object = 1
    for _ in range(DEPTH_MAX + 2):
        deep = [deep]
    for value in (2**63, object(), deep, {1: 2}):
        with pytest.raises(ValueError, match=r"text|levels"):
            signed({**EVENT, "attributes": {"x": value}}, KEY)
    with pytest.raises(ValueError, match="32 random bytes"):
        SigningKey("k", b"short")
    assert "secret" not in repr(KEY)
