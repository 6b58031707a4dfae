"""Debezium's semantic types by connector: each value as its sender meant it, with a schema and without one."""

import base64
from dataclasses import replace

import orjson
import pytest
from rulesets import ruleset

from mdm_stream.core.column_types import DeclaredColumn
from mdm_stream.core.ruleset import Source
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.decode.cdc.semantic_types import SEMANTIC_TYPES
from mdm_stream.decode.cdc.unavailable import UNAVAILABLE
from mdm_stream.errors import RejectedEventError

RECEIVED = Delivery.from_row(b"", 1)
TIME, DATA, CONNECT = "io.debezium.time.", "io.debezium.data.", "org.apache.kafka.connect.data."
POSITIONS = {
    "postgresql": {"db": "crm", "schema": "app", "lsn": 7},
    "mysql": {"db": "app", "file": "binlog.000001", "pos": 4},
    "sqlserver": {"db": "crm", "schema": "app", "commit_lsn": "00000027:00000758:0003"},
    "oracle": {"db": "ORCL", "schema": "app", "scn": "8", "commit_scn": "9"},
}


def b64(number, size=None):
    """A decimal's unscaled number as Kafka Connect writes it."""
    length = size or (number + (number < 0)).bit_length() // 8 + 1
    return base64.b64encode(number.to_bytes(length, "big", signed=True)).decode()


def kind(literal, name=None, **more):
    """The schema of a column."""
    return {"type": literal, **({"name": name} if name else {}), **more}


