"""Candidate pairs an event, and the true pairs that keys find, as the store grows: invented people under rule sets.

    python benchmarks/blocking_growth.py --people 10000 --people 100000 --rules examples/rules/demo.yaml [--rules ...]
    python benchmarks/blocking_growth.py --people 1000000 --rules ... --work FOLDER

The people are those of ``mdm-stream generate``; of each record its last row is taken, standardised once, and blocked
under each rule set. The rule sets must have the attributes and sources of the first, and differ in blocking alone.
With ``--work`` the households are blocked in ``PARTS`` parts, as many at a time as there are cores; what was made is
kept there, and a second run goes on with it. Beyond 900,000 people telephone numbers are given out twice.

For each rule set and size: live records; distinct candidate pairs; the candidates of a record (what an event of it
costs at that size: each pair has two ends); the largest block at work; closed keys; the share of true pairs (two
records of one person) that any open key finds.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mdm_stream.core.blocking.keys import blocking_keys
from mdm_stream.core.blocking.limits import expression_limit
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.core.standardise import standardise_record
from mdm_stream.reconcile.block_table import BlockTable, KeyBlocks
from mdm_stream.rules import load_ruleset
from mdm_stream.simulate.life import HouseholdLife
from mdm_stream.simulate.people import draw_household

SEED = 1
START_US = 1_700_000_000_000_000
PARTS = 4
"""Parts of as many people each: a million take some 250 CPU seconds a part, and 130 to find where the parts begin."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """What blocking makes of a population. ``found``: the share of true pairs that any open key finds."""

    rules: str
    people: int
    records: int
    keys_a_record: float
    pairs: int
    candidates_a_record: float
    largest_open: int
    closed_keys: int
    true_pairs: int
    found: float


def main() -> None:
    """Measure each rule set at each size, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, action="append", required=True)
    parser.add_argument("--rules", action="append", required=True)
    parser.add_argument("--work", type=Path, help="Where parts are kept.")
    parser.add_argument("--json", action="store_true", dest="as_json")
    parser.add_argument("--out", type=Path, help="A file for the figures, as JSON.")
    options = parser.parse_args()
    rulesets = {name: load_ruleset(name) for name in options.rules}
    found = []
    for people in options.people:
        found += _measured(rulesets, people, options.work)
    document = json.dumps([asdict(each) for each in found])
    if options.out:
        options.out.write_text(document, "utf-8")
    if options.as_json:
        print(document)
    for each in found if not options.as_json else ():
        print(
            f"{each.rules}, {each.people:,} people: {each.records:,} records of {each.keys_a_record:.1f} keys, "
            f"{each.candidates_a_record:.2f} candidates a record ({each.pairs / each.records:.2f} pairs a record while "
            f"they come), largest block at work {each.largest_open}, {each.closed_keys:,} keys closed, "
            f"{each.found:.4f} of {each.true_pairs:,} true pairs found"
        )


class Part(NamedTuple):
    """Households that follow each other: the number of the first, its first person, and the person after the last."""

    household: int
    first_person: int
    end: int


def parts_of(people: int, parts: int) -> list[Part]:
    """Return as many parts of nearly as many people each: where they begin depends on all households before."""
    begins = [(0, 0)]
    number = first_person = 0
    while parts > 1 and first_person < people:
        first_person += len(draw_household(Random(f"{SEED}/{number}"), first_person, people - first_person))
        number += 1
        if len(begins) < parts and first_person >= people * len(begins) // parts:
            begins.append((number, first_person))
    ends = [*(person for _, person in begins[1:]), people]
    return [Part(household, person, end) for (household, person), end in zip(begins, ends, strict=True)]


def last_rows(people: int, part: Part) -> Iterator[tuple[int, str, dict[str, object]]]:
    """Yield person, source and last row of each live record of one part of so many people."""
    number, first_person = part.household, part.first_person
    while first_person < part.end:
        life = HouseholdLife(SEED, number, first_person, people - first_person, START_US)
        rows: dict[tuple[str, str], dict[str, object]] = {}
        for change in life.changes():
            key = (change.source, change.record_id)
            rows[key] = {**rows.get(key, {}), **change.row} if change.op == "patch" else dict(change.row)
        persons: dict[str, int] = {}
        for source, record_id, entity_id in life.survivors():
            place = persons.setdefault(entity_id, first_person + len(persons))
            yield place, source, rows[source, record_id]
        first_person += len(life.people)
        number += 1


def _part_of(rulesets: Sequence[Ruleset], people: int, part: Part) -> tuple[NDArray[np.uint32], list[BlockTable]]:
    tables = [BlockTable(rules) for rules in rulesets]
    persons = []
    for person, source, row in last_rows(people, part):
        values = standardise_record(rulesets[0], source, row)  # type: ignore[arg-type]
        match = tuple(value.match for value in values)
        persons.append(person)
        for rules, table in zip(rulesets, tables, strict=True):
            table.add(blocking_keys(rules, match))
    return np.array(persons, np.uint32), tables


