"""What Debezium's connectors send beside enveloped table rows: documents, flattened rows, ignored tables."""

from dataclasses import replace

import orjson
import pytest
from rulesets import PERSON, ruleset

from mdm_stream.core.column_types import DeclaredColumn
from mdm_stream.core.ruleset import Source
from mdm_stream.decode import Decoder, Delivery, Ignored
from mdm_stream.decode.formats import depends_on_receipt
from mdm_stream.errors import RejectedEventError

RECEIVED = Delivery.from_row(b"", 1)
DOCUMENTS = {
    "city": ("address.city",),
    "email": ("contacts.email",),
    "given_name": ("name",),
    "family_name": ("born",),
}
RULES = {
    "person": ruleset(
        "person",
        PERSON,
        Source("app", "debezium", "shop.users", ("_id",), columns=DOCUMENTS),
        Source("crm", "debezium", "public.t", ("id",), columns={"city": ("town",)}, ignore=("public.audit", "log.*")),
        Source("legacy", "debezium", "ledger", ("id",), columns={"city": ("town",)}, version="rev"),
        Source("erp", "dms", "sales.t", ("id",), columns={"city": ("town",)}, ignore=("sales.audit",)),
    ),
}
DECODER = Decoder(RULES)
MONGO = {"connector": "mongodb", "db": "shop", "collection": "users", "ts_ms": 1_700_000_000_000, "ord": 1}
FLAT = {"id": 1, "town": "Bonn", "__table": "t", "__source_schema": "public", "__source_ts_ms": 1_700_000_000_000}


def decoded(event, decoder=DECODER):
    """The events of one message."""
    return decoder.decode(replace(RECEIVED, raw=orjson.dumps(event)))


def refused(event):
    """The (code, path) of the one reason for which a message is rejected."""
    with pytest.raises(RejectedEventError) as caught:
        decoded(event)
    (reason,) = caught.value.reasons
    return reason.code, reason.path


def of_document(op="c", **images):
    """The events of one change of a document."""
    texts = {name: image if image is None else orjson.dumps(image).decode() for name, image in images.items()}
    return decoded({"op": op, "source": MONGO, **texts})


@pytest.mark.parametrize(
    ("document_id", "record_id"),
    [
        ({"$oid": "65a1b2c3d4e5f60718293a4b"}, "65a1b2c3d4e5f60718293a4b"),
        ({"$numberLong": "1004"}, "1004"),
        ({"$numberInt": "1004"}, "1004"),
        (1004, "1004"),
        ("u-7", "u-7"),
        ({"$numberDecimal": "12.50"}, "12.50"),
        ({"$binary": {"base64": "AAECAwQFBgcICQoLDA0ODw==", "subType": "04"}}, "00010203-0405-0607-0809-0a0b0c0d0e0f"),
        ({"$binary": "AAECAwQFBgcICQoLDA0ODw==", "$type": "04"}, "00010203-0405-0607-0809-0a0b0c0d0e0f"),
        ({"$uuid": "00010203-0405-0607-0809-0a0b0c0d0e0f"}, "00010203-0405-0607-0809-0a0b0c0d0e0f"),
    ],
)
def test_a_document_is_known_by_its_id(document_id, record_id):
    """An id of any type of MongoDB gives one record, written, updated and deleted, in either form of extended JSON."""
    for op, images in (("c", {"after": {"_id": document_id}}), ("d", {"before": {"_id": document_id}})):
        (event,) = of_document(op, **images)
        assert event.ref == f"app/{record_id}"


def test_a_document_is_read_by_paths_and_as_its_extended_json_means():
    """A column may be a path, through a list too; dates, numbers and nothing are read as they are meant."""
    document = {
        "_id": 1,
        "name": {"$symbol": "Ada"},
        "born": {"$date": -397_180_800_000},
        "address": {"city": "London"},
        "contacts": [{"email": "a@x.org"}, {"phone": "1"}, {"email": "b@x.org"}],
    }
    (event,) = of_document(after=document)
    assert event.attributes == {
        "name": "Ada",
        "born": "1957-06-01T00:00:00Z",
        "address.city": "London",
        "contacts.email": ("a@x.org", "b@x.org"),
    }
    for born, meant in (
        ({"$date": {"$numberLong": "0"}}, "1970-01-01T00:00:00Z"),
        ({"$date": "1985-07-14T00:00:00Z"}, "1985-07-14T00:00:00Z"),
        ({"$timestamp": {"t": 1, "i": 2}}, "1970-01-01T00:00:01Z"),
        ({"$numberDouble": "1.5"}, "1.5"),
        ({"$undefined": True}, None),
    ):
        (event,) = of_document(after={"_id": 1, "born": born})
        assert event.attributes == {"born": meant}


