"""The contracts' documents: made from the models, valid, and with payloads that our own decoders take."""

from __future__ import annotations

from typing import get_args

import contract_documents
import orjson
import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from mdm_stream.contracts import examples
from mdm_stream.contracts.asyncapi import CHANGES, GOLDEN, STEWARD, asyncapi_document
from mdm_stream.contracts.change import CHANGE_MEMBERS
from mdm_stream.contracts.csv_row import CsvRowEvent
from mdm_stream.contracts.file_manifest import FileManifest
from mdm_stream.contracts.golden import ClaimCheck, FeedEnvelope, QuarantinedEvent, parse_message
from mdm_stream.contracts.packaged import packaged_documents
from mdm_stream.contracts.schema import contract_examples, contract_names
from mdm_stream.contracts.signature import SigningKey, is_signed_by
from mdm_stream.decode.decoder import Decoder
from mdm_stream.decode.delivery import Delivery
from mdm_stream.decode.files.csv_row_event import encode_csv_row
from mdm_stream.decode.files.csv_rows import CsvFile
from mdm_stream.rules import load_ruleset

DOCUMENTS = packaged_documents()
SCHEMAS = {name: each for name, each in DOCUMENTS.items() if "$schema" in each}
STREAMS = DOCUMENTS["asyncapi"]
RULES = """
extends: person
version: 1
sources:
  web:
    attributes: {given_name: first_name, family_name: last_name, birth_date: born, email: mail, city: city}
  shop: {}
"""


@pytest.fixture(scope="module")
def rulesets(tmp_path_factory):
    """Rules under which the examples' sources send."""
    path = tmp_path_factory.mktemp("rules") / "company.yaml"
    path.write_text(RULES)
    return {"person": load_ruleset(path)}


def test_the_package_has_what_the_models_give():
    """A changed model without `make contracts` fails here; so does a document that nothing makes."""
    generated = contract_documents.generated()
    assert sorted(DOCUMENTS) == sorted(generated)
    stale = [name for name in DOCUMENTS if DOCUMENTS[name] != generated[name]]
    assert stale == [], "run: make contracts"


def test_one_release_is_kept_to_compare_with():
    """`make check` finds the documents of exactly one release, and its folder has the name of a version."""
    folder = contract_documents.released_folder()
    assert {path.stem for path in folder.glob("*.json")} <= set(DOCUMENTS)
    assert [path for path in contract_documents.RELEASED.iterdir() if path.is_dir()] == [folder]


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_valid(name):
    """Each is a JSON Schema of draft 2020-12, and says in which direction its values go."""
    Draft202012Validator.check_schema(SCHEMAS[name])
    assert SCHEMAS[name]["x-direction"] in ("consumed", "produced")


@pytest.mark.parametrize("name", SCHEMAS)
def test_what_we_consume_is_closed_and_what_we_produce_is_open(name):
    """An unknown field of an event is refused; a subscriber's validator takes what a later release adds."""
    closed = b'"additionalProperties":false' in orjson.dumps(SCHEMAS[name])
    assert closed == (SCHEMAS[name]["x-direction"] == "consumed")


@pytest.mark.parametrize("name", contract_names())
def test_examples_fit_their_schema(name):
    """Every payload that a document shows is valid under it, formats included."""
    validator = Draft202012Validator(DOCUMENTS[name], format_checker=Draft202012Validator.FORMAT_CHECKER)
    for payload in contract_examples(name):
        validator.validate(orjson.loads(orjson.dumps(payload)))
    assert DOCUMENTS[name].get("examples", []) == orjson.loads(orjson.dumps(list(contract_examples(name))))


@pytest.mark.parametrize("payload", [*examples.CHANGES, *examples.STEWARD_CHANGES], ids=lambda each: each["op"])
def test_change_examples_are_decoded(payload, rulesets):
    """The consumer's decoder makes one event of each."""
    (event,) = Decoder(rulesets).decode(Delivery.from_row(orjson.dumps(payload), 1))
    assert event.domain == "person"
    assert payload.keys() <= CHANGE_MEMBERS | {"signature"}


