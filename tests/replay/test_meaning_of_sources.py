"""What sources send, from bytes to golden records: nothing that was rounded or misread joins two people."""

from __future__ import annotations

import orjson
import pytest

from mdm_stream.core.reference import resolve
from mdm_stream.core.standardise import why_invalid
from mdm_stream.replay.schedule import Rejected, read_files
from mdm_stream.rules import load_rulesets

RULES = """\
extends: person
version: 1
sources:
  core:
    format: debezium
    table: CRM.CUSTOMER
    key: [ID]
    attributes: {given_name: FIRST_NAME, family_name: LAST_NAME, birth_date: DOB, national_id: TAX_NO}
    columns: {DOB: {as: epoch_millis}, TAX_NO: {as: decimal, scale: 0}}
    ignore: [CRM.*]
  web: {}
  desk: {format: csv}
"""
PEOPLE = {
    "Irene Vasquez": (490_147_200_000, "1985-07-14"),
    "Otto Brandt": (-397_180_800_000, "1957-06-01"),
    "Dora Quill": (191_203_200_000, "1976-01-23"),
}


@pytest.fixture
def found(tmp_path):
    """Return a function from files' contents to golden values by member, and the reasons of what was rejected."""

    def find(**files):
        rules = tmp_path / "rules.yaml"
        rules.write_text(RULES)
        rulesets = load_rulesets([str(rules)])
        paths = []
        for name, content in files.items():
            path = tmp_path / name.replace("_", ".")
            path.write_bytes(content)
            paths.append(path)
        items = list(read_files(paths, None, None, rulesets))
        result = resolve(rulesets["person"], [item for item in items if not isinstance(item, Rejected)])
        values = {ref: result.golden[golden_id]["values"] for ref, golden_id in result.crosswalk.items()}
        reasons = [reason.code for item in items if isinstance(item, Rejected) for reason in item.error.reasons]
        return values, result.crosswalk, sorted(reasons)

    return find


def lines(events):
    """Events as a file of them."""
    return b"\n".join(orjson.dumps(event) for event in events)


def of_oracle(number, name, born, table="CUSTOMER", schema=None):
    """A new row of an Oracle table, with the schema of its columns or without one."""
    given, family = name.split()
    row = {"ID": number, "FIRST_NAME": given, "LAST_NAME": family, "DOB": born}
    source = {"connector": "oracle", "schema": "CRM", "table": table, "scn": str(number), "commit_scn": str(number)}
    payload = {"op": "c", "after": row, "source": {**source, "ts_ms": 1_767_600_000_000}}
    if schema is None:
        return payload
    fields = [{"field": "DOB", "type": "int64", "name": schema}]
    return {"schema": {"fields": [{"field": "after", "fields": fields}]}, "payload": payload}


def of_web(record_id, name, **attributes):
    """A person as a web form sends one."""
    given, family = name.split()
    event = {"domain": "person", "source": "web", "record_id": record_id, "op": "upsert", "version": 1}
    named = {"given_name": given, "family_name": family, **attributes}
    return {**event, "event_time": "2026-01-05T10:00:00Z", "attributes": named}


@pytest.mark.parametrize("schema", ["io.debezium.time.Timestamp", "org.apache.kafka.connect.data.Timestamp", None])
def test_a_birth_date_in_milliseconds_is_that_day(found, schema):
    """By the schema, or by the rules where none comes: each person meets the one of the web form with that birthday."""
    rows = [of_oracle(number, name, born, schema=schema) for number, (name, (born, _)) in enumerate(PEOPLE.items(), 1)]
    forms = [of_web(str(n), name, birth_date=day) for n, (name, (_, day)) in enumerate(PEOPLE.items(), 1)]
    values, crosswalk, reasons = found(a_jsonl=lines(rows), b_jsonl=lines(forms))
    assert reasons == []
    for number, (_, day) in enumerate(PEOPLE.values(), 1):
        assert crosswalk[f"core/{number}"] == crosswalk[f"web/{number}"]
        assert values[f"core/{number}"]["birth_date"] == day


def test_tables_beside_the_sources_are_no_dead_letters(found):
    """What the rules ignore is left out, the table of the source in the same schema is not."""
    rows = [of_oracle(1, "Otto Brandt", 0), of_oracle(2, "x y", 0, table="AUDIT")]
    values, _, reasons = found(a_jsonl=lines(rows) + b"\nnull\n")
    assert (list(values), reasons) == (["core/1"], [])


def test_long_numbers_are_told_apart(found):
    """Two numbers that share one double are two people, and each golden record has its own digits."""
    events = lines([of_web("1", "Hana Sato", national_id="#1"), of_web("2", "Piotr Zielak", national_id="#2")])
    events = events.replace(b'"#1"', b"89441100680000000012").replace(b'"#2"', b"89441100680000000094")
    values, _, reasons = found(a_jsonl=events)
    assert reasons == []
    assert [values[f"web/{n}"]["national_id"] for n in (1, 2)] == ["89441100680000000012", "89441100680000000094"]


def test_scientific_notation_is_no_evidence_and_no_key(found):
    """A spreadsheet's rounded numbers join nobody, are told as such, and identify no record."""
    desk = (
        b"source,record_id,given_name,family_name,birth_date,national_id,phone\n"
        b"desk,1,Hana,Sato,1990-02-03,1.91431E+18,4.47700900123E+11\n"
        b"desk,2,Piotr,Zielak,1990-02-03,1.91431E+18,4.47700900123E+11\n"
        b'desk,3,Lea,Roth,1971-02-03,"1,91431E+18",4.479E+11\n'
        b"desk,9.91214E+15,Una,Rask,1973-02-03,,\n"
    )
    values, crosswalk, reasons = found(desk_csv=desk)
    assert reasons == ["imprecise_key"]
    assert len(set(crosswalk.values())) == 3
    assert not any({"national_id", "phone"} & set(each) for each in values.values())
    assert why_invalid("identifier", "1.91431E+18") == why_invalid("phone", "4.479E+11") == "scientific_notation"
