"""How the time for a text grows with its length: each attribute type, decoder, key function, comparison and pattern.

    python benchmarks/text_growth.py [--json] [--only TEXT ...]

Each is given hostile texts of 1, 10 and 100 kB, and attribute types also ones of a sixteenth, a quarter and the whole
of the characters that they standardise. *Growth* is how many times more the time grows than the length, from one size
to the next: 1 is linear, 10 would be quadratic. Printed is the worst of all shapes. Times are CPU time, the least of
several runs; what takes less than ``FLOOR_S`` counts as that, so that noise is not growth.
"""

from __future__ import annotations

import argparse
import io
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

from rulesets import PERSONS  # noqa: E402

from mdm_stream.core.blocking.functions import KEY_FUNCTIONS  # noqa: E402
from mdm_stream.core.match.compare import MEASURES  # noqa: E402
from mdm_stream.core.standardise import STANDARDISERS, TYPE_OPTIONS  # noqa: E402
from mdm_stream.core.standardise.patterns import compile_pattern  # noqa: E402
from mdm_stream.core.standardise.registry import TYPE_CHARS_MAX  # noqa: E402
from mdm_stream.decode import Decoder, Delivery, iter_csv_events, line_events  # noqa: E402
from mdm_stream.errors import RejectedEventError  # noqa: E402

SIZES_BYTES = (1_000, 10_000, 100_000)
RUNS = 3
FLOOR_S = 0.0002
LINEAR_MAX = 4.0
"""A growth that is still taken for linear: caches of the processor and of Python account for a factor of two or so."""

UNITS: Mapping[str, str] = {
    "letters": "a",
    "words": "ab ",
    "symbols": "\u00a7",
    "symbols and letters": "\u00a7a",
    "spaces": "\u00a0",
    "dots": ".",
    "letters and dots": "a.",
    "letters, dots, spaces": "a. ",
    "commas": ",",
    "letters and commas": "a,",
    "semicolons": "; ",
    "digits": "1",
    "digits and slashes": "1/",
    "digits and hyphens": "1-",
    "digits and spaces": "1 ",
    "digits in groups": "(1) ",
    "other digits": "\u0663",
    "at signs": "@",
    "addresses": "a@b.c,",
    "marks": "\u0316\u0301",
    "letters with marks": "e\u0316\u0301",
    "mixed scripts": "a\u0434\u05d0\u0639\u6f22",
    "ligatures": "\ufb03",
    "ligatures of eighteen": "\ufdfa",
    "letters that fold to two": "\u0130\u00df",
    "parentheses": "(",
    "parentheses closed": "()",
    "brackets": "<",
    "brackets closed": "<>",
    "brackets and at signs": "<a@",
    "quotes": '"',
    "quotes and letters": 'a"',
    "apostrophes": "'",
    "hashes": "# ",
    "ampersands": " & ",
    "plus signs": "+",
    "percent signs": "%",
    "ext": "ext 1",
    "hosts": "a-.",
    "mailto": "mailto:",
    "post office": "post office ",
    "particles": "van de ",
    "titles": "dr. ",
    "emoji": "\U0001f469\u200d",
    "ideographs": "\u6f22",
}
"""Shapes of hostile texts, by what they repeat. The last characters differ, so that nothing matches easily."""

PATTERNS = (
    "(a+)+b",
    r"(?:\w+\s?)*!",
    r"(.*)(.*)(.*)x",
    r"(?:a?){30}a{30}b",
    r"[^@]+@[^@]+\.[^@]+",
    r"(?:\d+[-/. ]?)+x",
)
_TAIL = "\u00e9#"


@dataclass(frozen=True, slots=True)
class Growth:
    """The worst growth of one subject: of which shape, and the longest time that any shape of the largest size took."""

    subject: str
    growth: float
    shape: str
    slowest_s: float


