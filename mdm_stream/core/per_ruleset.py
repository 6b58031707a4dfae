"""What is made once from a rule set: compiled forms of its parts, for the functions that run for every record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from mdm_stream.core.ruleset import Ruleset

RULESETS_MAX = 64
"""How many rule sets have their compiled form remembered. A process has one or two in use."""

Made = TypeVar("Made")


class PerRuleset(Generic[Made]):
    """Calls ``make`` once for each rule set, told by identity: a rule set holds mappings, so it has no hash.

    ``make`` must be pure. An entry keeps its rule set alive, so that no other one is given its id.
    """

    def __init__(self, make: Callable[[Ruleset], Made]) -> None:
        self._make = make
        self._made: dict[int, tuple[Ruleset, Made]] = {}

    def __call__(self, rules: Ruleset) -> Made:
        """Return what was made of these rules."""
        held = self._made.get(id(rules))
        if held is None:
            if len(self._made) >= RULESETS_MAX:
                self._made = {}
            held = self._made[id(rules)] = (rules, self._make(rules))
        return held[1]
