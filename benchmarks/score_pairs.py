"""How fast pairs are scored: ``score_pairs`` with ten comparisons, beside bare RapidFuzz on one column of them.

    python benchmarks/score_pairs.py [--pairs 1000000] [--records 20000]

The people are made up from a fixed seed. Candidates share a family name or a birth year, as blocking would have it, and
nearly all of them are different people.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import defaultdict
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import JaroWinkler

from mdm_stream.core.match.score import score_pairs
from mdm_stream.core.model import MatchValues
from mdm_stream.core.ruleset import Attribute, Comparison, Level, Match, Predicate, Ruleset

Result = TypeVar("Result")

SEED = 20260101
RUNS = 3
NAMES = (
    "given_name",
    "family_name",
    "birth_date",
    "street",
    "city",
    "postcode",
    "phone",
    "email",
    "national_id",
    "sex",
)
CONSONANTS, VOWELS = "bcdfghjklmnprstvw", "aeiou"


def main() -> None:
    """Print the pairs scored in a second, and the floor."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--records", type=int, default=20_000)
    options = parser.parse_args()
    chooser = random.Random(SEED)
    records = people(chooser, options.records)
    left, right = candidates(chooser, records, options.pairs)
    rules = ruleset()

    scoring_s, scored = fastest(lambda: score_pairs(rules, records, left, right))
    column = np.array([record[1] or "" for record in records], dtype=object)
    floor_s, _ = fastest(lambda: bare_jaro_winkler(column[left].tolist(), column[right].tolist()))

    links = sum(score.link for _, score in scored)
    print(f"{len(left):,} pairs of {len(records):,} records: {links:,} links, {len(scored) - links:,} reviews")
    print(f"score_pairs, {len(NAMES)} comparisons  {len(left) / scoring_s:>12,.0f} pairs/s")
    print(f"bare Jaro-Winkler, 1 column  {len(left) / floor_s:>12,.0f} pairs/s")


def fastest(call: Callable[[], Result]) -> tuple[float, Result]:
    """Return the seconds of the fastest of three calls, and what they return."""
    seconds_min = float("inf")
    for _ in range(RUNS):
        started = time.perf_counter()
        result = call()
        seconds_min = min(seconds_min, time.perf_counter() - started)
    return seconds_min, result


def bare_jaro_winkler(a: list[str], b: list[str]) -> np.ndarray:
    """Return the similarities of the texts, pair by pair."""
    return process.cpdist(a, b, scorer=JaroWinkler.normalized_similarity, dtype=np.float64)


def ruleset() -> Ruleset:
    """Return ten comparisons of the usual shape: missing, equal, similar, else."""
    similar = {"street": ("token_sort", 0.8), "birth_date": ("damerau_levenshtein", 1.0)}
    equal_only = ("sex", "postcode", "national_id", "phone", "email")
    bits = {"sex": (1.0, 0.0, -4.0), "city": (3.0, 2.0, -1.0), "phone": (10.0, 0.0, -0.5), "email": (12.0, 0.0, -0.5)}
    comparisons = []
    for index, name in enumerate(NAMES):
        same, close, other = bits.get(name, (8.0, 5.0, -4.0))
        levels = [Level("missing", (Predicate("null", (index,)),), 0.0)]
        levels.append(Level("equal", (Predicate("exact", (index,)),), same))
        if name not in equal_only:
            kind, threshold = similar.get(name, ("jaro_winkler", 0.9))
            levels.append(Level("similar", (Predicate(kind, (index,), threshold),), close))
        levels.append(Level("else", (Predicate("else", ()),), other))
        comparisons.append(Comparison(name, (index,), tuple(levels)))
    match = Match("fellegi_sunter", 0.0005, 0.85, 0.5, (), tuple(comparisons))
    attributes = tuple(Attribute(name, "text") for name in NAMES)
    return Ruleset("person", 1, "benchmark", attributes, {}, (), 200, 200, match, ())


def people(chooser: random.Random, count: int) -> list[MatchValues]:
    """Return records, two for each person, the second with typing errors and gaps."""
    given, family, cities, streets = (words(chooser, number) for number in (500, 3_000, 300, 2_000))
    records: list[MatchValues] = []
    for number in range((count + 1) // 2):
        first, last = zipf(chooser, given), zipf(chooser, family)
        born = f"{chooser.randint(1940, 2005)}-{chooser.randint(1, 12):02}-{chooser.randint(1, 28):02}"
        street = f"{chooser.randint(1, 200)} {zipf(chooser, streets)} street"
        digits = f"{chooser.randrange(10**9):09}"
        person = (
            *(first, last, born, street, zipf(chooser, cities), digits[:5]),
            *(f"+1{digits}", f"{first}.{last}{number % 97}@example.com", digits[::-1], chooser.choice("fm")),
        )
        records += [person, tuple(dirty(chooser, value) for value in person)]
    return records[:count]


def candidates(chooser: random.Random, records: list[MatchValues], count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return index pairs: each record with its twin, the rest from blocks by family name and by birth year."""
    blocks: dict[object, list[int]] = defaultdict(list)
    for index, record in enumerate(records):
        blocks[record[1]].append(index)
        blocks[str(record[2])[:4]].append(index)
    crowded = [block for block in blocks.values() if len(block) > 1]
    sizes = [len(block) for block in crowded]
    pairs = [(index, index + 1) for index in range(0, len(records) - 1, 2)][:count]
    for block in chooser.choices(crowded, sizes, k=count - len(pairs)):
        a, b = chooser.sample(block, 2)
        pairs.append((a, b))
    both = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return both[:, 0].copy(), both[:, 1].copy()


def words(chooser: random.Random, count: int) -> list[str]:
    """Return made-up words."""
    return [
        "".join(chooser.choice(CONSONANTS) + chooser.choice(VOWELS) for _ in range(chooser.randint(2, 5)))
        for _ in range(count)
    ]


def zipf(chooser: random.Random, choices: list[str]) -> str:
    """Return one of the choices, the early ones more often."""
    return choices[min(int(chooser.paretovariate(0.6)) - 1, chooser.randrange(len(choices)))]


def dirty(chooser: random.Random, value: str) -> str | None:
    """Return the value, sometimes missing, sometimes with a character replaced."""
    if chooser.random() < 0.1:
        return None
    if chooser.random() < 0.2:
        place = chooser.randrange(len(value))
        return value[:place] + chooser.choice(CONSONANTS) + value[place + 1 :]
    return value


if __name__ == "__main__":
    main()
