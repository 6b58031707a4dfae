"""Events of every wire format at the edges of what a decoder accepts, for fuzz tests: most of them legal, all odd."""

from __future__ import annotations

import tempfile
from typing import Any

import orjson
from hypothesis import strategies as st

from mdm_stream.core.ruleset import Ruleset
from mdm_stream.rules import load_ruleset

EDGE_RULES = """\
domain: thing
version: 1
attributes:
  name: {type: name}
  whole: {type: full_name, fills: {given: first, family: last}}
  first: {type: name}
  last: {type: name}
  note: {type: text, multi: true}
  company: {type: organisation}
  street: {type: address}
  city: {type: city}
  region: {type: region}
  postcode: {type: postcode}
  country: {type: country}
  phone: {type: phone, multi: true}
  email: {type: email, multi: true, sensitive: true}
  born: {type: date, options: {epoch_days: true}}
  seen: {type: date, options: {day_first: true}}
  size: {type: number, options: {decimal_comma: true}}
  code: {type: identifier, pattern: "[A-Z0-9]+"}
  kind: {type: category}
  site: {type: url}
sources:
  web: {format: canonical}
  log: {format: canonical, version_kind: text, backdating: 0s}
  pos: {format: canonical, version_kind: position, history_until: 2024-01-01}
  iso: {format: canonical, version_kind: time, event_time_floor: 0001-01-01}
  crm: {format: debezium, table: public.thing, key: [id]}
  ver: {format: debezium, table: public.versioned, key: [id], version: rev, event_time: changed}
  erp: {format: dms, table: sales.thing, key: [company_no, id], attributes: {name: [n1, n2], note: [x, y], born: b}}
  csv: {format: csv}
blocking:
  max_block_size: 4
  keys:
    name: soundex(name)
    email: email
    phone: phone
    born: year(born) + first(name, 1)
    note: note
    site: site
match:
  prior: 0.2
  thresholds: {link: 0.85, review: 0.3}
  deterministic:
    same_email: {when: {email: exact}, decision: link, confidence: 0.97}
  comparisons:
    name:
      levels:
        - {when: "null", bits: 0}
        - {when: exact, bits: 4}
        - {when: {jaro_winkler: 0.8}, bits: 2}
        - {when: else, bits: -2}
    born:
      levels:
        - {when: "null", bits: 0}
        - {when: exact, bits: 4}
        - {when: {date_within: 40}, bits: 1}
        - {when: else, bits: -2}
    size:
      levels:
        - {when: "null", bits: 0}
        - {when: {numeric_ratio: 0.9}, bits: 2}
        - {when: {numeric_within: 5}, bits: 1}
        - {when: else, bits: -1}
    company:
      levels:
        - {when: "null", bits: 0}
        - {when: {token_set: 0.9}, bits: 3}
        - {when: acronym, bits: 1}
        - {when: else, bits: -1}
  exclusive: [code]
survivorship:
  default: [most_recent]
  rules:
    name: [{trust: {half_life_days: 30}}, most_recent]
    phone: [union]
    note: [union]
    size: [max]
    born: [min]
    seen: [most_frequent]
    company: [longest]
limits: {max_cluster_size: 5}
"""