DECIMAL = {scale: kind("bytes", f"{CONNECT}Decimal", parameters={"scale": str(scale)}) for scale in (-2, 0, 2)}
VARIABLE = kind("struct", f"{DATA}VariableScaleDecimal", fields=[])
# connector, type of the column in its database, schema, literal, what it means, what the rules say without a schema
TABLE = [
    ("postgresql", "date", kind("int32", f"{TIME}Date"), 5_673, "1985-07-14", "epoch_days"),
    ("postgresql", "date", kind("int32", f"{TIME}Date"), 0, "1970-01-01", "epoch_days"),
    ("postgresql", "date", kind("int32", f"{TIME}Date"), -25_509, "1900-02-28", "epoch_days"),
    ("postgresql", "date 'infinity'", kind("int32", f"{TIME}Date"), 2**31 - 1, "+5881580-07-11", "epoch_days"),
    ("postgresql", "date, 44 BC", kind("int32", f"{TIME}Date"), -735_160, "-0043-03-15", "epoch_days"),
    ("postgresql", "date, isostring", kind("string", f"{TIME}IsoDate"), "1985-07-14Z", "1985-07-14", None),
    ("postgresql", "time", kind("int64", f"{TIME}MicroTime"), 34_200_500_000, "09:30:00.5", "time_micros"),
    ("postgresql", "time, isostring", kind("string", f"{TIME}IsoTime"), "09:30:00Z", "09:30:00Z", None),
    ("postgresql", "timetz", kind("string", f"{TIME}ZonedTime"), "09:30:00+01:00", "09:30:00+01:00", None),
    (
        "postgresql",
        "timestamp",
        kind("int64", f"{TIME}MicroTimestamp"),
        490_147_200_000_001,
        "1985-07-14T00:00:00.000001",
        "epoch_micros",
    ),
    (
        "postgresql",
        "timestamptz",
        kind("string", f"{TIME}ZonedTimestamp"),
        "1985-07-14T00:00:00Z",
        "1985-07-14T00:00:00Z",
        None,
    ),
    ("postgresql", "interval", kind("string", f"{TIME}Interval"), "P1Y2M3DT4H5M6.78S", "P1Y2M3DT4H5M6.78S", None),
    ("postgresql", "interval", kind("int64", f"{TIME}MicroDuration"), 5_400_000_000, "PT1H30M", "duration_micros"),
    ("postgresql", "numeric(9,2)", DECIMAL[2], b64(-123_456), "-1234.56", ("decimal", 2)),
    ("postgresql", "numeric(9,2)", DECIMAL[2], 12.5, "12.50", ("decimal", 2)),
    ("postgresql", "numeric", VARIABLE, {"scale": 3, "value": b64(1_500)}, "1.500", None),
    ("postgresql", "money", DECIMAL[2], b64(5), "0.05", ("decimal", 2)),
    ("postgresql", "bit(12)", kind("bytes", f"{DATA}Bits", parameters={"length": "12"}), "BQA=", "000000000101", None),
    ("postgresql", "enum", kind("string", f"{DATA}Enum", parameters={"allowed": "m,f"}), "f", "f", None),
    ("postgresql", "jsonb", kind("string", f"{DATA}Json"), '{"a": 1}', '{"a": 1}', None),
    ("postgresql", "xml", kind("string", f"{DATA}Xml"), "<a/>", "<a/>", None),
    ("postgresql", "uuid", kind("string", f"{DATA}Uuid"), "6c84fb90-12c4-11e1", "6c84fb90-12c4-11e1", None),
    ("postgresql", "ltree", kind("string", f"{DATA}Ltree"), "top.science", "top.science", None),
    ("postgresql", "tsvector", kind("string", f"{DATA}TsVector"), "'a':1", "'a':1", None),
    ("postgresql", "vector", kind("array", f"{DATA}DoubleVector", items=kind("double")), [0.5], (0.5,), None),
    ("postgresql", "text[]", kind("array", items=kind("string")), ["a", "b"], ("a", "b"), None),
    (
        "postgresql",
        "date[]",
        kind("array", items=kind("int32", f"{TIME}Date")),
        [5_673, None],
        ("1985-07-14", None),
        None,
    ),
    ("postgresql", "bigint", kind("int64"), 2**63 - 1, 2**63 - 1, None),
    ("postgresql", "bytea", kind("bytes"), "SGVsbG8=", "SGVsbG8=", None),
    ("mysql", "date", kind("int32", f"{TIME}Date"), 8_772, "1994-01-07", "epoch_days"),
    ("mysql", "time", kind("int64", f"{TIME}MicroTime"), -3_020_399_000_000, "-838:59:59", "time_micros"),
    ("mysql", "datetime", kind("int64", f"{TIME}Timestamp"), 490_147_200_000, "1985-07-14T00:00:00", "epoch_millis"),
    ("mysql", "year", kind("int32", f"{TIME}Year"), 1_985, 1_985, None),
    ("mysql", "set", kind("string", f"{DATA}EnumSet", parameters={"allowed": "a,b"}), "a,b", "a,b", None),
    ("mysql", "bit(1)", kind("boolean"), True, True, None),
    ("mysql", "bigint unsigned", kind("int64"), 2**64 - 1, 2**64 - 1, None),
    ("mysql", "decimal(20,0)", DECIMAL[0], b64(89_441_100_680_000_000_012), "89441100680000000012", ("decimal", 0)),
    ("mysql", "decimal, negative scale", DECIMAL[-2], b64(12), "1200", ("decimal", -2)),
    ("mysql", "date, connect", kind("int32", f"{CONNECT}Date"), 5_673, "1985-07-14", "epoch_days"),
    ("mysql", "time, connect", kind("int32", f"{CONNECT}Time"), 34_200_000, "09:30:00", "time_millis"),
    (
        "mysql",
        "datetime, connect",
        kind("int64", f"{CONNECT}Timestamp"),
        490_147_200_500,
        "1985-07-14T00:00:00.5",
        "epoch_millis",
    ),
    ("sqlserver", "time(3)", kind("int32", f"{TIME}Time"), 34_200_250, "09:30:00.25", "time_millis"),
    ("sqlserver", "time(7)", kind("int64", f"{TIME}NanoTime"), 34_200_000_000_100, "09:30:00.0000001", "time_nanos"),
    (
        "sqlserver",
        "datetime2(7)",
        kind("int64", f"{TIME}NanoTimestamp"),
        490_147_200_000_000_100,
        "1985-07-14T00:00:00.0000001",
        "epoch_nanos",
    ),
    (
        "sqlserver",
        "datetime",
        kind("int64", f"{TIME}Timestamp"),
        -397_180_800_000,
        "1957-06-01T00:00:00",
        "epoch_millis",
    ),
    (
        "sqlserver",
        "money",
        kind("bytes", f"{CONNECT}Decimal", parameters={"scale": "4"}),
        b64(15),
        "0.0015",
        ("decimal", 4),
    ),
    (
        "sqlserver",
        "datetimeoffset",
        kind("string", f"{TIME}ZonedTimestamp"),
        "1985-07-14T00:00:00+02:00",
        "1985-07-14T00:00:00+02:00",
        None,
    ),
    ("oracle", "DATE", kind("int64", f"{TIME}Timestamp"), 191_203_200_000, "1976-01-23T00:00:00", "epoch_millis"),
    (
        "oracle",
        "TIMESTAMP(9)",
        kind("int64", f"{TIME}NanoTimestamp"),
        1,
        "1970-01-01T00:00:00.000000001",
        "epoch_nanos",
    ),
    ("oracle", "NUMBER", VARIABLE, {"scale": 0, "value": b64(255)}, "255", None),
    ("oracle", "NUMBER(38)", DECIMAL[0], b64(10**37 + 1), str(10**37 + 1), ("decimal", 0)),
    (
        "oracle",
        "INTERVAL DAY TO SECOND",
        kind("int64", f"{TIME}NanoDuration"),
        -1_500_000_000,
        "-PT1.5S",
        "duration_nanos",
    ),
    (
        "oracle",
        "TIMESTAMP, isostring",
        kind("string", f"{TIME}IsoTimestamp"),
        "1985-07-14T00:00:00Z",
        "1985-07-14T00:00:00Z",
        None,
    ),
    (
        "oracle",
        "an old connector's",
        kind("string", f"{DATA}IsoTimestamp"),
        "1985-07-14T00:00:00Z",
        "1985-07-14T00:00:00Z",
        None,
    ),
    ("oracle", "an old connector's", kind("string", f"{DATA}IsoTime"), "09:30:00Z", "09:30:00Z", None),
    ("postgresql", "halfvec", kind("array", f"{DATA}FloatVector", items=kind("float")), [0.5], (0.5,), None),
]
NAMES = [f"{connector}: {column} {number}" for number, (connector, column, *_) in enumerate(TABLE)]
REFUSED = {
    f"{DATA}geometry.Point": {"x": 1.0, "y": 2.0, "wkb": "AQ==", "srid": None},
    f"{DATA}geometry.Geometry": {"wkb": "AQ==", "srid": 4_326},
    f"{DATA}geometry.Geography": {"wkb": "AQ==", "srid": 4_326},
    f"{DATA}SparseVector": {"dimensions": 3, "vector": {"1": 0.5}},
    f"{DATA}SparseDoubleVector": {"dimensions": 3, "vector": {"1": 0.5}},
}


