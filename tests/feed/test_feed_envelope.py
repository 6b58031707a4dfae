"""Outbox entries become feed messages that keep the contract."""

from __future__ import annotations

import orjson
import pytest

from mdm_stream.contracts.golden import (
    ERASED,
    RETIRED,
    UPSERTED,
    FeedEnvelope,
    GoldenChange,
    RecordErased,
    encode_message,
    parse_envelope,
    parse_message,
)
from mdm_stream.contracts.schema import contract_schema
from mdm_stream.errors import RejectedEventError
from mdm_stream.feed.envelope import change_message
from mdm_stream.index.port import OutboxEntry

COMMON = {"domain": "person", "golden_id": "g1"}
CHANGE = {**COMMON, "members": [], "removed": [], "rules_version": 1}


@pytest.mark.parametrize(
    ("content", "type_", "model"),
    [
        ({**CHANGE, "op": "upsert", "values": {}, "provenance": {}}, UPSERTED, GoldenChange),
        ({**CHANGE, "op": "retire", "merged_into": None}, RETIRED, GoldenChange),
        ({**COMMON, "op": "erase", "source": "crm", "record_id": "a/b"}, ERASED, RecordErased),
    ],
)
def test_an_outbox_entry_becomes_its_message(content: dict[str, object], type_: str, model: type) -> None:
    """The op gives the type; epoch, sequence and commit time are added; the key is the golden id; always the same."""
    entry = OutboxEntry(2, 7, orjson.dumps(content), 1_500_000)
    key, raw = change_message(entry)
    message = parse_envelope(raw)
    assert parse_message(raw, strict=True) == message, "what is written has no member beside the contract's"
    assert (key, message.subject, message.type, message.id) == ("g1", "g1", type_, "person/2/7")
    assert isinstance(message.data, model)
    assert (message.data.epoch, message.data.sequence) == (2, 7)
    assert message.time == message.data.committed_at == "1970-01-01T00:00:01.500000Z"
    assert change_message(entry) == (key, raw)


def test_what_a_switch_tells_is_marked_as_one_wave() -> None:
    """Each message of it names the last one's sequence, outside of the data; any other has no such member."""
    content = orjson.dumps({**CHANGE, "op": "upsert"})
    marked = change_message(OutboxEntry(2, 7, content, 0, wave_last=9))[1]
    message = parse_message(marked, strict=True)
    assert isinstance(message, FeedEnvelope)
    assert message.wave == orjson.loads(encode_message(message))["wave"] == 9
    plain = change_message(OutboxEntry(2, 7, content, 0))[1]
    assert orjson.loads(plain) == {name: value for name, value in orjson.loads(marked).items() if name != "wave"}
    assert b"wave" not in plain + encode_message(parse_message(plain))


def test_a_strict_reader_overlooks_nothing() -> None:
    """Who looks for values that must be gone is told of members that it does not know, at any level."""
    message = orjson.loads(change_message(OutboxEntry(2, 7, orjson.dumps({**CHANGE, "op": "upsert"}), 0))[1])
    for level in (message, message["data"]):
        level["note"] = "Jane Doe"
        assert parse_envelope(orjson.dumps(message)).data.sequence == 7
        with pytest.raises(RejectedEventError, match="extra_forbidden"):
            parse_message(orjson.dumps(message), strict=True)
        del level["note"]


def test_the_schema_knows_every_kind_of_data() -> None:
    """A subscriber in another language finds changes, erasures, evidence, reports and claim checks in the contract."""
    schema = contract_schema("golden")
    envelope, claim = (schema["$defs"][name]["properties"] for name in ("FeedEnvelope", "ClaimCheck"))
    kinds = {option["$ref"].rpartition("/")[2] for option in envelope["data"]["anyOf"]}
    evidence = {"RecordChanged", "MatchChanged", "ReviewChanged"}
    assert kinds == {"GoldenChange", "RecordErased", "QuarantinedEvent", "FileManifest"} | evidence
    assert ERASED in envelope["type"]["enum"]
    assert {"dataref", "datasize", "datasha256"} <= claim.keys()
    assert [option["$ref"].rpartition("/")[2] for option in schema["anyOf"]] == ["FeedEnvelope", "ClaimCheck"]
