"""What changed between two profiles of a domain: of two times, or of two deliveries. Needs no Spark.

Compared for each source and attribute: completeness, conformity, how distinct its values are, and how its most frequent
values are distributed. The last is the divergence of Jensen and Shannon, to the base 2 (J. Lin, *Divergence measures
based on the Shannon entropy*, 1991): 0 for equal distributions, 1 for those with no value in common. Values that are
not listed in a profile are one cell together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import log2
from pathlib import Path
from typing import Any

import orjson

from mdm_stream.errors import ConfigurationError
from mdm_stream.reconcile.profiling import PROFILE_FORMAT, SUMMARY

SHARE_CHANGE_MAX = 0.05
"""How far completeness and conformity may move, either way, before it is drift: of shares, so five in a hundred."""

DISTINCTNESS_CHANGE_MAX = 0.2
"""How far the share of distinct values may move; it falls by itself where records become more."""

DIVERGENCE_MAX = 0.1
"""How far distributions may diverge."""

COMPARED_RECORDS_MIN = 100
"""Records of a source that both profiles must have: of fewer, chance moves shares by more than the limits."""

REST = ""
"""Stands for all values that are not listed."""


@dataclass(frozen=True, slots=True)
class DriftLimits:
    """How far each measure may move before it is drift."""

    share_change_max: float = SHARE_CHANGE_MAX
    distinctness_change_max: float = DISTINCTNESS_CHANGE_MAX
    divergence_max: float = DIVERGENCE_MAX
    records_min: int = COMPARED_RECORDS_MIN


@dataclass(frozen=True, slots=True)
class Drift:
    """One measure of a source's attribute in both profiles; ``source`` is empty for all sources together.

    ``measure``: completeness, conformity, distinctness, divergence (of which ``later`` is the figure), or records,
    where one profile has no such source or attribute. ``beyond``: it moved farther than its limit.
    """

    source: str
    attribute: str
    measure: str
    earlier: float | None
    later: float | None
    change: float
    beyond: bool


@dataclass(frozen=True, slots=True)
class ProfileComparison:
    """All that was compared. ``too_few`` sources and attributes were not, having too few records."""

    found: tuple[Drift, ...]
    too_few: int

    @property
    def drifted(self) -> tuple[Drift, ...]:
        """What moved farther than its limit."""
        return tuple(each for each in self.found if each.beyond)


def read_summary(folder: Path) -> dict[str, Any]:
    """Return the summary of a profile; ``ConfigurationError`` if the folder is none, or of a later release."""
    try:
        summary = orjson.loads((folder / SUMMARY).read_bytes())
        known = summary["format"] <= PROFILE_FORMAT
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"{folder} is no profile: it has no whole {SUMMARY}; name one that mdm-stream profile --tables has made"
        ) from error
    if not known:
        raise ConfigurationError(f"{folder} was made by a later release; compare it with that release")
    return dict(summary)


def compare_profiles(earlier: Path, later: Path, limits: DriftLimits | None = None) -> ProfileComparison:
    """Return what changed from one profile to another of the same domain.

    ``ConfigurationError`` if one is no profile, or they are of two domains.
    """
    limits = limits or DriftLimits()
    before, after = read_summary(earlier), read_summary(later)
    if before.get("domain") != after.get("domain"):
        raise ConfigurationError(f"{earlier} and {later} are profiles of two domains; compare those of one")
    first, second = _attributes(earlier), _attributes(later)
    shares_before, shares_after = _shares(earlier), _shares(later)
    found: list[Drift] = []
    too_few = 0
    for key in sorted(first.keys() | second.keys()):
        one, other = first.get(key), second.get(key)
        if one is None or other is None:
            found.append(_absent(key, one, other))
        elif min(one["records"], other["records"]) < limits.records_min:
            too_few += 1
        else:
            found += _changes(key, one, other, limits)
            divergence = divergence_of(shares_before.get(key, {}), shares_after.get(key, {}))
            found.append(Drift(*key, "divergence", None, divergence, divergence, divergence > limits.divergence_max))
    return ProfileComparison(tuple(found), too_few)


def divergence_of(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Return the divergence of two distributions, 0 to 1; what is left of a share of 1 is of values not listed."""
    first, second = _whole(one), _whole(other)
    total = 0.0
    for value in first.keys() | second.keys():
        p, q = first.get(value, 0.0), second.get(value, 0.0)
        middle = (p + q) / 2
        total += (p * log2(p / middle) if p > 0 else 0.0) + (q * log2(q / middle) if q > 0 else 0.0)
    return min(1.0, max(0.0, total / 2))


def _changes(
    key: tuple[str, str], one: Mapping[str, Any], other: Mapping[str, Any], limits: DriftLimits
) -> Iterator[Drift]:
    farthest = {
        "completeness": limits.share_change_max,
        "conformity": limits.share_change_max,
        "distinctness": limits.distinctness_change_max,
    }
    for measure, limit in farthest.items():
        before, after = one[measure], other[measure]
        if before is not None and after is not None:
            yield Drift(*key, measure, before, after, after - before, abs(after - before) > limit)


def _absent(key: tuple[str, str], one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> Drift:
    before, after = (None if each is None else float(each["records"]) for each in (one, other))
    return Drift(*key, "records", before, after, (after or 0.0) - (before or 0.0), True)


def _whole(shares: Mapping[str, float]) -> dict[str, float]:
    return {**shares, REST: max(0.0, 1.0 - sum(shares.values()))}


def _attributes(folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    columns = ["source", "attribute", "records", "completeness", "conformity", "distinctness"]
    return {(row["source"], row["attribute"]): row for row in _rows(folder / "attributes", columns)}


def _shares(folder: Path) -> dict[tuple[str, str], dict[str, float]]:
    found: dict[tuple[str, str], dict[str, float]] = {}
    for row in _rows(folder / "distributions", ["source", "attribute", "digest", "share"]):
        shares = found.setdefault((row["source"], row["attribute"]), {})
        shares[row["digest"]] = shares.get(row["digest"], 0.0) + row["share"]
    return found


def _rows(table: Path, columns: list[str]) -> list[dict[str, Any]]:
    import pyarrow.parquet  # noqa: PLC0415 - the package archive's

    try:
        rows: list[dict[str, Any]] = pyarrow.parquet.read_table(table, columns=columns, partitioning=None).to_pylist()
    except (OSError, pyarrow.lib.ArrowException) as error:
        raise ConfigurationError(f"{table} cannot be read as a table of a profile; make the profile again") from error
    return rows