def decoder(key=("id",), says=None):
    """A decoder of one table, whose rules may say what its column ``value`` holds."""
    types = {} if says is None else {"value": says}
    source = Source("crm", "debezium", "app.t", key, columns={"city": ("value",)}, column_types=types)
    return Decoder({"person": ruleset("person", ("city",), source)})


def declared(says):
    """What the rules say, as a column's type."""
    return says if says is None else DeclaredColumn(*says) if isinstance(says, tuple) else DeclaredColumn(says)


def message(connector, value, schema=None, *, op="c", flat=False):
    """A change of one row with a value, plain or wrapped with the schema of the value's column."""
    source = {"connector": connector, "table": "t", "ts_ms": 1_700_000_000_000, **POSITIONS[connector]}
    row = {"id": 1, "value": value}
    columns = [{"field": "id", "type": "int64"}, *([{**schema, "field": "value"}] if schema else [])]
    if flat:
        payload = {**row, "__op": op, **{f"__source_{name}": each for name, each in source.items()}}
        whole = {"type": "struct", "fields": columns, "name": "server.app.t.Value"}
    else:
        images = {"before": row, "after": None} if op == "d" else {"before": None, "after": row}
        payload = {"op": op, "source": source, **images}
        whole = {"type": "struct", "fields": [{"field": each, "type": "struct", "fields": columns} for each in images]}
    return orjson.dumps(payload if schema is None else {"schema": whole, "payload": payload})


def one(raw, decode):
    """The one event of a message."""
    (event,) = decode.decode(replace(RECEIVED, raw=raw))
    return event


@pytest.mark.parametrize(("connector", "column", "schema", "literal", "meant", "says"), TABLE, ids=NAMES)
def test_a_value_means_what_its_schema_says(connector, column, schema, literal, meant, says):
    """Enveloped or flattened, a literal is read as its semantic type, whatever the rules say where none comes."""
    for flat in (False, True):
        for rules in (None, DeclaredColumn("excel_days"), declared(says)):
            event = one(message(connector, literal, schema, flat=flat), decoder(says=rules))
            if schema.get("name") or rules is None:
                assert event.attributes == {"value": meant}, column


