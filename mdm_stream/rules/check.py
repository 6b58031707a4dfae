"""Checking a rule-set file: all its errors, or else warnings about what is allowed but probably not meant.

Warnings speak of the checked file's own lines only: what a pack offers and a company does not use is no mistake.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mdm_stream.core.match.compare import AT_MOST_MEASURES, SIMILARITY_KINDS
from mdm_stream.core.ruleset import Comparison, KeyPart, Level, Predicate, Ruleset
from mdm_stream.errors import RulesError
from mdm_stream.rules.compile import compile_ruleset
from mdm_stream.rules.compile_blocking import key_places
from mdm_stream.rules.extend import locate, resolve, shown_name
from mdm_stream.rules.findings import Finding, Findings, Place, RuleFindingsError
from mdm_stream.rules.learned import read_learned
from mdm_stream.rules.tree import Node
from mdm_stream.rules.validate import validate

SELECTIVITY_BITS_MIN = 11.0
"""A key that takes some 2,000 values puts 100,000 records into blocks of 50; one that takes fewer fills its blocks."""

_TYPE_BITS = {"region": 4.0, "country": 2.0, "category": 3.0, "city": 8.0, "name": 9.0, "number": 8.0}
_FUNCTION_BITS = {
    "year": 6.0,
    "month_day": 8.0,
    "initials": 6.0,
    "nickname": 7.0,
    "token": 8.0,
    "soundex": 9.0,
    "metaphone": 9.0,
    "nysiis": 9.0,
}
_CHARACTER_BITS = {"first": 3.5, "last": 3.5, "digits": 3.3}
_WHOLE_BITS = 14.0
"""What values of a type that usually tells records apart are taken to be worth."""


def check_file(path: str | Path) -> list[Finding]:
    """Return what is wrong with a rule-set file (or pack), errors alone if there are any, else warnings by line.

    Never raises ``RulesError``. An empty list means that there is nothing to say.
    """
    findings = Findings()
    try:
        located = locate(path)
        tree = resolve(located, findings)
        model = validate(tree, findings)
        rules = None
        if model is not None and not findings.errors:
            learned = read_learned(model, tree, findings)
            compile_ruleset(model, tree, findings, learned)
            # Warnings are about what the author wrote, which learned weights are not.
            rules = compile_ruleset(model, tree, Findings())
    except RuleFindingsError as error:
        return list(error.findings)
    except RulesError as error:
        return [Finding("error", str(path), 0, str(error))]
    if rules is None or findings.errors:
        return findings.errors
    own = _File(shown_name(located), tree, rules)
    for place, message in (*_of_comparisons(own), *_of_levels(own), *_of_keys(own), *_of_sources(own), *_of_sums(own)):
        if place.file == own.shown:
            findings.warning(place, message)
    return sorted(findings, key=lambda finding: finding.line)


@dataclass(frozen=True, slots=True)
class _File:
    shown: str
    tree: Node
    rules: Ruleset

    def name(self, position: int) -> str:
        return self.rules.attributes[position].name

    def place(self, *path: object) -> Place:
        return self.tree.at(path).place

    @property
    def filled(self) -> set[str]:
        """The attributes that some source can give: all, if a source maps none and so may carry any."""
        every = {attribute.name for attribute in self.rules.attributes}
        sources = self.rules.sources.values()
        if not sources or any(not source.columns for source in sources):
            return every
        mapped = {name for source in sources for name in source.columns}
        parts = {filled for a in self.rules.attributes if a.name in mapped for filled in a.fills.values()}
        return mapped | parts


_Warnings = Iterator[tuple[Place, str]]


def _of_comparisons(own: _File) -> _Warnings:
    seen: dict[int, str] = {}
    for comparison in own.rules.match.comparisons:
        place = own.place("match", "comparisons", comparison.name)
        if _only_takes_back(comparison):
            continue
        for attribute in comparison.attributes:
            if attribute in seen:
                twice = f"{own.name(attribute)!r} is also compared by {seen[attribute]!r}, so its evidence counts twice"
                yield place, f"{twice}; make it one comparison"
            seen.setdefault(attribute, comparison.name)
        if not {own.name(attribute) for attribute in comparison.attributes} & own.filled:
            yield place, f"no source gives what {comparison.name!r} compares; map a column to it or remove it"
        if not comparison.levels:
            continue
        nulls = [level for level in comparison.levels if level.when and all(p.kind == "null" for p in level.when)]
        if not nulls:
            yield place, f"{comparison.name!r} has no level 'when: null', so a missing value counts as 'else'; add one"
        missing = {each for level in nulls[:1] for predicate in level.when for each in predicate.attributes}
        for level in nulls:
            if level.bits and missing.issuperset(each for predicate in level.when for each in predicate.attributes):
                line = own.place("match", "comparisons", comparison.name, "levels", comparison.levels.index(level))
                yield line, "a missing value has a weight, though it says nothing of the pair; expected 'bits: 0'"


def _only_takes_back(comparison: Comparison) -> bool:
    """Return whether no level adds evidence: then it corrects what others counted, and looks at the same attributes."""
    bits = [level.bits for level in comparison.levels]
    return bool(bits) and max(bits) <= 0.0 and bits[-1] == 0.0


def _of_levels(own: _File) -> _Warnings:
    for comparison in own.rules.match.comparisons:
        for later, level in enumerate(comparison.levels):
            place = own.place("match", "comparisons", comparison.name, "levels", later)
            for earlier, before in enumerate(comparison.levels[:later]):
                if _covers(before, level):
                    yield place, f"this level can never apply: level {earlier + 1} holds wherever it does; move it up"
                    break
                if level.bits > before.bits and _is_lower_rung(level, before):
                    yield place, f"this level asks less than level {earlier + 1} but weighs more; correct the bits"
                    break


def _is_lower_rung(level: Level, before: Level) -> bool:
    """Return whether a level is the same measure as one before it, at a laxer threshold.

    Levels with several conditions are left out: a condition on another attribute may well turn the weight round.
    """
    if len(level.when) != 1 or len(before.when) != 1:
        return False
    return level.when[0].kind == before.when[0].kind and _covers(level, before)


def _covers(wide: Level, narrow: Level) -> bool:
    """Return whether ``wide`` certainly holds wherever ``narrow`` does."""
    return all(any(_implies(given, wanted) for given in narrow.when) for wanted in wide.when if wanted.kind != "else")


def _implies(given: Predicate, wanted: Predicate) -> bool:
    if given.attributes != wanted.attributes:
        return False
    if given.kind == wanted.kind:
        if wanted.kind in AT_MOST_MEASURES:
            return given.threshold <= wanted.threshold
        return given.threshold >= wanted.threshold
    return given.kind == "exact" and wanted.kind in _HOLD_OF_EQUALS


_HOLD_OF_EQUALS = (
    (SIMILARITY_KINDS | AT_MOST_MEASURES)
    - {"swap", "initial", "acronym", "date_swap", "date_within"}
    - {
        "numeric_within",
        "numeric_ratio",
    }
)
"""The kinds that hold of any two equal texts. Dates and numbers are left out: equal texts may not be readable ones."""


def _of_keys(own: _File) -> _Warnings:
    places = key_places(own.tree.at(("blocking", "keys")))
    for key in own.rules.blocking:
        place = places[key.text]
        unfilled = [own.name(part.attribute) for part in key.parts if own.name(part.attribute) not in own.filled]
        if unfilled:
            yield place, f"no source gives {unfilled[0]!r}, so this key never meets; map a column to it or remove it"
        if key.refined_above is None and sum(_bits_of(own, part) for part in key.parts) < SELECTIVITY_BITS_MIN:
            blocks = f"its blocks grow past max_block_size ({own.rules.max_block_size}) and are suspended"
            yield place, f"this key takes few values, so {blocks}; add a part"


def _bits_of(own: _File, part: KeyPart) -> float:
    """Return roughly the log2 of how many values a part takes."""
    whole = _TYPE_BITS.get(own.rules.attributes[part.attribute].type, _WHOLE_BITS)
    if part.function in _CHARACTER_BITS and part.argument:
        return min(whole, _CHARACTER_BITS[part.function] * part.argument)
    return min(whole, _FUNCTION_BITS.get(part.function, whole))


def _of_sources(own: _File) -> _Warnings:
    for attribute in own.rules.attributes:
        place = own.place("attributes", attribute.name)
        if attribute.name not in own.filled:
            yield place, f"no source gives {attribute.name!r}; map a column to it or remove it"
        if attribute.required:
            for source in own.rules.sources.values():
                if source.columns and attribute.name not in source.columns:
                    line = own.place("sources", source.name)
                    yield (
                        line,
                        f"required attribute {attribute.name!r} has no column here, so no record has one; map a column",
                    )


def _of_sums(own: _File) -> _Warnings:
    match = own.rules.match
    if match.method != "fellegi_sunter" or not match.comparisons:
        return
    most = math.log2(match.prior / (1 - match.prior)) + sum(_most(comparison) for comparison in match.comparisons)
    needed = math.inf if match.link >= 1 else math.log2(match.link / (1 - match.link))
    if most < needed:
        place = own.place("match", "comparisons")
        yield (
            place,
            f"full agreement is worth {most:.1f} bits of the {needed:.1f} that a link needs; raise bits or prior",
        )


def _most(comparison: Comparison) -> float:
    return max(level.bits for level in comparison.levels)
