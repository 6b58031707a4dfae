"""Cases of rules, a YAML file each: records, which of them are one thing, and which are not.

``rules`` is a pack or the path of a rule set, ``case`` what the file promises. ``records`` maps an id to what a source
delivers of it. Each list of ``together`` names records of one golden record, each list of ``apart`` records of which
no two are of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import yaml

from mdm_stream.core.model import RecordEvent, split_ref
from mdm_stream.core.reference import resolve
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.rules import load_ruleset

SOURCE = "any"


@dataclass(frozen=True, slots=True)
class PromisedCase:
    """One case as its file has it."""

    promise: str
    rules: str
    records: Mapping[str, Mapping[str, Any]]
    together: tuple[tuple[str, ...], ...]
    apart: tuple[tuple[str, ...], ...]


@cache
def rules_of(name: str) -> Ruleset:
    """Return a pack, compiled once."""
    return load_ruleset(name)


def read_case(path: Path) -> PromisedCase:
    """Read a case; ``ValueError`` where it names a record that it does not have."""
    content = yaml.safe_load(path.read_text("utf-8"))
    records = {str(name): values for name, values in content["records"].items()}
    together, apart = (
        tuple(tuple(map(str, names)) for names in content.get(section) or ()) for section in ("together", "apart")
    )
    unknown = {name for names in (*together, *apart) for name in names} - records.keys()
    if unknown:
        raise ValueError(f"{path.name} names records that it does not have: {', '.join(sorted(unknown))}")
    return PromisedCase(content["case"], content["rules"], records, together, apart)


def broken_promises(case: PromisedCase) -> list[str]:
    """Return a phrase a pair of records that F joins or parts otherwise than the case says."""
    rules = rules_of(case.rules)
    events = [
        RecordEvent(rules.domain, SOURCE, name, "upsert", 1, 0, _delivered(values))
        for name, values in case.records.items()
    ]
    golden_of = {split_ref(ref)[1]: golden for ref, golden in resolve(rules, events).crosswalk.items()}
    wrong = [
        f"{a} and {b} are one, and were parted"
        for names in case.together
        for a, b in combinations(names, 2)
        if golden_of[a] != golden_of[b]
    ]
    return wrong + [
        f"{a} and {b} are two, and were joined"
        for names in case.apart
        for a, b in combinations(names, 2)
        if golden_of[a] == golden_of[b]
    ]


def _delivered(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