def test_the_signed_example_is_signed():
    """Its signature is that of the published test vector, under the key whose bytes are 0 to 31."""
    key = SigningKey("shop-2026", bytes(range(32)))
    signature = examples.SIGNED_CHANGE["signature"]
    assert signature == examples.SIGNATURE
    assert is_signed_by(examples.SIGNED_CHANGE, signature["value"], key)


def test_the_row_example_is_what_publish_sends(rulesets):
    """The event of the second row of the file, which is decoded as the file would be read."""
    text = b"source,record_id,given_name,version\nshop,7,Ann,11\nshop,8,Per,12\n"
    file = CsvFile([text], rulesets)
    *_, row = file.rows()
    sent = encode_csv_row(file, row, "shop.csv", None, 1_769_851_800_000_000)
    assert orjson.loads(sent) == examples.CSV_ROW
    assert CsvRowEvent.model_validate(examples.CSV_ROW)
    (event,) = Decoder(rulesets).decode(Delivery.from_row(sent, 1))
    assert (event.record_id, event.version) == ("8", 12)


@pytest.mark.parametrize("payload", contract_examples("golden"), ids=lambda each: each["id"])
def test_golden_examples_are_read(payload):
    """The feed's reader takes each, and the two models tell messages from claim checks."""
    message = parse_message(orjson.dumps(payload))
    assert isinstance(message, ClaimCheck if "dataref" in payload else FeedEnvelope)
    assert message.type == payload["type"]


def test_further_examples_are_read():
    """Reports and manifests read back as their models."""
    assert QuarantinedEvent.model_validate(examples.QUARANTINE_REPORT).domain == "person"
    manifest = FileManifest.model_validate(examples.FILE_MANIFEST)
    assert manifest.accepted + manifest.rejected + manifest.skipped == manifest.rows


def test_the_streams_have_every_kind_of_message():
    """Each type of the feed, and each operation of an event, is a message with a payload of its own."""
    assert {each.kind for each in GOLDEN} == set(get_args(FeedEnvelope.model_fields["type"].annotation))
    operations = {op for each in (*CHANGES, *STEWARD) if "op" in each.model.model_fields for op in _operations(each)}
    assert operations == {"upsert", "patch", "delete", "verdict", "override", "override_expired", "erase"}


def _operations(message):
    return get_args(message.model.model_fields["op"].annotation)


def _references(node):
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for each in node.values():
            yield from _references(each)
    elif isinstance(node, list):
        for each in node:
            yield from _references(each)


def _target(reference):
    found = STREAMS
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


def test_the_streams_document_hangs_together():
    """AsyncAPI 3.0: references lead somewhere, operations have their channels' messages, security is declared."""
    assert STREAMS["asyncapi"] == "3.0.0"
    assert orjson.loads(orjson.dumps(asyncapi_document(contract_documents.version()))) == STREAMS
    references = set(_references(STREAMS))
    assert references
    assert all(_target(reference) is not None for reference in references)
    for operation in STREAMS["operations"].values():
        channel = operation["channel"]["$ref"]
        listed = {each["$ref"] for each in operation["messages"]}
        assert listed == {f"{channel}/messages/{name}" for name in _target(channel)["messages"]}
        assert operation["action"] in ("send", "receive")
    used = {each["channel"]["$ref"] for each in STREAMS["operations"].values()}
    assert used == {f"#/channels/{name}" for name in STREAMS["channels"]}
    assert all(server["security"] for server in STREAMS["servers"].values())
    for channel in STREAMS["channels"].values():
        assert channel["parameters"].keys() == {"stream"}
        assert channel["bindings"]["x-kinesis"]["recordBytesMax"] == 1_048_576


@pytest.mark.parametrize("name", STREAMS["components"]["messages"])
def test_message_examples_fit_their_payload(name):
    """Every message has an example, which is valid under its payload."""
    message = STREAMS["components"]["messages"][name]
    registry = Registry().with_resource("urn:streams", Resource.opaque(STREAMS))
    payload = orjson.loads(orjson.dumps(message["payload"]).replace(b'"#/', b'"urn:streams#/'))
    assert message["examples"]
    for example in message["examples"]:
        Draft202012Validator(payload, registry=registry).validate(example["payload"])
