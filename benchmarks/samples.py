"""The public samples of wire formats: each decodes as the page beside it says.

    python benchmarks/samples.py [FOLDER]

Reads a folder with ``kpl``, ``debezium`` and ``dms``, whose files say what is right: user records of aggregates, and
the rows of a table after all of its changes. What is not there is said to be missing.
"""

from __future__ import annotations

import base64
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from show import Show
from trees import ROOT

from mdm_stream.core.model import RecordEvent, version_order
from mdm_stream.decode import Decoder, Delivery, unpack
from mdm_stream.rules import load_ruleset

FOLDER = ROOT.parent / "shared" / "samples"
RULES = """
domain: sample
version: 1
attributes: {name: {type: text}, weight: {type: text}, full_name: {type: text}}
sources:
  products: {format: debezium, table: products, key: [id]}
  contact: {format: dms, table: contact, key: [contact_id]}
blocking: {keys: {name: name}}
match: {comparisons: {name: {levels: [{when: exact, bits: 5}, {when: else, bits: -5}]}}}
"""
WEIGHTS = {
    "101": 3.14, "102": 8.1, "103": 0.8, "104": 0.75, "105": 0.875, "106": 1.0, "107": 5.1, "108": 0.1, "109": 22.2,
    "110": 0.5,
}  # fmt: skip
"""What the page beside the Debezium samples says of the table after all changes."""
ROUNDING_MAX = 1e-6
"""The MySQL sample has FLOAT columns, widened to doubles."""


def figures(show: Show, folder: Path = FOLDER) -> None:
    """Show each sample."""
    if not folder.is_dir():
        show.fact("public samples", f"there are none at {folder}")
        return
    for name in sorted(each.name for each in (folder / "kpl").glob("kpl_*.json")):
        _aggregate(show, name, orjson.loads((folder / "kpl" / name).read_bytes()))
    event = orjson.loads((folder / "kpl" / "SampleLambdaEvent.json").read_bytes())
    expected = orjson.loads((folder / "kpl" / "SampleLambdaEvent.expected.json").read_bytes())
    _aggregate(show, "SampleLambdaEvent", {**expected, "data_base64": event["Records"][0]["kinesis"]["data"]})
    with tempfile.TemporaryDirectory() as scratch:
        rules = Path(scratch) / "rules.yaml"
        rules.write_text(RULES, "utf-8")
        decoder = Decoder({"sample": load_ruleset(rules)})
    for name in sorted(each.name for each in (folder / "debezium").glob("*.txt")):
        rows = _rows_after(decoder, (folder / "debezium" / name).read_bytes().splitlines())
        weights = {key: row["weight"] for key, row in rows.items()}
        right = weights.keys() == WEIGHTS.keys() and all(
            abs(float(weights[key]) - weight) < ROUNDING_MAX for key, weight in WEIGHTS.items()
        )
        show.figure(f"debezium: {name}", f"{len(rows)} rows", floor="the 10 rows of its page", holds=right)
    rows = _rows_after(decoder, (folder / "dms" / "stream.ndjson").read_bytes().splitlines())
    show.figure(
        "dms: stream.ndjson", ", ".join(sorted(rows)), floor="7001, 7013", holds=sorted(rows) == ["7001", "7013"]
    )


def _aggregate(show: Show, name: str, sample: dict[str, Any]) -> None:
    held = unpack(Delivery.from_row(base64.b64decode(sample["data_base64"]), 1))
    right = [each["data_utf8"].encode() for each in sample["expected_user_records"]]
    numbers = [each.subsequence for each in held]
    holds = [each.raw for each in held] == right and numbers == list(range(len(right)))
    show.figure(f"kpl: {name}", f"{len(held)} user records", floor=f"the {len(right)} of its page", holds=holds)


def _rows_after(decoder: Decoder, lines: Sequence[bytes]) -> dict[str, Any]:
    """Return what is left of a table's rows once the newest change of each counts."""
    newest: dict[str, RecordEvent] = {}
    for number, line in enumerate(lines, start=1):
        for event in decoder.decode(Delivery.from_row(line, number)):
            if not isinstance(event, RecordEvent):
                continue
            known = newest.get(event.record_id)
            if known is None or version_order(event.version) >= version_order(known.version):
                newest[event.record_id] = event
    return {key: event.attributes for key, event in newest.items() if event.op != "delete"}


def main() -> int:
    """Run and print; 1 if a sample says something else, or is not there."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    return Show().run({"samples": lambda show: figures(show, folder)}, ())


if __name__ == "__main__":
    sys.exit(main())