def test_a_document_keeps_its_numbers():
    """A number inside the text of a document has as many digits as one outside; a double up to 2^53 has all of them."""
    numbers = {b"89441100680000000012": "89441100680000000012", b"1.0E7": "10000000", b"1.0E30": "1.0E30"}
    for written, meant in numbers.items():
        after = b'{"_id":1,"name":%b}' % written
        (event,) = decoded({"op": "c", "source": MONGO, "after": after.decode()})
        assert event.attributes == {"name": meant}


def test_changes_of_a_second_are_ordered_by_their_count():
    """The oplog's time is in whole seconds; what happened in one of them is counted, and ten comes after nine."""
    versions = []
    for ordinal in (1, 9, 10):
        event = {"op": "c", "source": {**MONGO, "ord": ordinal}, "after": '{"_id":1}'}
        versions.append(decoded(event)[0].version)
    assert versions == sorted(versions)
    assert len(set(versions)) == 3


@pytest.mark.parametrize("document_id", [1004, {"$numberLong": "1004"}, {"$numberInt": "1004"}])
def test_a_deletion_without_an_image_is_read_where_it_names_its_document(document_id):
    """The key of the change, as an object or a text, the filter of old connectors, the key that a transform leaves."""
    key = {"_id": document_id}
    text = orjson.dumps(key).decode()
    plain = {"op": "d", "source": MONGO, "before": None, "after": None, "updateDescription": None}
    flat = {"__deleted": "true", "__collection": "users", "__source_ts_ms": 1_700_000_000_000, "__ord": 1}
    (expected,) = of_document("d", before=key)
    for message in (
        {**plain, "documentKey": key},
        {**plain, "documentKey": text},
        {"schema": None, "payload": {**plain, "filter": text}},
        {**flat, "_id": "1004", "__db": "shop"},
        {**flat, "id": "1004", "__db": "shop"},
    ):
        assert decoded(message) == (expected,)
    assert refused({**plain, "filter": "{}"}) == ("missing", "filter._id")
    assert refused({**plain, "documentKey": 7}) == ("wrong_type", "documentKey")
    assert refused({**flat, "__db": "shop"}) == ("missing", "row._id")


def test_what_does_not_name_its_document_is_refused_with_what_to_set():
    """A deletion without an image before, or an update that has only what changed, says nothing of which record."""
    for event, path in (
        ({"op": "d", "source": MONGO, "before": None}, "before"),
        ({"op": "u", "source": MONGO, "after": None, "updateDescription": {"updatedFields": "{}"}}, "after"),
    ):
        with pytest.raises(RejectedEventError) as caught:
            decoded(event)
        assert (caught.value.reasons[0].code, caught.value.reasons[0].path) == ("missing", path)
        assert "capture.mode" in caught.value.reasons[0].message
    for after, code in (("{", "truncated_json"), ("[]", "not_an_object"), (5, "wrong_type"), ("", "empty")):
        assert refused({"op": "c", "source": MONGO, "after": after}) == (code, "after")
    assert refused({"op": "c", "source": MONGO, "after": '{"_id":{"a":1}}'}) == ("wrong_type", "after._id")


@pytest.mark.parametrize(
    "position",
    [
        {"__lsn": 7},
        {"__source_lsn": 7, "__source_sequence": '["6","7"]'},
        {"__file": "binlog.000007", "__pos": 4, "__row": 0},
        {"__commit_lsn": "00000027:00000758:0003", "__change_lsn": "00000027:00000758:0002"},
        {"__scn": "8", "__source_commit_scn": "9"},
        {"__source_connector": "mongodb", "__ord": 1},
    ],
)
def test_a_flattened_row_is_a_change(position):
    """A row without its envelope is written, or deleted where it says so, at the position that was added to it."""
    (written,) = decoded({**FLAT, **position, "__op": "c"})
    assert (written.op, written.ref, written.attributes) == ("upsert", "crm/1", {"town": "Bonn"})
    assert written.event_time_us == 1_700_000_000_000_000
    (again,) = decoded({**FLAT, **position})
    assert again == written
    (loaded,) = decoded({**FLAT, **position, "__op": "r"})
    (deleted,) = decoded({**FLAT, **position, "__deleted": "true"})
    assert (deleted.op, deleted.ref) == ("delete", "crm/1")
    assert loaded.version < deleted.version < written.version
    assert decoded({"payload": {**FLAT, **position}, "schema": None}) == (again,)
    assert not depends_on_receipt(orjson.dumps({**FLAT, **position}))


