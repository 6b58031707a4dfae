"""Hostile files for ``replay``, and hostile rule files for ``rules check``."""

from __future__ import annotations

import csv
import gzip
import io
import random
from collections.abc import Iterator
from dataclasses import dataclass

from hostile.events import good_event

ROWS = 200
HEADER = "source,record_id,version,given_name,family_name,city"
RULES_HEAD = "extends: person\nversion: 1\nsources:\n  web: {format: canonical, version_kind: integer}\n"


@dataclass(frozen=True, slots=True)
class HostileFile:
    """A file's name and bytes. ``good`` is how many of its rows are ordinary ones that must become golden."""

    kind: str
    name: str
    file_name: str
    data: bytes
    good: int = 0
    unpacked_bytes: int = 0


def hostile_files() -> list[HostileFile]:
    """Return hostile files of events, the same in each run."""
    return [*_csv_files(), *_json_lines()]


def plain_csv(size: int) -> bytes:
    """Return an ordinary CSV file of some ``size`` bytes."""
    words = random.Random(size)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER.split(","))
    number = 0
    while out.tell() < size:
        number += 1
        writer.writerow(["web", f"p{number}", 1, f"{words.getrandbits(32):x}", f"{words.getrandbits(32):x}", "Leeds"])
    return out.getvalue().encode()


def _rows(first: int = 0, count: int = ROWS) -> str:
    return "".join(f"web,good-{n},1,Q{n}x,Z{n}y,Leeds\n" for n in range(first, first + count))


def _csv_files() -> Iterator[HostileFile]:
    def made(name: str, text: str | bytes, good: int = 0, suffix: str = ".csv", unpacked: int = 0) -> HostileFile:
        data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        return HostileFile("CSV file", name, f"input{suffix}", data, good, unpacked)

    head = HEADER + "\n"
    yield made("a quote that never closes", head + _rows() + 'web,bad,1,"Mallory,x,y\n' + _rows(ROWS), ROWS)
    yield made("a quote in each row", head + "".join(f'web,b{n},1,"M,x,y\n' for n in range(20_000)))
    yield made("quotes within values", head + "".join(f'web,b{n},1,M"a"l,x,y\n' for n in range(5_000)) + _rows(), ROWS)
    yield made(
        "quoted line breaks, 600 kB", head + "".join(f'web,b{n},1,"M{chr(10) * 50},x,y\n' for n in range(10_000))
    )
    yield made("one cell of 3 MB", head + f"web,bad,1,{'x' * 3_000_000},y,z\n" + _rows(), ROWS)
    yield made("one row of 300,000 cells", head + "web,bad,1" + ",x" * 300_000 + "\n" + _rows(), ROWS)
    yield made("300,000 columns", HEADER + "".join(f",c{n}" for n in range(300_000)) + "\n" + _rows())
    yield made("rows of one cell", head + "x\n" * 100_000 + _rows(), ROWS)
    yield made("rows of commas", head + ",,,,,\n" * 50_000 + _rows(), ROWS)
    yield made("empty lines", head + "\n" * 300_000 + _rows(), ROWS)
    yield made("NUL bytes", head + "web,bad,1,M\0l,x,y\n" + _rows(), ROWS)
    yield made("only NUL bytes", "\0" * 300_000)
    yield made("carriage returns alone", (head + _rows()).replace("\n", "\r"))
    yield made("mixed line ends", head + _rows().replace("\n", "\r\n"), ROWS)
    yield made("byte order mark", "\ufeff" + head + _rows(), ROWS)
    yield made("UTF-16", (head + _rows()).encode("utf-16"))
    yield made("Latin-1 in one row", (head + "web,bad,1,Zo\xeb,x,y\n").encode("latin-1") + _rows().encode(), ROWS)
    yield made("no header", _rows())
    yield made("header alone", head)
    yield made("nothing", "")
    yield made("a column twice", HEADER + ",city\n" + _rows())
    yield made("hostile column names", HEADER + ",\u202ex,=1+1,__class__\n" + _rows().replace("\n", ",1,2,3\n"), ROWS)
    yield made("formulas", head + "".join(f"web,f{n},1,=1+1,@SUM(A1),+1\n" for n in range(2_000)) + _rows(), ROWS)
    yield made("escape sequences", head + "web,bad,1,\x1b[2J,\x9b31m,\u202e\n" + _rows(), ROWS)
    yield made("versions of 300 digits", head + f"web,bad,{'9' * 300},M,x,y\n" + _rows(), ROWS)
    yield made("version that freezes", head + f"web,bad,{2**63 - 1},M,x,y\n" + _rows(), ROWS)
    packed = gzip.compress((head + _rows()).encode(), mtime=0)
    yield made("gzip, cut", packed[:-20], suffix=".csv.gz")
    yield made("gzip and rubbish", packed + b"\xff" * 300, suffix=".csv.gz")
    yield made("gzip that is none", head + _rows(), suffix=".csv.gz")
    zeros = b"0" * 30_000_000
    yield made("gzip bomb", gzip.compress(head.encode() + zeros, mtime=0), suffix=".csv.gz", unpacked=len(zeros))