@pytest.mark.parametrize(("connector", "column", "schema", "literal", "meant", "says"), TABLE, ids=NAMES)
def test_without_a_schema_the_rules_say_the_same(connector, column, schema, literal, meant, says):
    """A plain message is read as the rules say, and where they say nothing a literal stays what it is."""
    for flat in (False, True):
        event = one(message(connector, literal, flat=flat), decoder(says=declared(says)))
        if says is not None or schema is VARIABLE:
            assert event.attributes == {"value": meant}, column
        else:
            assert event.attributes == {"value": tuple(literal) if isinstance(literal, list) else literal}


@pytest.mark.parametrize(
    ("connector", "column", "schema", "literal", "meant", "says"),
    [
        pytest.param(*row, id=name)
        for row, name in zip(TABLE, NAMES, strict=True)
        if not isinstance(row[4], tuple)  # a list identifies no row
    ],
)
def test_a_key_is_read_as_a_value_is(connector, column, schema, literal, meant, says):
    """A record has one id, written and deleted, with a schema and by the rules: the meaning of its key."""
    expected = "crm/true" if meant is True else f"crm/{meant}"
    by_schema, by_rules = decoder(("value",)), decoder(("value",), declared(says))
    for op in ("c", "d"):
        assert one(message(connector, literal, schema, op=op), by_schema).ref == expected, column
        if says is not None or schema is VARIABLE:
            assert one(message(connector, literal, op=op), by_rules).ref == expected


def test_every_semantic_type_is_in_the_table():
    """No type is read that this table does not show, and none is refused without a test."""
    shown = {schema.get("name") for _, _, schema, *_ in TABLE} | REFUSED.keys()
    assert SEMANTIC_TYPES.keys() <= shown


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_no_attribute_can_hold_is_refused_where_it_is_used(name):
    """A geometry or a sparse vector in a mapped column is refused with its place; in any other it does not matter."""
    literal = REFUSED[name]
    with pytest.raises(RejectedEventError) as caught:
        one(message("postgresql", literal, kind("struct", name)), decoder())
    assert [(each.code, each.path) for each in caught.value.reasons] == [("wrong_type", "after.value")]
    with pytest.raises(RejectedEventError):
        one(message("postgresql", literal), decoder())
    unused = Source("crm", "debezium", "app.t", ("id",), columns={"city": ("town",)})
    assert one(
        message("postgresql", literal, kind("struct", name)), Decoder({"person": ruleset("person", ("city",), unused)})
    )


@pytest.mark.parametrize(
    ("schema", "literal"),
    [
        (kind("int32", f"{TIME}Date"), "1985-07-14"),
        (kind("int32", f"{TIME}Date"), True),
        (kind("int64", f"{TIME}MicroTimestamp"), 1.5),
        (kind("bytes", f"{DATA}Bits", parameters={"length": "x"}), 5),
        (kind("bytes", f"{CONNECT}Decimal"), "AQ=="),
        (kind("bytes", f"{CONNECT}Decimal", parameters={"scale": "9" * 9}), "AQ=="),
        ({"type": ["x"], "name": ["y"], "items": 1, "parameters": 2}, "a"),
    ],
)
def test_a_literal_of_another_type_stays_as_it_was_delivered(schema, literal):
    """A schema that does not fit its value, or is none, guesses nothing."""
    assert one(message("mysql", literal, schema), decoder()).attributes == {"value": literal}


def test_a_decimal_that_comes_as_a_number_keeps_its_digits():
    """Kafka Connect may write decimals as numbers: they have as many digits as the bytes, and the scale's zeros."""
    for written, scale, meant in (
        (b"123456789012345678901234567890.25", "2", "123456789012345678901234567890.25"),
        (b"123456789012345678901234567890", "2", "123456789012345678901234567890.00"),
        (b"-1.5", "2", "-1.50"),
        (b"1.005", "2", "1.005"),
        (b"1.0E7", "0", "10000000"),
        (b"1200", "-2", "1200"),
    ):
        schema = kind("bytes", f"{CONNECT}Decimal", parameters={"scale": scale})
        raw = message("mysql", "#", schema).replace(b'"#"', written)
        assert one(raw, decoder()).attributes == {"value": meant}