def test_a_flattened_row_is_found_by_the_name_of_its_schema():
    """Where the table was not added, the schema of the row is called by it."""
    row = {"id": 1, "town": "Bonn", "__lsn": 7}
    for name in ("server.public.t.Value", "server.db.public.t.Value"):
        (event,) = decoded({"schema": {"name": name, "fields": []}, "payload": row})
        assert event.ref == "crm/1"
    assert refused({"schema": {"name": "server.Value"}, "payload": row}) == ("missing", "__table")
    assert refused(row) == ("missing", "__table")


def test_a_flattened_row_without_a_position_is_refused_unless_a_column_orders_it():
    """Times tie, so they order no row whose database has a log; the message says what to add."""
    assert refused(FLAT) == ("no_position", "__lsn")
    (event,) = decoded({"id": 1, "rev": 4, "town": "Bonn", "__table": "ledger"})
    assert event.ref == "legacy/1"
    assert refused({**FLAT, "__lsn": 7, "__op": "t"}) == ("truncate", "__op")
    assert refused({**FLAT, "__lsn": 7, "__op": "x"}) == ("unknown_value", "__op")


@pytest.mark.parametrize("names", [("public", "audit"), ("log", "anything")])
def test_rows_of_ignored_tables_are_no_dead_letters(names):
    """A table that the rules ignore, by its name or its schema's, is counted and says nothing, in whatever shape."""
    schema, table = names
    source = {"connector": "postgresql", "schema": schema, "table": table}
    for event in (
        {"op": "c", "after": {"x": 1}, "source": source},
        {"op": "t", "source": source},
        {"schema": None, "payload": {"op": "d", "before": None, "source": source}},
        {"x": 1, "__table": table, "__source_schema": schema},
    ):
        for decoder in (DECODER, Decoder(RULES, only_source="crm")):
            said = decoded(event, decoder)
            assert said == ()
            assert isinstance(said, Ignored)
    assert not isinstance(decoded({"ts_ms": 1}), Ignored)


def test_ignoring_is_of_a_format_and_of_no_table_that_is_read():
    """DMS ignores its own tables; a table next to the ignored ones that no source reads is still told."""
    metadata = {"record-type": "data", "operation": "load", "schema-name": "sales"}
    assert isinstance(decoded({"data": {}, "metadata": {**metadata, "table-name": "audit"}}), Ignored)
    assert refused({"data": {}, "metadata": {**metadata, "table-name": "other"}}) == ("unknown_table", "table")
    assert refused({"op": "c", "source": {"schema": "sales", "table": "audit"}}) == ("unknown_table", "table")
    whole = Source("crm", "debezium", "public.t", ("id",), ignore=("public.*",))
    decoder = Decoder({"person": ruleset("person", PERSON, whole)})
    (event,) = decoded({"op": "c", "after": {"id": 1}, "source": {"schema": "public", "table": "t", "lsn": 1}}, decoder)
    assert event.ref == "crm/1"


def test_columns_are_declared_for_every_format():
    """What the rules say of a column holds for a canonical event and a row of DMS, and for what is read again."""
    days = {"town": DeclaredColumn("epoch_days")}
    web = Source("web", columns={"city": ("town",)}, column_types=days)
    erp = Source("erp", "dms", "t", ("id",), columns={"city": ("town",)}, column_types=days)
    decoder = Decoder({"person": ruleset("person", PERSON, web, erp)})
    canonical = {"domain": "person", "source": "web", "record_id": "1", "op": "upsert", "version": 1}
    row = {"record-type": "data", "operation": "load", "table-name": "t"}
    for delivered, meant in ((5_673, "1985-07-14"), ("5673", "1985-07-14"), ("1985-07-14", "1985-07-14"), (None, None)):
        (event,) = decoded({**canonical, "attributes": {"town": delivered}}, decoder)
        assert event.attributes == {"town": meant}
        (event,) = decoded({"data": {"id": 1, "town": delivered}, "metadata": row}, decoder)
        assert event.attributes == {"town": meant}