def _json_lines() -> Iterator[HostileFile]:
    def made(name: str, data: bytes, good: int = 0) -> HostileFile:
        return HostileFile("file of events", name, "input.jsonl", data, good)

    rows = b"\n".join(good_event(n) for n in range(ROWS)) + b"\n"
    yield made("a line of 5 MB", b'{"a":"' + b"x" * 5_000_000 + b'"}\n' + rows, ROWS)
    yield made("empty lines", b"\n" * 300_000 + rows, ROWS)
    yield made("lines of rubbish", b"}{\n" * 50_000 + rows, ROWS)
    yield made("deep lines", (b"[" * 20_000 + b"\n") * 20 + rows, ROWS)
    yield made("no line break at the end", rows[:-1], ROWS)
    yield made("carriage returns", rows.replace(b"\n", b"\r\n"), ROWS)
    yield made("one array", b"[" + rows.replace(b"\n", b",")[:-1] + b"]")
    yield made("Unicode line separators", "\u2028".join(["{}"] * 1_000).encode() + b"\n" + rows, ROWS)
    yield made("NUL bytes between", rows.replace(b"\n", b"\n\0\n"), ROWS)


@dataclass(frozen=True, slots=True)
class HostileRules:
    """A rule file for ``rules check``. ``accepted`` says that it is odd and yet no error."""

    kind: str
    name: str
    data: bytes
    accepted: bool = False


def hostile_rules() -> list[HostileRules]:
    """Return hostile rule files, the same in each run."""
    return [
        HostileRules("rule set", name, text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text, ok)
        for name, text, ok in (*_yaml(), *_meaning())
    ]


def _yaml() -> Iterator[tuple[str, str | bytes, bool]]:
    laughs = "a: &a [x,x,x,x,x,x,x,x,x]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        laughs += f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n"
    yield "billion laughs", laughs, False
    yield "quadratic aliases", f"a: &a {'x' * 20_000}\nb: [{','.join(['*a'] * 5_000)}]\n", False
    yield "an alias of itself", "a: &a [*a]\n", False
    yield "deep lists", "a: " + "[" * 20_000, False
    yield "deep maps", "".join(" " * n + "a:\n" for n in range(1_500)), False
    yield "merge keys", RULES_HEAD + "x: &x {<<: *x}\n", False
    yield "python object", "!!python/object/apply:os.system ['true']\n", False
    yield "binary tag", RULES_HEAD + "description: !!binary AAAA\n", False
    yield "nothing", "", False
    yield "a comment", "# nothing\n", False
    yield "a list", "- 1\n- 2\n", False
    yield "a text", "rules\n", False
    yield "two documents", RULES_HEAD + "---\n" + RULES_HEAD, False
    yield "a key twice", RULES_HEAD + "version: 2\n", False
    yield "a key that is a list", RULES_HEAD + "? [a, b]\n: 1\n", False
    yield "tabs", "extends:\tperson\n\tversion: 1\n", False
    yield "binary", bytes(range(256)) * 40, False
    yield "NUL bytes", RULES_HEAD + "description: a\0b\n", False
    yield "UTF-16", RULES_HEAD.encode("utf-16"), False
    yield "UTF-16 without a mark", RULES_HEAD.encode("utf-16-le"), False
    yield "Latin-1", (RULES_HEAD + "description: Zo\xeb\n").encode("latin-1"), False
    yield "byte order mark", "\ufeff" + RULES_HEAD, True
    yield "surrogates", RULES_HEAD + 'description: "\\ud800"\n', False
    yield "a text of 2 MB", RULES_HEAD + f"description: {'x' * 2_000_000}\n", False
    yield "100,000 lines", RULES_HEAD + "# x\n" * 100_000, False
    yield "a quote that never closes", RULES_HEAD + 'description: "x\n' * 1 + "  y\n" * 5_000, False