def test_lists_of_lists_are_refused_however_deep():
    """Only a list of values can be one; a schema of a hundred levels changes nothing."""
    schema, value = kind("array"), 1
    for _ in range(100):
        schema, value = kind("array", items=schema), [value]
    with pytest.raises(RejectedEventError) as caught:
        one(message("postgresql", value, schema), decoder())
    assert [(each.code, each.path) for each in caught.value.reasons] == [("wrong_type", "after.value")]


def test_a_decimal_that_is_none_is_refused():
    """Bytes that are not base64, or more digits than a database has, are no number and no text either."""
    for literal in ("not base64", base64.b64encode(b"\x7f" * 200).decode()):
        with pytest.raises(RejectedEventError) as caught:
            one(message("mysql", literal, DECIMAL[0]), decoder())
        assert caught.value.reasons[0].code == "wrong_format"


@pytest.mark.parametrize(
    "placeholder",
    [
        "__debezium_unavailable_value",
        base64.b64encode(b"__debezium_unavailable_value").decode(),
        b"__debezium_unavailable_value".hex(),
        ["__debezium_unavailable_value"],
        list(b"__debezium_unavailable_value"),
        ["b68a35a7-17ad-35b3-af2a-ae46edb4545a"],
        {"__debezium_unavailable_value": "__debezium_unavailable_value"},
    ],
)
def test_every_form_of_an_unavailable_value_leaves_the_attribute_alone(placeholder):
    """Whatever the column's type makes of the placeholder, it is a patch without the column; as a key it is refused."""
    for flat in (False, True):
        event = one(message("postgresql", placeholder, op="u", flat=flat), decoder())
        assert (event.op, event.attributes) == ("patch", {})
    with pytest.raises(RejectedEventError) as caught:
        one(message("postgresql", placeholder, op="u"), decoder(("value",)))
    assert [(each.code, each.path) for each in caught.value.reasons] == [("missing", "after.value")]


@pytest.mark.parametrize(
    ("declared", "text", "content"),
    [("__not_logged", "__not_logged", b"__not_logged"), ("hex:6e6f20ff", "no \ufffd", b"no \xff")],
)
def test_a_placeholder_of_the_connectors_own_configuration_is_declared(declared, text, content):
    """Declared, it is known in every form; its default stays known; undeclared, it is a value like any other."""
    source = Source("crm", "debezium", "app.t", ("id",), columns={"city": ("value",)}, unavailable_value=declared)
    knowing = Decoder({"person": ruleset("person", ("city",), source)})
    not_knowing = Decoder({"person": ruleset("person", ("city",), replace(source, unavailable_value=None))})
    forms = (text, base64.b64encode(content).decode(), content.hex(), [text], list(content), {text: text})
    for value in (*forms, UNAVAILABLE):
        log = {"db": "app", "table": "t", "ts_ms": 1_700_000_000_000}
        payload = {"op": "u", "after": {"id": 1, "value": value}, "source": log}
        event = one(orjson.dumps(payload), knowing)
        assert (event.op, event.attributes) == ("patch", {})
    payload["after"]["value"] = text
    assert one(orjson.dumps(payload), not_knowing).attributes == {"value": text}


def test_a_typed_column_orders_and_dates_its_rows():
    """A version column stays the number that it is, a decimal becomes one; a time column is read by its type."""
    source = Source("crm", "debezium", "app.t", ("id",), columns={"city": ("value",)}, version="rev", event_time="seen")
    decode = Decoder({"person": ruleset("person", ("city",), source)})
    fields = [
        {"field": "rev", **VARIABLE},
        {"field": "seen", "type": "int64", "name": f"{TIME}NanoTimestamp"},
    ]
    schema = {"fields": [{"field": "after", "fields": fields}]}

    def version(rev, seen=1_700_000_000_123_456_789):
        row = {"id": 1, "rev": rev, "seen": seen}
        payload = {"op": "c", "after": row, "source": {"db": "app", "table": "t"}}
        event = one(orjson.dumps({"schema": schema, "payload": payload}), decode)
        return event.version, event.event_time_us

    (low, time_us), (high, _) = version({"scale": 0, "value": b64(9)}), version({"scale": 0, "value": b64(10)})
    assert low < high
    assert time_us == 1_700_000_000_123_456
    assert version(9)[0] == low
