"""Match probabilities of one trained model: Splink's own, and those of the rules that ``import-splink`` makes of it.

    python -m benchmarks.splink_parity [--records 4000] [--pairs 10000] [--splink build/splink/bin/python] [--keep DIR]

Records are made of syllables. Ends with 1 if the largest difference is more than 1e-6.
"""

from __future__ import annotations

import argparse
import csv
import random
import subprocess
import sys
import tempfile
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from mdm_stream.core.match.score import explain_pair
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.core.standardise import standardise_record
from mdm_stream.train.splink_import import import_splink, read_terms

DIFFERENCE_MAX = 1e-6
SECONDS_MAX = 600
SYLLABLES = ("ba", "co", "di", "fe", "gu", "ka", "lo", "mi", "ne", "pu", "ra", "so", "ti", "ve", "zu")
CITIES = ("nordheim", "seebach", "altberg", "hochfeld", "langwies", "steinau")
CHILD = Path(__file__).parent / "splink_parity_child.py"


def records(count: int, seed: int) -> list[dict[str, Any]]:
    """Return records of about half as many persons, with slips and gaps."""
    randomness = random.Random(seed)
    people = [_person(randomness) for _ in range(max(1, count // 2))]
    found = []
    for number in range(count):
        row = dict(people[number % len(people)])
        other = _person(randomness)
        for name, share in (("given", 0.1), ("family", 0.08), ("street", 0.2), ("city", 0.2), ("phones", 0.3)):
            if randomness.random() < share:
                row[name] = other[name]
        for name in ("given", "family", "street"):
            if randomness.random() < 0.2:
                row[name] = _slip(row[name], randomness)
        if randomness.random() < 0.1:
            row["born"] = (
                date.fromisoformat(row["born"]) + timedelta(days=randomness.choice((1, 2, 20, 300)))
            ).isoformat()
        for name in ("given", "street", "born", "city", "phones"):
            if randomness.random() < 0.08:
                row[name] = None
        found.append({"ref": f"r{number:06}", **row})
    return found


def _person(randomness: random.Random) -> dict[str, Any]:
    def word(syllables: int) -> str:
        return "".join(randomness.choices(SYLLABLES, range(15, 0, -1), k=syllables))

    day = date(1940, 1, 1) + timedelta(days=randomness.randrange(1_500))
    phones = [f"{randomness.randrange(10**4):04}" for _ in range(randomness.choice((1, 1, 2)))]
    street = f"{randomness.randrange(1, 90)} {word(3)} street"
    city = randomness.choices(CITIES, (30, 20, 10, 5, 2, 1))[0]
    return {
        "given": word(2),
        "family": word(3),
        "street": street,
        "born": day.isoformat(),
        "city": city,
        "phones": phones,
    }


def _slip(text: str, randomness: random.Random) -> str:
    place = randomness.randrange(len(text) - 1)
    return randomness.choice(
        (text[:place] + text[place + 1 :], text[:place] + text[place + 1] + text[place] + text[place + 2 :], text + "a")
    )


def imported(folder: Path, columns: tuple[str, ...]) -> tuple[Ruleset, tuple[str, ...]]:
    """Return the rules made of a model that the child wrote, written to the folder and loaded from there."""
    import yaml  # noqa: PLC0415

    from mdm_stream.rules import load_ruleset  # noqa: PLC0415

    terms = {column: read_terms(folder / f"tf_{column}.csv", column) for column in columns}
    found = import_splink(orjson.loads((folder / "model.json").read_bytes()), "person", "rules.model.json", terms)
    (folder / "rules.model.json").write_bytes(found.model.to_bytes())
    (folder / "rules.yaml").write_text(yaml.safe_dump(found.rules, sort_keys=False), "utf-8")
    return load_ruleset(folder / "rules.yaml"), found.notes


def differences(rules: Ruleset, rows: list[dict[str, Any]], pairs: list[dict[str, str]]) -> list[float]:
    """Return how far the probability of each pair is from Splink's."""
    values = {row["ref"]: tuple(each.match for each in standardise_record(rules, "", delivered(row))) for row in rows}
    return [
        abs(
            explain_pair(rules, values[each["ref_l"]], values[each["ref_r"]])["confidence"]
            - float(each["match_probability"])
        )
        for each in pairs
    ]


def delivered(row: dict[str, Any]) -> dict[str, Any]:
    """Return what is delivered of a record: its attributes."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in row.items() if name != "ref"}


def run(splink: str, folder: Path, rows: list[dict[str, Any]], pairs: int) -> list[dict[str, str]]:
    """Let Splink train and score; return its pairs."""
    schema = {name: pa.list_(pa.string()) if name == "phones" else pa.string() for name in rows[0]}
    pq.write_table(pa.Table.from_pylist(rows, pa.schema(schema.items())), folder / "records.parquet")
    command = [splink, str(CHILD), str(folder / "records.parquet"), str(folder), str(pairs)]
    subprocess.run(command, check=True, timeout=SECONDS_MAX)
    with (folder / "pairs.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def main() -> int:
    """Compare, and print the largest difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=4_000)
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("--splink", default="build/splink/bin/python")
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = options.keep or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        rows = records(options.records, seed=5)
        pairs = run(options.splink, folder, rows, options.pairs)
        rules, notes = imported(folder, ("given", "family", "city"))
        off = differences(rules, rows, pairs)
    print("\n".join(notes))
    print(f"{len(off):,} pairs, largest difference {max(off):.2e} (at most {DIFFERENCE_MAX:.0e})")
    return int(not off or max(off) > DIFFERENCE_MAX)


if __name__ == "__main__":
    sys.exit(main())
