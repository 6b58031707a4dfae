"""What the values of a file look like, attribute by attribute: profiles of chunks, merged and compared.

A profile of a chunk is JSON values: counts, how many values have each length, and a sketch of the distinct values. All
of it merges to what one profile of the whole file would hold, whatever the chunks are.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from mdm_stream.contracts.file_manifest import AttributeProfile, FileWarning
from mdm_stream.core.model import RecordEvent
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.core.standardise import standardise_record
from mdm_stream.decode.sources import Route

SKETCH_BITS = 12
"""A sketch (HyperLogLog) has 2^12 registers: the distinct values that it estimates are off by 1.6 % (one standard
deviation), by hardly any below some 10,000."""
CONFORMITY_EVERY_ROWS = 16
"""Of every so many rows one is standardised, which takes longer than all else of a check: the same rows of a file
whatever its chunks are."""
LENGTH_MAX = 1_024
"""Lengths are counted one by one up to here; longer values count as of this length, but for the greatest."""
OUTLIER_DEVIATIONS = 4.0
"""A value is an outlier if its length is so many standard deviations off the mean of its attribute, or more."""
OUTLIER_LENGTH_MIN = 3.0
"""And at least so many characters: where all lengths are alike one more says nothing."""
EARLIER_LOADS_MIN = 3
"""Earlier loads of a source with which a profile is compared at least: fewer are no custom."""

Document = Mapping[str, Mapping[str, Any]]


class ChunkProfile:
    """The profile of the accepted rows of one chunk."""

    def __init__(self, rules: Ruleset, route: Route) -> None:
        """Take the rules and the route of the source."""
        self._rules = rules
        self._source = route.source
        names = [attribute.name for attribute in rules.attributes]
        mapped = route.source.columns
        self._columns = [(name, tuple(mapped[name])) for name in names if name in mapped] if mapped else [
            (name, (name,)) for name in names
        ]  # fmt: skip
        self._texts: dict[str, Counter[str]] = {name: Counter() for name, _ in self._columns}
        self._tested: Counter[str] = Counter()
        self._conforming: Counter[str] = Counter()
        self._rows = 0

    def add(self, number: int, event: RecordEvent) -> None:
        """Take a row. Deletions have no values, and are left out."""
        if event.op == "delete":
            return
        self._rows += 1
        given = event.attributes
        for name, columns in self._columns:
            if len(columns) == 1:
                value = given.get(columns[0])
                text = "" if value is None else str(value)
            else:
                text = " ".join(str(value) for column in columns if (value := given.get(column)) is not None)
            if text:
                self._texts[name][text] += 1
        if number % CONFORMITY_EVERY_ROWS == 0:
            self._test(event)

    def _test(self, event: RecordEvent) -> None:
        read = standardise_record(self._rules, self._source.name, event.attributes)
        own = {
            name for name, columns in self._columns if any(event.attributes.get(each) is not None for each in columns)
        }
        for attribute, standardised in zip(self._rules.attributes, read, strict=True):
            if attribute.name in own:
                self._tested[attribute.name] += 1
                self._conforming[attribute.name] += bool(standardised.value) and standardised.valid

    def document(self) -> dict[str, dict[str, Any]]:
        """Return the profile as JSON values."""
        found = {}
        for name, texts in self._texts.items():
            lengths: Counter[int] = Counter()
            longest = 0
            for text, times in texts.items():
                lengths[min(len(text), LENGTH_MAX)] += times
                longest = max(longest, len(text))
            found[name] = {
                "rows": self._rows,
                "values": texts.total(),
                "lengths": {str(length): lengths[length] for length in sorted(lengths)},
                "length_max": longest,
                "tested": self._tested[name],
                "conforming": self._conforming[name],
                "sketch": _written(_sketch_of(texts)),
            }
        return found


def merged(profiles: Iterable[Document]) -> dict[str, dict[str, Any]]:
    """Return the profile of all rows of some chunks."""
    whole: dict[str, dict[str, Any]] = {}
    for profile in profiles:
        for name, part in profile.items():
            if name not in whole:
                whole[name] = {**part, "lengths": dict(part["lengths"])}
                continue
            have = whole[name]
            for count in ("rows", "values", "tested", "conforming"):
                have[count] += part[count]
            have["length_max"] = max(have["length_max"], part["length_max"])
            for length, times in part["lengths"].items():
                have["lengths"][length] = have["lengths"].get(length, 0) + times
            have["sketch"] = _written(np.maximum(_read(have["sketch"]), _read(part["sketch"])))
    return whole


def attribute_profiles(profile: Document) -> list[AttributeProfile]:
    """Return a merged profile in the form of the manifest."""
    return [_attribute_profile(name, part) for name, part in profile.items()]


def _attribute_profile(name: str, part: Mapping[str, Any]) -> AttributeProfile:
    values, rows, tested = part["values"], part["rows"], part["tested"]
    lengths = {int(length): times for length, times in part["lengths"].items()}
    mean = variance = outliers = None
    if values:
        mean = sum(length * times for length, times in lengths.items()) / values
        variance = sum(times * (length - mean) ** 2 for length, times in lengths.items()) / values
        off = max(OUTLIER_DEVIATIONS * math.sqrt(variance), OUTLIER_LENGTH_MIN)
        outliers = sum(times for length, times in lengths.items() if abs(length - mean) >= off) / values
    return AttributeProfile(
        attribute=name,
        values=values,
        completeness=_share(values, rows),
        uniqueness=None if not values else min(1.0, round(_distinct(_read(part["sketch"])) / values, 4)),
        conformity=_share(part["conforming"], tested),
        outliers=None if outliers is None else round(outliers, 6),
        length_mean=None if mean is None else round(mean, 3),
        length_variance=None if variance is None else round(variance, 3),
        length_max=part["length_max"],
    )


def drift(
    now: Sequence[AttributeProfile], earlier: Sequence[Sequence[AttributeProfile]], drift_max: float
) -> list[FileWarning]:
    """Return a warning for each part of a profile that lies further off the mean of earlier ones than it may.

    Shares may lie ``drift_max`` off; the mean length that part of itself. Fewer than ``EARLIER_LOADS_MIN`` earlier
    profiles are not compared.
    """
    if len(earlier) < EARLIER_LOADS_MIN:
        return []
    found = []
    for profile in now:
        before = [each for load in earlier for each in load if each.attribute == profile.attribute]
        for measure in ("completeness", "uniqueness", "conformity", "length_mean"):
            known = [value for each in before if (value := getattr(each, measure)) is not None]
            value = getattr(profile, measure)
            if value is None or len(known) < EARLIER_LOADS_MIN:
                continue
            mean = sum(known) / len(known)
            allowed = drift_max * max(mean, 1.0) if measure == "length_mean" else drift_max
            if abs(value - mean) > allowed:
                said = f"{measure} is {value:.2f}, and {mean:.2f} in the mean of {len(known)} earlier loads"
                found.append(FileWarning(code="drift", path=profile.attribute, message=said))
    return found


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None


_Registers = np.ndarray[Any, np.dtype[np.uint8]]


def _sketch_of(texts: Iterable[str]) -> _Registers:
    digests = b"".join(hashlib.blake2b(text.encode(), digest_size=8).digest() for text in texts)
    hashes = np.frombuffer(digests, dtype=">u8").astype(np.uint64)
    registers = np.zeros(1 << SKETCH_BITS, dtype=np.uint8)
    if len(hashes):
        places = (hashes >> np.uint64(64 - SKETCH_BITS)).astype(np.int64)
        rest = hashes & np.uint64((1 << (64 - SKETCH_BITS)) - 1)
        # The place of the highest bit that is set, from a float: of 52 bits none is rounded away.
        bits = np.frexp(rest.astype(np.float64))[1]
        ranks = (64 - SKETCH_BITS - bits + 1).astype(np.uint8)
        np.maximum.at(registers, places, ranks)
    return registers


def _distinct(registers: _Registers) -> float:
    """Return the estimate of HyperLogLog, with linear counting where many registers are empty."""
    size = len(registers)
    estimate = 0.7213 / (1 + 1.079 / size) * size * size / float(np.sum(np.exp2(-registers.astype(np.float64))))
    empty = int(np.count_nonzero(registers == 0))
    return size * math.log(size / empty) if empty and estimate <= 2.5 * size else estimate


def _written(registers: _Registers) -> str:
    return base64.b64encode(registers.tobytes()).decode()


def _read(sketch: str) -> _Registers:
    return np.frombuffer(base64.b64decode(sketch), dtype=np.uint8)