def edge_rules() -> Ruleset:
    """Rules with one attribute of each type, one source of each format, and every kind of comparison that computes."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(EDGE_RULES)
        file.flush()
        return load_ruleset(file.name)


_TIMES = st.sampled_from(
    [
        f"{day}T{clock}{offset}"
        for day in ("0001-01-01", "0001-01-02", "1582-10-15", "1970-01-01", "2026-01-31", "9999-12-30", "9999-12-31")
        for clock in ("00:00:00", "23:59:59.999999999")
        for offset in ("Z", "+00:00", "-00:00", "+23:59", "-23:59")
    ]
)
_VERSIONS = st.sampled_from(
    [
        0,
        -1,
        1,
        2**53,
        2**63 - 1,
        -(2**63),
        2**63,
        2**64 - 1,
        "",
        "0",
        "9" * 256,
        "é|{}:",
        "\u2028",
        "9999-12-31T23:59:59-23:59",
    ]
)
_ODD_TEXTS = st.sampled_from(
    [
        "",
        " ",
        "-",
        "n/a",
        "null",
        "\u0301",
        "a\u0301\u0301",
        "\u200d",
        "\u202e",
        "\ufeff",
        "\uffff",
        "\U0010ffff",
        "\u2028\u2029",
        "\u0000",
        "\t\n",
        "0000-00-00",
        "0000-01-01",
        "0001-01-01",
        "9999-12-31",
        "31/12/9999",
        "99999-01-01",
        "-0001-01-01",
        "2026-02-30",
        "1e308",
        "1e999",
        "-0",
        "-0.0",
        "1e-320",
        "nan",
        "inf",
        "1,5",
        "9" * 400,
        "0x10",
        "٣",
        "²",
        "ß" * 50,
        "ﷺ" * 20,
        "K" * 70,
        "a@b",
        "a@b.c",
        "ä@xn--.example",
        "@",
        "a" * 300 + "@example.org",
        "+",
        "+1",
        "+" + "9" * 40,
        "00000000000",
        "http://",
        "http://[::1",
        "https://ex ample/%zz",
        "http://xn--/",
        "//",
        "}{",
        "{}:|",
        "crm|1",
        "*",
        "$",
        "\\",
        "\\u0000",
        "'); redis.call('FLUSHALL') --",
        "%s%n",
        "İ",
        "ﬁ",
        "Ǆ",
        "\U0001d400",
        "İstanbul GmbH & Co. KG",
        "ltd ltd ltd",
        "III",
        "von der",
        "- - -",
    ]
)
_NUMBERS = st.sampled_from(
    [
        0,
        -0.0,
        0.1,
        1e308,
        -1e308,
        5e-324,
        2**53 + 1,
        2**63 - 1,
        2**63,
        2**64 - 1,
        -(2**63),
        719162,
        -719162,
        -719163,
        2932896,
        2932897,
        10**9,
        1e16,
        1.5,
        True,
        False,
    ]
)
_SCALARS = st.none() | _ODD_TEXTS | _NUMBERS | st.text(max_size=12) | st.floats(allow_nan=False, allow_infinity=False)
_LONG_LISTS = st.builds(lambda item, count: [item] * count, _SCALARS, st.sampled_from([0, 1_000, 1_001]))
VALUES = _SCALARS | st.lists(_SCALARS, max_size=4) | _LONG_LISTS
_ATTRIBUTES = (
    "name",
    "whole",
    "first",
    "last",
    "note",
    "company",
    "street",
    "city",
    "region",
    "postcode",
    "country",
    "phone",
    "email",
    "born",
    "seen",
    "size",
    "code",
    "kind",
    "site",
)
_NAMES = st.sampled_from(
    [*_ATTRIBUTES * 3, "", "a.b", "{thing}", "KEYS[1]", "__proto__", "é", "\u2028", "x" * 128, "x" * 129]
)
_IDS = st.sampled_from(
    [
        "1",
        "1",
        "2",
        "2",
        "3",
        "|",
        "a|b",
        "a:b",
        "{thing}",
        "{}",
        "/",
        "a/b",
        "\u2028",
        "\u0000",
        "é",
        "e\u0301",
        "x" * 256,
        "\U0001f600",
    ]
)
_COLUMNS = st.dictionaries(_NAMES, VALUES, max_size=6)


def _clean(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if value is not ...}


def _absent(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return strategy | st.just(...)


_KEY = {
    "domain": st.just("thing"),
    "source": st.sampled_from(["web", "web", "log", "pos", "iso", "crm", "erp"]),
    "record_id": _IDS,
}
_PLACE = {"version": _absent(_VERSIONS), "event_time": _absent(_TIMES)}
_PAIR = st.fixed_dictionaries({"source": _KEY["source"], "record_id": _IDS})
_STEWARD = {"steward": st.sampled_from(["ann", "\u202e", "é", "|"])}
_RECORDS = st.fixed_dictionaries(
    {**_KEY, **_PLACE, "op": st.sampled_from(["upsert", "upsert", "patch"]), "attributes": _COLUMNS}
)
_OTHERS = st.one_of(
    st.fixed_dictionaries({**_KEY, **_PLACE, "op": st.just("delete")}),
    st.fixed_dictionaries(
        {
            "domain": _KEY["domain"],
            **_PLACE,
            **_STEWARD,
            "op": st.just("verdict"),
            "a": _PAIR,
            "b": _PAIR,
            "verdict": st.sampled_from(["link", "separate", "none"]),
        }
    ),
    st.fixed_dictionaries(
        {
            **_KEY,
            **_PLACE,
            **_STEWARD,
            "op": st.just("override"),
            "expires_at": _absent(_TIMES),
            "attributes": st.dictionaries(st.sampled_from(_ATTRIBUTES), VALUES, min_size=1, max_size=4),
        }
    ),
    st.fixed_dictionaries(
        {
            **_KEY,
            "version": _VERSIONS,
            "event_time": _TIMES,
            "op": st.just("override_expired"),
            "attributes": st.lists(st.sampled_from(_ATTRIBUTES), min_size=1, max_size=3),
        }
    ),
    st.fixed_dictionaries({**_KEY, "event_time": _absent(_TIMES), "op": st.just("erase")}),
)
_CANONICAL = (_RECORDS | _OTHERS).map(_clean)
_EPOCHS_MS = st.sampled_from(
    [0, 1, -1, 1_700_000_000_000, 253_402_300_799_999, 253_402_300_800_000, 2**63 - 1, -(2**63)]
)
_SOURCES = st.one_of(
    st.fixed_dictionaries(
        {
            "connector": st.just("postgresql"),
            "schema": st.just("public"),
            "table": st.sampled_from(["thing", "versioned"]),
            "ts_ms": _EPOCHS_MS,
            "lsn": st.sampled_from([0, 7, 2**63 - 1, 2**64 - 1, "9" * 21, -1]),
            "sequence": _absent(st.sampled_from(['["1","2"]', "[null,3]", '["é",1]', "[]"])),
        }
    ),
    st.fixed_dictionaries(
        {
            "connector": st.just("mysql"),
            "db": st.just("public"),
            "table": st.just("thing"),
            "file": st.sampled_from(["bin.000001", "bin.٣", "x"]),
            "pos": st.sampled_from([0, 4, 2**64 - 1]),
            "ts_ms": _EPOCHS_MS,
        }
    ),
    st.fixed_dictionaries(
        {
            "connector": st.just("sqlserver"),
            "schema": st.just("public"),
            "table": st.just("thing"),
            "commit_lsn": st.sampled_from(["0:0:0", "ffffffffffffffff:0:1", "g:1"]),
            "ts_ms": _EPOCHS_MS,
        }
    ),
)
_ROWS = st.builds(
    lambda columns, key, more: {**columns, **more, **key},
    _COLUMNS,
    st.fixed_dictionaries({"id": _SCALARS | _IDS, "company_no": _SCALARS | _IDS}),
    st.fixed_dictionaries(
        {"rev": _VERSIONS | _NUMBERS, "changed": _TIMES | _EPOCHS_MS | _NUMBERS, "n1": VALUES, "b": VALUES}
    ),
)
_DEBEZIUM = st.fixed_dictionaries(
    {
        "op": st.sampled_from(["c", "u", "u", "r", "d"]),
        "before": st.none() | _ROWS,
        "after": _ROWS,
        "source": _SOURCES.map(_clean),
        "ts_ms": _EPOCHS_MS,
    }
)
_DMS = st.builds(
    lambda row, before, meta: {"data": row, "before-image": before, "metadata": {**meta, "record-type": "data"}},
    _ROWS,
    _ROWS,
    st.fixed_dictionaries(
        {
            "operation": st.sampled_from(["load", "insert", "update", "delete"]),
            "schema-name": st.just("sales"),
            "table-name": st.just("thing"),
            "timestamp": _TIMES,
            "commit-timestamp": _absent(_TIMES),
            "stream-position": st.sampled_from(["1", "é.ff", "9" * 230, "\u2028"]),
            "transaction-record-id": st.sampled_from([0, 2**63 - 1, 2**64 - 1]),
        }
    ).map(_clean),
)


def _raw(event: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(event)
    except TypeError:  # half a character
        return orjson.dumps({"domain": "thing"})


RAW_EVENTS = st.one_of(_CANONICAL, _CANONICAL, _DEBEZIUM, _DMS).map(_raw)
"""Bytes of events of all formats of the stream."""

_CELLS = _ODD_TEXTS | _NUMBERS.map(str) | st.text(max_size=8)
_CSV_ROWS = st.lists(
    st.tuples(st.just("csv") | st.just("web"), _IDS, _VERSIONS.map(str), _TIMES | _CELLS, _CELLS, _CELLS, _CELLS),
    max_size=4,
)
CSV_HEADER = ("source", "record_id", "version", "event_time", "name", "born", "size")
CSV_ROWS = _CSV_ROWS
"""Rows under ``CSV_HEADER``."""

ARRIVALS_S = st.sampled_from([0.0, 0.001, 1_700_000_000.5, 1_767_225_600.0, 253_402_300_799.0])
"""When Kinesis says that a record came in."""
