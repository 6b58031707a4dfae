"""Changes of the AsyncAPI document that are not of a message's schema alone."""

from __future__ import annotations

import copy

import pytest

from mdm_stream.contracts.compatibility import compare_documents
from mdm_stream.contracts.compatibility.findings import UncomparableError
from mdm_stream.contracts.packaged import packaged_documents

STREAMS = packaged_documents()["asyncapi"]


def changed(change, old=STREAMS):
    """Return what the comparison finds after a change."""
    new = copy.deepcopy(old)
    change(new)
    return compare_documents({"asyncapi": old}, {"asyncapi": new})


def _more_ways_in(streams):
    streams["operations"]["receiveChanges"]["security"] = [
        {"$ref": "#/components/securitySchemes/sigv4"},
        {"type": "userPassword"},
    ]


def _other_security(streams):
    streams["operations"]["receiveChanges"]["security"] = [{"type": "userPassword"}]


def _content_type(streams):
    streams["components"]["messages"]["recordWrite"]["contentType"] = "application/cbor"


def _headers(streams):
    streams["components"]["messages"]["recordWrite"]["headers"] = {"type": "object", "required": ["trace"]}


@pytest.mark.parametrize(
    ("change", "party", "said"),
    [
        (lambda s: s["channels"]["changes"].update(address="changes"), "producer", "address of the channel"),
        (lambda s: s["operations"]["sendGolden"].update(action="receive"), "subscriber", "action send -> receive"),
        (_content_type, "producer", "content type application/json -> application/cbor"),
        (_headers, "producer", "is required now"),
        (
            lambda s: s["components"]["schemas"]["GoldenChange"]["required"].remove("members"),
            "subscriber",
            "is optional now",
        ),
        (
            lambda s: s["components"]["schemas"]["OverrideChange"]["required"].append("expires_at"),
            "producer",
            "required",
        ),
        (lambda s: s["operations"].pop("sendGolden"), "subscriber", "the operation is removed"),
    ],
)
def test_what_breaks_is_told_of_the_right_party(change, party, said):
    """An operation that we receive by has producers, one that we send by has subscribers."""
    broken = [each for each in changed(change) if each.breaks]
    assert any(said in each.what for each in broken), broken
    assert {each.verdict for each in broken} == {f"breaks_{party}"}


def test_security_may_become_weaker_but_not_stricter():
    """Any one of the listed schemes is enough; none at all asks for nothing."""
    open_to_all = changed(_other_security)
    assert [each.breaks for each in open_to_all] == [True]
    once = copy.deepcopy(STREAMS)
    once["operations"]["receiveChanges"]["security"] = [{"$ref": "#/components/securitySchemes/sigv4"}]
    assert [each.breaks for each in changed(_more_ways_in, once)] == [False]
    assert [each.breaks for each in changed(_other_security, once)] == [True]


def test_security_of_a_server_counts():
    """Our streams say at the server who may come."""
    weaker = changed(lambda s: s["servers"]["kinesis"]["security"].append({"type": "plain"}))
    assert {(each.breaks, each.what) for each in weaker} == {(False, "security differs")}
    stricter = changed(lambda s: s["servers"]["kinesis"].update(security=[{"type": "plain"}]))
    assert {each.verdict for each in stricter} == {"breaks_producer", "breaks_subscriber"}


def test_a_server_that_moved_is_told_to_both_sides():
    """Producers and subscribers go to the same servers."""
    moved = changed(lambda s: s["servers"]["kinesis"].update(host="elsewhere"))
    assert {each.what for each in moved} == {"host differs"}
    assert {each.verdict for each in moved} == {"breaks_producer", "breaks_subscriber"}
    assert {each.what for each in changed(lambda s: s["servers"].clear())} == {"the server is removed"}
    assert [each.breaks for each in changed(lambda s: s["servers"].update(further={"host": "x"}))] == [False]


def test_messages_that_an_operation_does_not_list_are_those_of_its_channel():
    """AsyncAPI lets an operation leave them out: then all of its channel count."""
    implicit = copy.deepcopy(STREAMS)
    del implicit["operations"]["receiveChanges"]["messages"]
    assert compare_documents({"asyncapi": STREAMS}, {"asyncapi": implicit}) == []
    gone = changed(lambda s: s["channels"]["changes"]["messages"].pop("csvRow"), implicit)
    assert [each.what for each in gone] == ["the message is removed"]


def test_two_major_versions_of_asyncapi_are_not_compared():
    """Version 2 has no operations of its own: an error says so."""
    with pytest.raises(UncomparableError, match="AsyncAPI 3 and 2"):
        changed(lambda s: s.update(asyncapi="2.6.0"))
