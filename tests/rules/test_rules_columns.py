"""What the rules say of columns and of tables to ignore: compiled, or told with its line."""

import pytest

from mdm_stream.core.column_types import COLUMN_KINDS, DeclaredColumn
from mdm_stream.decode.column_values import reader_of
from mdm_stream.errors import RulesError
from mdm_stream.rules import load_ruleset
from mdm_stream.rules.schema import ruleset_schema

BASE = """\
extends: person
version: 1
sources:
  crm:
    format: debezium
    table: CRM.CUSTOMER
    key: [ID]
    version: REV
    event_time: SEEN
    attributes: {given_name: FIRST, birth_date: DOB}
    columns:
      DOB: {as: epoch_millis}
      ID: {as: decimal, scale: 0}
      SEEN: {as: epoch_micros}
    ignore: [CRM.AUDIT, LOG.*]
  web: {}
"""


def load(tmp_path, old="", new=""):
    """The compiled rules, with one thing changed."""
    assert old in BASE
    path = tmp_path / "rules.yaml"
    path.write_text(BASE.replace(old, new, 1))
    return load_ruleset(path)


def test_columns_and_ignored_tables_are_compiled(tmp_path):
    """A source has what each of its columns holds; what it ignores is no part of the digest."""
    rules = load(tmp_path)
    assert rules.sources["crm"].column_types == {
        "DOB": DeclaredColumn("epoch_millis"),
        "ID": DeclaredColumn("decimal", 0),
        "SEEN": DeclaredColumn("epoch_micros"),
    }
    assert rules.sources["crm"].ignore == ("CRM.AUDIT", "LOG.*")
    assert load(tmp_path, ", LOG.*", "").digest == rules.digest
    assert load(tmp_path, "epoch_millis", "epoch_days").digest != rules.digest
    placeholder = load(tmp_path, "    ignore:", "    unavailable_value: __other\n    ignore:")
    assert placeholder.sources["crm"].unavailable_value == "__other"
    assert placeholder.digest != rules.digest


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("as: epoch_millis", "as: epoch_milis", ":12: sources.crm.columns.DOB.as is not a known choice"),
        ("as: epoch_millis", "as: epoch_milis", "did you mean 'epoch_millis'?"),
        ("{as: epoch_millis}", "{scale: 2}", ":12: sources.crm.columns.DOB has no 'as'"),
        ("{as: epoch_millis}", "{as: epoch_millis, scal: 2}", "did you mean 'scale'?; expected as or scale"),
        ("{as: epoch_millis}", "{as: epoch_millis, scale: 2}", ":12: 'scale' has no meaning with 'as: epoch_millis'"),
        ("{as: decimal, scale: 0}", "{as: decimal}", ":13: 'as: decimal' has no 'scale'"),
        ("{as: decimal, scale: 0}", "{as: decimal, scale: 999}", ":13: sources.crm.columns.ID.scale is out of range"),
        ("DOB: {as", "DOBB: {as", ":12: source 'crm' uses no column 'DOBB'; expected DOB, FIRST, ID or SEEN; map it"),
        ("SEEN: {as", "REV: {as", ":14: 'REV' orders the rows and is compared as it is delivered"),
        (
            "  web: {}",
            "  web: {columns: {x: {as: decimal, scale: 1}}}",
            ":16: 'as: decimal' has no meaning with format",
        ),
        ("  web: {}", "  web: {unavailable_value: x}", ":16: 'unavailable_value' has no meaning with format canonical"),
        ("  web: {}", "  web: {unavailable_value: ''}", ":16: "),
        ("    version: REV", "    unavailable_value: hex:0g", ":8: 'unavailable_value' is no bytes in hex"),
        ("  web: {}", "  web: {ignore: x}", ":16: 'ignore' has no meaning with format canonical"),
        ("LOG.*", "LOG*", ":15: 'LOG*' is not a table; expected schema.table, table, or schema.*"),
        ("LOG.*", "'*'", ":15: '*' is not a table"),
        ("LOG.*", "CRM.CUSTOMER", ":15: 'CRM.CUSTOMER' feeds source 'crm' and is to be ignored"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path, old, new, expected):
    """One mistake gives a message that names the line, what was wrong and what was meant."""
    with pytest.raises(RulesError) as caught:
        load(tmp_path, old, new)
    assert any(expected in line for line in str(caught.value).split("\n")), str(caught.value)


def test_every_kind_that_can_be_declared_can_be_read(tmp_path):
    """Each kind that rules offer has a reader, and the schema for editors offers each of them."""
    offered = ruleset_schema()["$defs"]["ColumnModel"]["properties"]["as"]["enum"]
    assert offered == list(COLUMN_KINDS)
    for kind in COLUMN_KINDS:
        assert reader_of(DeclaredColumn(kind))(object()) is None


def test_what_was_read_is_not_read_again(tmp_path):
    """A kind that a canonical event may have leaves alone what it has made, which an archive may hold in that form."""
    for kind in COLUMN_KINDS.values():
        if not kind.in_rows:
            read = reader_of(DeclaredColumn(kind.name))
            once = read("1.0E7" if kind.name == "double" else 12_345)
            assert once is not None
            assert read(once) is None


@pytest.mark.parametrize(
    ("kind", "value", "meant"),
    [
        ("epoch_seconds", 490_147_200, "1985-07-14T00:00:00"),
        ("epoch_days", 5_673.0, "1985-07-14"),
        ("epoch_days", " -1 ", "1969-12-31"),
        ("epoch_days", 5_673.5, None),
        ("epoch_days", "14.07.1985", None),
        ("epoch_days", True, None),
        ("epoch_days", 10**30, None),
        ("excel_days", 1, "1900-01-01"),
        ("excel_days", 61, "1900-03-01"),
        ("excel_days", 44_197, "2021-01-01"),
        ("double", "4.47700900123E+11", "447700900123"),
        ("double", "1.91431E+18", None),
        ("double", 7.5, None),
        ("uuid_bytes", "AAECAwQFBgcICQoLDA0ODw==", "00010203-0405-0607-0809-0a0b0c0d0e0f"),
        ("uuid_bytes", "AAEC", None),
        ("hex_bytes", "yv66vg==", "cafebabe"),
        ("hex_bytes", "no base64", None),
    ],
)
def test_a_declared_column_is_read_or_left_alone(kind, value, meant):
    """A value of the declared form is read as it is meant; ``None`` says that any other stays as it was delivered."""
    assert reader_of(DeclaredColumn(kind))(value) == meant