def _file(work: Path, rulesets: Sequence[Ruleset], people: int, number: int) -> Path:
    digests = "-".join(rules.digest[:8] for rules in rulesets)
    return work / f"{people}-{digests}-from-{number + 1}-of-{PARTS}.npz"


def _write_parts(work: Path, names: Sequence[str], people: int) -> list[Path]:
    """Make the parts that are not there yet, each in a process of its own; return the files of all."""
    rulesets = [load_ruleset(name) for name in names]
    paths = [_file(work, rulesets, people, number) for number in range(PARTS)]
    if not all(path.exists() for path in paths):
        with ProcessPoolExecutor(os.cpu_count()) as pool:
            missing = [each for each in zip(paths, parts_of(people, PARTS), strict=False) if not each[0].exists()]
            for made in [pool.submit(_write_part, path, names, people, part) for path, part in missing]:
                made.result()
    return [path for path in paths if path.exists()]


def _write_part(path: Path, names: Sequence[str], people: int, part: Part) -> None:
    """Make one part."""
    rulesets = [load_ruleset(name) for name in names]
    began = time.monotonic()
    persons, tables = _part_of(rulesets, people, part)
    arrays: dict[str, NDArray[np.generic]] = {"persons": persons}
    for number, table in enumerate(tables):
        for place in range(len(rulesets[number].blocking)):
            arrays[f"d{number}-{place}"], arrays[f"r{number}-{place}"] = table.rows_of(place)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path.with_suffix(".part.npz"), **arrays)  # type: ignore[arg-type]
    path.with_suffix(".part.npz").rename(path)
    print(f"{path.name}: {len(persons):,} records, {time.monotonic() - began:.0f} s", file=sys.stderr)


def _measured(rulesets: dict[str, Ruleset], people: int, work: Path | None) -> Iterator[Blocked]:
    several = list(rulesets.values())
    loaded = []
    if work is None:
        persons, tables = _part_of(several, people, Part(0, 0, people))
        rows = {(n, p): table.rows_of(p) for n, table in enumerate(tables) for p in range(len(several[n].blocking))}
        loaded.append((persons, rows))
    for path in _write_parts(work, list(rulesets), people) if work else ():
        with np.load(path) as held:
            rows = {
                (n, p): (held[f"d{n}-{p}"], held[f"r{n}-{p}"])
                for n, rules in enumerate(several)
                for p in range(len(rules.blocking))
            }
            loaded.append((held["persons"], rows))
    persons = np.concatenate([each for each, _ in loaded])
    offsets = np.cumsum([0, *(len(each) for each, _ in loaded)])
    true = _true_pairs(persons)
    for number, (name, rules) in enumerate(rulesets.items()):
        keys = []
        for place in range(len(rules.blocking)):
            digests = np.concatenate([rows[number, place][0] for _, rows in loaded])
            moved = [rows[number, place][1] + np.uint32(at) for (_, rows), at in zip(loaded, offsets, strict=False)]
            keys.append((digests, np.concatenate(moved)))
        yield _figures(name, rules, people, len(persons), true, keys)


def _true_pairs(persons: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Return the pairs of records of one person, as ``left * records + right``, ascending."""
    order = np.argsort(persons, kind="stable")
    firsts = np.nonzero(np.diff(persons[order], prepend=-1))[0]
    found = [
        left * len(persons) + right
        for members in np.split(order, firsts[1:])
        if len(members) > 1
        for left, right in combinations(sorted(members.tolist()), 2)
    ]
    return np.array(sorted(found), np.int64)


def _figures(
    name: str,
    rules: Ruleset,
    people: int,
    records: int,
    true: NDArray[np.int64],
    keys: Sequence[tuple[NDArray[np.uint64], NDArray[np.uint32]]],
) -> Blocked:
    pairs = np.empty(0, np.int64)
    largest = closed = rows = 0
    for expression, (digests, places) in zip(rules.blocking, keys, strict=True):
        blocks = KeyBlocks(digests, places, expression_limit(rules, expression))
        largest = max(largest, int(blocks.sizes[blocks.open].max(initial=0)))
        closed += int((~blocks.open).sum())
        rows += len(places)
        own = blocks.pairs(records)
        print(f"  {expression.text}: {len(own):,} pairs, largest {blocks.sizes.max(initial=0):,}", file=sys.stderr)
        pairs = np.union1d(pairs, own)
    found = float(np.isin(true, pairs).mean()) if len(true) else 1.0
    candidates = 2 * len(pairs) / records
    return Blocked(
        name, people, records, rows / records, len(pairs), candidates, largest, closed, len(true), round(found, 5)
    )


if __name__ == "__main__":
    main()