def text_of(unit: str, size_bytes: int) -> str:
    """Return a text that repeats a unit up to a size in UTF-8."""
    return unit * max(1, size_bytes // len(unit.encode())) + _TAIL


def characters_of(unit: str, characters: int) -> str:
    """Return a text of a unit that has just so many characters."""
    return (unit * characters)[: max(characters - len(_TAIL), 0)] + _TAIL


def measured_s(work: Callable[[str], object], text: str) -> float:
    """Return the least CPU time of several runs, each with a text of its own, so that no memory of it helps."""
    least = float("inf")
    for run in range(RUNS):
        fresh = chr(ord("a") + run) + text
        begin_s = time.process_time()
        work(fresh)
        least = min(least, time.process_time() - begin_s)
    return least


def growth_of(times_s: Iterable[float], sizes: Iterable[int]) -> float:
    """Return by what factor time grows more than size, at most, from one size to the next."""
    held = [max(each, FLOOR_S) for each in times_s]
    measured = list(zip(held, sizes, strict=True))
    return max((b / a) / (m / n) for (a, n), (b, m) in pairwise(measured))


def worst(subject: str, work: Callable[[str], object], made: Mapping[str, list[tuple[int, str]]]) -> Growth:
    """Return the worst growth of a piece of work over shapes, each given as texts with their sizes, smallest first."""
    found = []
    slowest_s = 0.0
    for shape, sized in made.items():
        times_s = [measured_s(work, text) for _, text in sized]
        found.append((growth_of(times_s, [size for size, _ in sized]), shape))
        slowest_s = max(slowest_s, times_s[-1])
    growth, shape = max(found)
    return Growth(subject, growth, shape, slowest_s)


def shapes() -> dict[str, list[tuple[int, str]]]:
    """Return every shape in every size."""
    return {shape: [(size, text_of(unit, size)) for size in SIZES_BYTES] for shape, unit in UNITS.items()}


def subjects() -> dict[str, Callable[[], Growth]]:
    """Return what is measured, by name: each entry measures when it is called."""
    found: dict[str, Callable[[], Growth]] = {}

    def add(name: str, work: Callable[[str], object], made: Callable[[], dict[str, list[tuple[int, str]]]]) -> None:
        found[name] = lambda: worst(name, work, made())

    for name, standardise in STANDARDISERS.items():
        options = {option: spec.default for option, spec in TYPE_OPTIONS[name].items()}
        add(f"type {name}", partial(_standardised, standardise, options), shapes)
        add(f"type {name} within its maximum", partial(_standardised, standardise, options), partial(_within, name))
    for name, function in KEY_FUNCTIONS.items():
        add(f"key {name}", partial(_keyed, function.apply, int(function.needs_argument or 0) * 4), shapes)
    for name, measure in MEASURES.items():
        add(f"comparison {name}", partial(_compared, measure), shapes)
    for pattern in PATTERNS:
        add(f"pattern {pattern}", compile_pattern(pattern), shapes)
    for format_name in ("canonical", "debezium", "dms"):
        add(f"decoder {format_name}", _decoded, partial(_documents, format_name))
    add("decoder csv", _csv_read, _csv_files)
    add("decoder lines", _lines_read, _line_files)
    return found


def _within(type_name: str) -> dict[str, list[tuple[int, str]]]:
    limit = TYPE_CHARS_MAX[type_name] - 1  # a measurement puts a character of its own in front
    sizes = (limit // 16, limit // 4, limit)
    return {shape: [(size, characters_of(unit, size)) for size in sizes] for shape, unit in UNITS.items()}


def _standardised(standardise: Callable[..., object], options: Mapping[str, object], text: str) -> object:
    return standardise(text, options)


def _keyed(apply: Callable[[str, int], object], argument: int, text: str) -> object:
    return apply(text, argument)


def _compared(measure: Callable[[str, str], float], text: str) -> object:
    return measure(text, text[1:] + "b")


def _decoded(text: str) -> None:
    decoder = Decoder(PERSONS)
    with suppress(RejectedEventError):
        decoder.decode(Delivery.from_row(text[1:].encode(), 1))


def _csv_read(text: str) -> None:
    for _ in iter_csv_events(io.BytesIO(text[1:].encode()), PERSONS):
        pass


def _lines_read(text: str) -> None:
    for _ in line_events(io.BytesIO(text[1:].encode()), None, None, PERSONS):
        pass


_EVENTS: Mapping[str, Any] = {
    "canonical": {"domain": "person", "source": "web", "record_id": "1", "op": "upsert", "attributes": {"city": "@"}},
    "debezium": {
        "op": "u",
        "before": {"id": 1, "first": "@"},
        "after": {"id": 1, "first": "@", "town": "@"},
        "source": {"connector": "mysql", "table": "customer", "schema": "public", "file": "b.1", "pos": 1, "row": 0},
        "ts_ms": 1,
    },
    "dms": {
        "data": {"company": "A", "client_no": 7, "name1": "@"},
        "metadata": {
            "timestamp": "2026-03-02T08:14:22Z",
            "record-type": "data",
            "operation": "insert",
            "schema-name": "sales",
            "table-name": "client",
            "stream-position": "1/2",
        },
    },
}
_RAW_VALUES: Mapping[str, tuple[str, str, str]] = {
    "nested lists": ("", "[", ""),
    "nested objects": ("", '{"a":', ""),
    "digits": ("1", "0", ""),
    "decimals": ("0.", "1", ""),
    "an exponent": ("1e", "9", ""),
    "a list of lists": ("[", "[],", "[]]"),
    "a list of numbers": ("[", "1,", "1]"),
    "a list of texts": ("[", '"a",', '"b"]'),
    "members of one name": ("{", '"a":1,', '"a":2}'),
    "escapes": ('"', "\\u00e9", '"'),
    "half escapes": ('"', "\\ud83d", '"'),
    "base64": ('"', "QUJD", '="'),
    "white space": ("", " ", "1"),
}


def _documents(format_name: str) -> dict[str, list[tuple[int, str]]]:
    """Return events of a format: each member in turn holds each shape of text, each hostile JSON value, each number."""
    template = _EVENTS[format_name]
    made: dict[str, list[tuple[int, str]]] = {}
    for path in _paths(template):
        for shape in ("letters", "digits", "dots", "spaces", "marks", "quotes"):
            values = [(size, orjson.dumps(text_of(UNITS[shape], size)).decode()) for size in SIZES_BYTES]
            made[f"{'.'.join(path)}: {shape}"] = [(size, " " + _with(template, path, value)) for size, value in values]
        for shape, (begin, unit, end) in _RAW_VALUES.items():
            values = [(size, begin + unit * (size // len(unit)) + end) for size in SIZES_BYTES]
            made[f"{'.'.join(path)}: {shape}"] = [(size, _with(template, path, value)) for size, value in values]
    many = [(size, {f"unknown{n}": n for n in range(size // 16)}) for size in SIZES_BYTES]
    made["unknown members"] = [(size, orjson.dumps({**template, **more}).decode()) for size, more in many]
    return made


def _paths(template: Mapping[str, Any], before: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = []
    for name, value in template.items():
        found.append((*before, name))
        if isinstance(value, dict):
            found += _paths(value, (*before, name))
    return found


def _with(template: Mapping[str, Any], path: tuple[str, ...], value: str) -> str:
    """Return an event as JSON text, with a raw text in the place of one member's value."""
    marked = orjson.loads(orjson.dumps(template))
    inner = marked
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = "$here$"
    return orjson.dumps(marked).decode().replace('"$here$"', value)


def _csv_files() -> dict[str, list[tuple[int, str]]]:
    header = "source,record_id,city\n"
    rows = {
        "quotes that open in every row": 'a",b,"\n',
        "a quote a line": '"\n',
        "rows of quotes": '""""""""\n',
        "closed quotes": '"a","b","c"\n',
        "short rows": "web\n",
        "good rows": "web,1,Bonn\n",
        "empty rows": "\n",
        "carriage returns": "a\rb\n",
        "quoted carriage returns": '"\r\r","\n',
    }
    made = {shape: [(size, header + row * (size // len(row))) for size in SIZES_BYTES] for shape, row in rows.items()}
    for shape, unit in {
        "commas": ",",
        "quotes": '"',
        "quotes in a field": '"a',
        "letters": "a",
        "breaks": '"\n"',
    }.items():
        made[f"one row of {shape}"] = [(size, header + unit * (size // len(unit)) + "\n") for size in SIZES_BYTES]
        made[f"a header of {shape}"] = [(size, unit * (size // len(unit)) + "\nweb,1,a\n") for size in SIZES_BYTES]
    made["one quote that opens"] = [(size, header + 'web,1,"\n' + "web,1,a\n" * (size // 8)) for size in SIZES_BYTES]
    return {shape: [(size, " " + text) for size, text in sized] for shape, sized in made.items()}


def _line_files() -> dict[str, list[tuple[int, str]]]:
    units = ("{}\n", "[\n", "{\n", "\n", '{"domain":"person"}\n', '{"op":"c","source":{}}\n')
    return {repr(unit): [(size, " " + unit * (size // len(unit))) for size in SIZES_BYTES] for unit in units}


def main() -> int:
    """Measure and print; return 1 if anything grows faster than its text."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="write one JSON document")
    parser.add_argument("--only", nargs="*", default=(), help="subjects whose names begin so")
    arguments = parser.parse_args()
    found = []
    for name, measure in subjects().items():
        if arguments.only and not name.startswith(tuple(arguments.only)):
            continue
        found.append(measure())
        if not arguments.json:
            each = found[-1]
            print(f"{each.growth:6.2f}  {each.slowest_s * 1_000:9.2f} ms  {each.subject}  ({each.shape})", flush=True)
    if arguments.json:
        print(orjson.dumps([asdict(each) for each in found], option=orjson.OPT_INDENT_2).decode())
    return int(any(each.growth > LINEAR_MAX for each in found))


if __name__ == "__main__":
    sys.exit(main())
