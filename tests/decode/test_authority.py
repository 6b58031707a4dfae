"""Who may say what: rights of streams and keys, what a redrive cannot add to them, and the setting that gives them."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from source_tree import ROOT

from mdm_stream.contracts.signature import SigningKey, signed
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.decode import Decoder, Delivery, unpack
from mdm_stream.decode.authority import (
    EVERYTHING,
    NO_VIEW,
    OPS,
    RECORD_OPS,
    Authority,
    Grant,
    Policy,
    ViewGrant,
    default_policy,
)
from mdm_stream.decode.authority_policy import policy_of
from mdm_stream.decode.redrive_envelope import wrap
from mdm_stream.errors import ConfigurationError, RejectedEventError
from mdm_stream.rules import load_ruleset

RULES: Ruleset = load_ruleset("person")
DECODER = Decoder({"person": RULES})
CHANGES, STEWARD = "mdm-changes", "mdm-steward"
SHOP, CRM = SigningKey("shop-key", b"s" * 32), SigningKey("crm-key", b"c" * 32)
TIME = "2026-03-01T00:00:00Z"
POLICY = Policy(
    {CHANGES: Grant(frozenset({"crm", "erp"}), RECORD_OPS), STEWARD: EVERYTHING},
    {"shop-key": Grant(frozenset({"shop"}), RECORD_OPS), "crm-key": Grant(frozenset({"crm"}), frozenset({"erase"}))},
)
AUTHORITY = Authority(POLICY, {key.key_id: key for key in (SHOP, CRM)})


def said(op="upsert", source="crm", **members):
    """A canonical event of any operation."""
    event = {"domain": "person", "op": op, "event_time": TIME}
    if op == "verdict":
        sides = {side: {"source": name, "record_id": side} for side, name in (("a", source), ("b", "crm"))}
        return {**event, "version": 1, **sides, "verdict": "link", "steward": "s", **members}
    event |= {"source": source, "record_id": "1"}
    event |= {} if op == "erase" else {"version": 1}
    if op in ("upsert", "patch", "override"):
        event["attributes"] = {"city": "Leeds"}
    if op == "override_expired":
        event["attributes"] = ["city"]
    return event | ({"steward": "s"} if op == "override" else {}) | members


def delivered(event, stream=CHANGES, number=1):
    """An event as it lay on a stream."""
    raw = event if isinstance(event, bytes) else orjson.dumps(event)
    return Delivery(raw, str(number).zfill(64), 1_772_330_000_000_000, f"{stream}/shardId-0:{number}")


def judged(authority, delivery):
    """Return the key that signed what counts, ``""`` for none; or the reason why it does not count."""
    (held,) = unpack(delivery)
    try:
        identified = authority.identified(held)
        authority.require(identified, DECODER.decode(held))
    except RejectedEventError as error:
        (reason,) = error.reasons
        return reason
    return identified.key_id


def refused(authority, delivery):
    """Return the place of a refusal, which must be for want of a right."""
    reason = judged(authority, delivery)
    assert reason.code == "not_authorised"
    return reason.path


@pytest.mark.parametrize("op", [op for op in OPS if op != "redrive"])
def test_by_default_records_come_by_any_stream_and_the_rest_by_the_stewards(op):
    """A deployment without a policy refuses decisions, ends of them and erasures on every stream but theirs."""
    authority = Authority(default_policy(STEWARD))
    assert judged(authority, delivered(said(op, source="web"), STEWARD)) == ""
    for stream in (CHANGES, "another", ""):
        if op in RECORD_OPS:
            assert judged(authority, delivered(said(op), stream)) == ""
        else:
            assert refused(authority, delivered(said(op), stream)) == "op"


def test_a_stream_brings_its_sources_alone():
    """A verdict needs the right to both of its records."""
    assert judged(AUTHORITY, delivered(said(source="erp"))) == ""
    assert refused(AUTHORITY, delivered(said(source="shop"))) == "source"
    both = Authority(Policy({CHANGES: Grant(frozenset({"crm"}), frozenset({"verdict"}))}, {}))
    assert judged(both, delivered(said("verdict"))) == ""
    assert refused(both, delivered(said("verdict", source="web"))) == "source"


def test_a_key_gives_its_rights_on_every_stream_and_no_others():
    """The right signature counts, and nothing else that is called one."""
    assert judged(AUTHORITY, delivered(signed(said(source="shop"), SHOP))) == "shop-key"
    assert judged(AUTHORITY, delivered(signed(said("erase"), CRM))) == "crm-key"
    assert refused(AUTHORITY, delivered(signed(said("erase", source="shop"), SHOP))) == "op"
    assert refused(AUTHORITY, delivered(signed(said(source="shop"), CRM))) == "source"
    forged = signed(said(source="shop"), SigningKey("shop-key", b"x" * 32))
    assert refused(AUTHORITY, delivered(forged)) == "signature"
    moved = {**said(source="shop", record_id="2"), "signature": signed(said(source="shop"), SHOP)["signature"]}
    assert refused(AUTHORITY, delivered(moved)) == "signature"
    assert refused(AUTHORITY, delivered(signed(said(), SigningKey("nobody", b"n" * 32)))) == "signature"
    assert judged(AUTHORITY, delivered(signed(said(), CRM))) == "crm-key", "its stream has the right, its key tells who"


def test_a_signature_cannot_be_hidden():
    """Written with escapes it is one all the same: what is wrong with it is found."""
    forged = signed(said(), SigningKey("shop-key", b"x" * 32))
    raw = orjson.dumps(forged).replace(b'"signature"', b'"\\u0073ignature"')
    assert refused(AUTHORITY, delivered(raw)) == "signature"


@given(
    event=st.sampled_from([said(op) for op in OPS if op != "redrive"]),
    claim=st.one_of(
        st.none(),
        st.text(max_size=3),
        st.fixed_dictionaries({}, optional={"key_id": st.sampled_from(["shop-key", 1, None]), "value": st.text()}),
        st.just({"key_id": "shop-key", "value": "0" * 64}),
    ),
    mark=st.sampled_from([b"", b"\xef\xbb\xbf"]),
    extra=st.dictionaries(st.sampled_from(["attributes", "more"]), st.recursive(st.floats(), st.lists, max_leaves=50)),
)
def test_whatever_the_decoder_takes_is_judged(event, claim, mark, extra):
    """No signature and no form of the bytes makes the judgement fail: it is yes or no."""
    raw = mark + orjson.dumps({**event, **extra, "signature": claim})
    try:
        DECODER.decode(delivered(raw))
    except RejectedEventError:
        return
    found = judged(AUTHORITY, delivered(raw))
    assert isinstance(found, str) or found.code == "not_authorised"


def test_a_byte_order_mark_hides_no_signature():
    """The decoder reads past it, and so does the judgement."""
    forged = orjson.dumps(signed(said(), SigningKey("shop-key", b"x" * 32)))
    assert refused(AUTHORITY, delivered(b"\xef\xbb\xbf" + forged)) == "signature"


def test_a_signed_event_is_the_same_wherever_it_lies():
    """One that takes its version or its time from its place would be another event if somebody put it there again."""
    for lacking in ("version", "event_time"):
        event = {name: value for name, value in said(source="shop").items() if name != lacking}
        value = SHOP.signature_of(event)
        assert (
            refused(AUTHORITY, delivered({**event, "signature": {"key_id": "shop-key", "value": value}})) == "signature"
        )


def test_sources_that_have_to_sign():
    """Of such a source no unsigned record counts, nor one by another's key; a steward's decision on one needs none."""
    policy = Policy(POLICY.streams, POLICY.keys, frozenset({"erp", "shop"}))
    authority = Authority(policy, {"shop-key": SHOP, "crm-key": CRM})
    assert refused(authority, delivered(said(source="erp"), STEWARD)) == "signature"
    assert refused(authority, delivered(signed(said(source="erp"), CRM), STEWARD)) == "signature"
    assert judged(authority, delivered(signed(said(source="shop"), SHOP), STEWARD)) == "shop-key"
    assert judged(authority, delivered(said("override", source="erp"), STEWARD)) == ""


@given(
    op=st.sampled_from([op for op in OPS if op != "redrive"]),
    source=st.sampled_from(["crm", "shop"]),
    first=st.sampled_from([CHANGES, STEWARD, "elsewhere"]),
    now=st.sampled_from([CHANGES, STEWARD, "elsewhere"]),
    key=st.sampled_from([None, SHOP, CRM]),
)
def test_a_redrive_never_adds_a_right(op, source, first, now, key):
    """In an envelope counts only what would count on both streams, and only where envelopes may be brought."""
    event = said(op, source)
    event = event if key is None else signed(event, key)
    redriven = judged(AUTHORITY, delivered(wrap(delivered(event, first)), now, 2))
    plain = [judged(AUTHORITY, delivered(event, stream)) for stream in (first, now)]
    if now == STEWARD and all(isinstance(each, str) for each in plain):
        assert redriven == plain[0]
    else:
        assert redriven.code == "not_authorised"


def test_an_erasure_in_an_envelope_on_the_change_stream_is_refused():
    """Whatever first stream and whatever position the envelope claims."""
    envelope = wrap(delivered(said("erase"), STEWARD))
    assert refused(AUTHORITY, delivered(envelope, CHANGES)) == "op"
    assert refused(AUTHORITY, delivered(wrap(delivered(said("erase"), CHANGES)), STEWARD)) == "op"
    frozen = wrap(Delivery(orjson.dumps(said()), "9" * 64, 0, f"{CHANGES}/s:1"))
    assert refused(AUTHORITY, delivered(frozen, CHANGES)) == "op", "a position is no source's to choose"


def test_a_refusal_says_what_to_do_and_repeats_nothing():
    """The way in, what it may bring, and the setting; of the event its operation alone."""
    reason = judged(AUTHORITY, delivered(said(source="Wilhelmina")))
    assert "the stream mdm-changes may bring upsert, patch or delete of crm, erp" in reason.message
    assert "streams.mdm-changes.allowed_sources" in reason.message
    reason = judged(AUTHORITY, delivered(said("erase", record_id="Wilhelmina")))
    assert "this is an erase" in reason.message
    assert "Wilhelmina" not in reason.message
    hostile = Delivery(orjson.dumps(said("erase")), "1", 0, "Wilhelmina\x1b[2J/s:1", redriven_on=STEWARD)
    assert "Wilhelmina" not in judged(AUTHORITY, hostile).message


def test_the_setting(tmp_path):
    """Nothing, a document, or the path of one; what it leaves out keeps its default."""
    assert policy_of("", STEWARD) == Policy({"*": Grant(None, RECORD_OPS), STEWARD: EVERYTHING}, {})
    text = orjson.dumps({
        "streams": {CHANGES: {"allowed_sources": ["crm"]}, STEWARD: {"allowed_ops": ["verdict"]}},
        "keys": {"shop-key": {"allowed_sources": ["shop"], "allowed_ops": ["upsert"]}},
        "signed_sources": ["shop"],
    }).decode()  # fmt: skip
    policy = policy_of(text, STEWARD)
    assert policy.of_stream(CHANGES) == (CHANGES, Grant(frozenset({"crm"}), RECORD_OPS))
    assert policy.of_stream(STEWARD) == (STEWARD, Grant(None, frozenset({"verdict"})))
    assert policy.of_stream("x") == ("*", Grant(None, RECORD_OPS))
    assert policy.signed_sources == {"shop"}
    file = tmp_path / "authority.json"
    file.write_text(text)
    assert policy_of(str(file), STEWARD) == policy


def test_the_policy_of_the_page_on_trust():
    """The example is one that the setting takes, and gives what the page says: an erasure needs its key."""
    page = (ROOT / "docs" / "operate" / "trust-model.md").read_text("utf-8")
    text = page[page.index("```json\n") + 8 :]
    policy = policy_of(text[: text.index("```")], STEWARD)
    authority = Authority(policy, {"privacy-2026": SigningKey("privacy-2026", b"p" * 32)})
    assert refused(authority, delivered(said("erase"), STEWARD)) == "op"
    assert refused(authority, delivered(said(), "elsewhere")) == "op"
    erasure = signed(said("erase"), SigningKey("privacy-2026", b"p" * 32))
    assert judged(authority, delivered(erasure)) == "privacy-2026"
    assert judged(authority, delivered(wrap(delivered(said())), STEWARD, 2)) == "", "what is redriven counts"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "is no JSON at line 1"),
        ('{"stream": {}}', "stream is no setting of it; there are streams, keys, signed_sources, callers and viewers"),
        ('{"streams": {"a": {"allowed_ops": ["insert"]}}}', "streams.a.allowed_ops.0 should be 'upsert', 'patch'"),
        ('{"streams": {"a": {"allowed_sources": "crm"}}}', "streams.a.allowed_sources"),
        ('{"streams": {"a b": {}}}', "streams.a b should match pattern"),
        ('{"keys": {"../k": {}}}', "keys"),
        ('{"signed_sources": "crm"}', "signed_sources should be a valid list"),
        ("absent.json", "cannot be read: No such file"),
        ("[]", "cannot be read"),
    ],
)
def test_a_setting_that_is_wrong_says_where(text, complaint):
    """The place in the document, and what it may hold."""
    with pytest.raises(ConfigurationError) as caught:
        policy_of(text, STEWARD)
    assert "MDM_AUTHORITY" in str(caught.value)
    assert complaint in str(caught.value)


def test_a_viewer_sees_what_any_name_may_see():
    """Grants of several names add up, the longest beginning of an ARN counts, and another name sees nothing."""
    policy = policy_of(
        '{"viewers": {"user:ann": {"sensitive": ["born"]}, "group:privacy": {"values": false, "sensitive": "*"},'
        ' "arn:aws:sts::1:assumed-role/*": {}, "arn:aws:sts::1:assumed-role/s/*": {"sensitive": ["mail"]}}}',
        "mdm-steward",
    )
    assert policy.of_viewer(["user:ann"]) == ViewGrant(sensitive=frozenset({"born"}))
    assert policy.of_viewer(["user:ann", "group:privacy"]) == ViewGrant(sensitive=None)
    assert policy.of_viewer(["arn:aws:sts::1:assumed-role/s/ann"]) == ViewGrant(sensitive=frozenset({"mail"}))
    assert policy.of_viewer(["user:bob", "group:ann"]) == NO_VIEW
    assert "no values" in NO_VIEW.described()
    assert policy.of_viewer(["user:ann"]).described().endswith("and born")


@pytest.mark.parametrize("name", ["ann", "user:", "user:*", "group:a b", "arn:aws:sts::1:*x"])
def test_a_viewer_is_an_account_a_group_or_an_arn(name):
    """Another name is refused when the policy is read, and not passed over."""
    with pytest.raises(ConfigurationError, match="MDM_AUTHORITY: viewers"):
        policy_of(orjson.dumps({"viewers": {name: {}}}).decode(), "mdm-steward")