def _meaning() -> Iterator[tuple[str, str | bytes, bool]]:
    for target in (
        "rules.yaml",
        "./rules.yaml",
        "/dev/zero",
        "/etc",
        "../../../../etc/passwd",
        "http://x/y",
        "",
        "\u202e",
    ):
        yield f"extends {target!r}", f'extends: "{target}"\nversion: 1\n', False
    for number in ("1e400", ".nan", ".inf", "-1", "9" * 400, "0x7fffffffffffffffff", "1_000", "'1'", "true", "null"):
        yield f"version {number[:10]}", RULES_HEAD.replace("version: 1\n", f"version: {number}\n"), False
    for pattern in (
        r"(a+)+$",
        r"(a|aa)+$",
        r"(.*a){25}",
        r"a{1000}{1000}",
        r"(?<=a)b",
        r"(a)\1",
        "[",
        "(?P<x",
        "a" * 50_000,
    ):
        text = pattern.replace("'", "''")
        yield (
            f"pattern {pattern[:12]}",
            RULES_HEAD + f"attributes:\n  city: {{type: city, pattern: '{text}'}}\n",
            (pattern in (r"(a+)+$", r"(a|aa)+$", r"(.*a){25}")),
        )
    many = "".join(f"  a{n}: {{type: text}}\n" for n in range(20_000))
    yield "20,000 attributes", RULES_HEAD + "attributes:\n" + many, False
    keys = "".join(f"    k{n}: city\n" for n in range(20_000))
    yield "20,000 blocking keys", RULES_HEAD + "blocking:\n  keys:\n" + keys, False
    for expression in (
        "first(" * 5_000,
        "(" * 20_000,
        "city + " * 20_000 + "city",
        "city +",
        "nope(city)",
        "\u202ecity",
        "'",
    ):
        text = expression.replace("'", "''")
        yield f"expression {expression[:12]!r}", RULES_HEAD + f"blocking:\n  keys:\n    k: '{text}'\n", False
    for key in ("__class__", "\u202eversion", "x" * 100_000, "=1+1", "\x1b[2J"):
        yield f"unknown key {key[:12]!r}", RULES_HEAD + f"{key!a}: 1\n", False
    levels = "".join("        - {when: exact, bits: 1}\n" for _ in range(5_000))
    yield "5,000 levels", RULES_HEAD + f"match:\n  comparisons:\n    city:\n      levels:\n{levels}", False
    yield "source called steward", RULES_HEAD + "  steward: {format: canonical}\n", False
    yield "trust of NaN", RULES_HEAD.replace("integer}", "integer, trust: .nan}"), False
    yield "half-life of zero", RULES_HEAD + "survivorship:\n  default: [{trust: {half_life_days: 0}}]\n", False
    yield "a block size of 10^9", RULES_HEAD + "blocking: {max_block_size: 1000000000}\n", False
