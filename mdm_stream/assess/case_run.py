"""Running cases: F of a case's records by the core's own reference, and each expectation held against it.

The reference is what stream and batch must agree with byte for byte, so a case that passes here passes there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

from mdm_stream.assess.case_csv import read_csv_cases
from mdm_stream.assess.case_events import CaseEvents, events_of
from mdm_stream.assess.case_model import GoldenExpectation, NamedRecords, RuleCase
from mdm_stream.assess.case_yaml import is_rules_file, read_yaml_cases
from mdm_stream.assess.pair_evidence import pair_evidence
from mdm_stream.core.blocking.generic_values import generic_by_record
from mdm_stream.core.record import Record, build_record
from mdm_stream.core.reference import Resolution, fold_events, resolve
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.rules import load_ruleset, pack_names
from mdm_stream.rules.conditions import unknown_attribute
from mdm_stream.rules.findings import Findings, Place, fail

CASE_SUFFIXES = (".yaml", ".yml", ".csv")
REASONS_MAX = 3
"""Pairs of one failed expectation of which the evidence is told."""
PAIRS_MAX = 200
"""Pairs of one failed expectation that are looked at for them."""

CheckKind = Literal["accepted", "cluster", "separate", "review", "golden"]


@dataclass(frozen=True, slots=True)
class CaseCheck:
    """One expectation held against the outcome. ``reasons`` say why the records are together or apart."""

    kind: CheckKind
    about: str
    place: Place
    expected: str
    actual: str
    reasons: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether what came out is what was expected."""
        return self.expected == self.actual


@dataclass(frozen=True, slots=True)
class CaseOutcome:
    """What became of a case."""

    case: RuleCase
    checks: tuple[CaseCheck, ...]

    @property
    def failed(self) -> tuple[CaseCheck, ...]:
        """The expectations that were not met."""
        return tuple(check for check in self.checks if not check.passed)


def read_cases(paths: Sequence[Path]) -> list[RuleCase]:
    """Return the cases of files, and of all files of cases in folders, by name of the file.

    ``RulesError`` lists whatever is wrong with any of them, with its line.
    """
    findings = Findings()
    cases: list[RuleCase] = []
    for path in _case_files(paths):
        read = read_csv_cases if path.suffix.lower() == ".csv" else read_yaml_cases
        cases += read(path, findings)
    findings.raise_errors()
    return cases


def run_cases(cases: Iterable[RuleCase], rules: str | None = None) -> Iterator[CaseOutcome]:
    """Yield the outcome of each case in order; ``rules`` are for cases that name none.

    ``RulesError`` before anything is yielded, for rules that cannot be used, and a case that does not fit its rules.
    """
    findings = Findings()
    loaded: dict[str, Ruleset] = {}
    prepared = [_prepared(case, _rules_of(case, rules, loaded), findings) for case in cases]
    findings.raise_errors()
    for case, ruleset, events in prepared:
        yield CaseOutcome(case, tuple(_Checker(case, ruleset, events).checks()))


def _case_files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            if path.suffix.lower() not in CASE_SUFFIXES:
                fail(Place(str(path)), "this is no file of cases; expected .yaml, .yml, .csv or a folder of them")
            yield path
            continue
        found = sorted(each for each in path.rglob("*") if each.suffix.lower() in CASE_SUFFIXES and each.is_file())
        cases = [each for each in found if each.suffix.lower() == ".csv" or not is_rules_file(each)]
        if not cases:
            fail(Place(str(path)), "the folder has no cases; expected .yaml, .yml or .csv files; check the path")
        yield from cases


def _rules_of(case: RuleCase, given: str | None, loaded: dict[str, Ruleset]) -> Ruleset:
    """Return the rules that a case names, relative to its file, or the command's."""
    if case.rules is None and given is None:
        fail(case.place, f"case {case.name!r} names no rules; expected 'rules: PATH or pack' here, or --rules")
    if case.rules is None:
        name = str(given)
    elif case.rules in pack_names():
        name = case.rules
    else:
        path = Path(case.place.file).parent / case.rules
        if not path.is_file():
            advice = "expected a path relative to this file, or the name of a pack"
            fail(case.rules_place, f"there are no rules {case.rules!r}; {advice}; correct it")
        name = str(path)
    if name not in loaded:
        loaded[name] = load_ruleset(name)
    return loaded[name]


def _prepared(case: RuleCase, rules: Ruleset, findings: Findings) -> tuple[RuleCase, Ruleset, CaseEvents]:
    positions = {attribute.name: place for place, attribute in enumerate(rules.attributes)}
    for golden in case.golden:
        for name in golden.values:
            if name not in positions:
                findings.error(golden.place, unknown_attribute(name, positions))
    return case, rules, events_of(case, rules, findings)


class _Checker:
    """Holds the expectations of one case against F of its records."""

    def __init__(self, case: RuleCase, rules: Ruleset, events: CaseEvents) -> None:
        self._case = case
        self._rules = rules
        self._refused = events.refused
        self._refs = events.refs
        self._names = {ref: name for name, ref in events.refs.items()}
        self._states = fold_events(events.events)
        self._resolution: Resolution = resolve(rules, events.events)
        self._records = {ref: build_record(rules, ref, state) for ref, state in self._states.items()}
        self._generic = generic_by_record(
            rules, {ref: record.keys for ref, record in self._records.items() if record.live}
        )

    def checks(self) -> Iterator[CaseCheck]:
        """Yield every check, in the order of the case."""
        for record in self._case.records:
            if (why := self._refused.get(record.name)) is not None:
                yield CaseCheck("accepted", record.name, record.place, "accepted", f"refused: {why}")
        for named in self._case.clusters:
            yield self._cluster(named)
        for named in self._case.separate:
            yield self._separate(named)
        if self._case.review is not None:
            yield self._review(self._case.review)
        for golden in self._case.golden:
            yield from self._golden(golden)

    def _cluster_of(self, name: str) -> tuple[str, ...]:
        """Return the names of the records in the cluster of one, in the order of the case."""
        golden_id = self._resolution.crosswalk.get(self._refs.get(name, ""))
        if golden_id is None:
            return ()
        inside = {self._names[ref] for ref, own in self._resolution.crosswalk.items() if own == golden_id}
        return tuple(record.name for record in self._case.records if record.name in inside)

    def _cluster(self, named: NamedRecords) -> CaseCheck:
        found = list(dict.fromkeys(filter(None, map(self._cluster_of, named.names))))
        wanted = frozenset(named.names)
        joined = [
            (own, other) for part in found for own in part if own in wanted for other in part if other not in wanted
        ]
        parted = [
            pair for pair in combinations(named.names, 2) if self._cluster_of(pair[0]) != self._cluster_of(pair[1])
        ]
        expected = _written([[record.name for record in self._case.records if record.name in wanted]])
        actual = _written(found) or "no golden record"
        return CaseCheck("cluster", "", named.place, expected, actual, self._reasons([*joined, *parted]))

    def _separate(self, named: NamedRecords) -> CaseCheck:
        together = [pair for pair in combinations(named.names, 2) if self._is_together(*pair)]
        found = list(dict.fromkeys(map(self._cluster_of, named.names)))
        expected = _written([[name] for name in named.names])
        within = [[name for name in part if name in named.names] for part in found]
        return CaseCheck("separate", "", named.place, expected, _written(within), self._reasons(together))

    def _is_together(self, a: str, b: str) -> bool:
        return bool(self._cluster_of(a)) and self._cluster_of(a) == self._cluster_of(b)

    def _review(self, expected: tuple[NamedRecords, ...]) -> CaseCheck:
        wanted = {tuple(sorted(named.names)) for named in expected}
        found = {tuple(sorted(self._names[ref] for ref in pair)) for pair in self._resolution.review}
        differing = sorted((pair[0], pair[1]) for pair in wanted ^ found if len(pair) == 2)
        shown = ["; ".join(" ? ".join(pair) for pair in sorted(pairs)) or "nothing" for pairs in (wanted, found)]
        return CaseCheck("review", "", self._case.review_place, shown[0], shown[1], self._reasons(differing))

    def _golden(self, golden: GoldenExpectation) -> Iterator[CaseCheck]:
        golden_id = self._resolution.crosswalk.get(self._refs.get(golden.name, ""))
        content: Mapping[str, Any] = self._resolution.golden[golden_id] if golden_id is not None else {"values": {}}
        for attribute, expected in golden.values.items():
            value = content["values"].get(attribute)
            found = () if value is None else (value,) if isinstance(value, str) else tuple(value)
            wanted, came = (" | ".join(sorted(each)) or "(none)" for each in (expected, found))
            yield CaseCheck("golden", f"{golden.name} {attribute}", golden.place, wanted, came)

    def _reasons(self, pairs: Sequence[tuple[str, str]]) -> tuple[str, ...]:
        """Say what the rules make of pairs by themselves, those nearest to a link first."""
        told = [pair for pair in pairs if pair[0] in self._refs and pair[1] in self._refs]
        reasons = sorted((self._reason(a, b) for a, b in told[:PAIRS_MAX]), key=lambda each: -each[0])
        return tuple(reason for _, reason in reasons[:REASONS_MAX])

    def _record(self, name: str) -> Record:
        return self._records[self._refs[name]]

    def _reason(self, a: str, b: str) -> tuple[float, str]:
        """Return a pair's confidence, and whether it was compared, its decision, and the weightiest evidence."""
        confidence, told = pair_evidence(self._rules, self._record(a), self._record(b), self._generic)
        return confidence, f"{a} and {b}: {told}"


def _written(clusters: Iterable[Sequence[str]]) -> str:
    return " / ".join(" + ".join(names) for names in clusters if names)


def outcome_as_json(outcome: CaseOutcome) -> dict[str, Any]:
    """Return an outcome as JSON values."""
    return {
        "case": outcome.case.name,
        "file": outcome.case.place.file,
        "line": outcome.case.place.line,
        "passed": not outcome.failed,
        "checks": [
            {
                "kind": check.kind,
                "about": check.about,
                "line": check.place.line,
                "passed": check.passed,
                "expected": check.expected,
                "actual": check.actual,
                "reasons": list(check.reasons),
            }
            for check in outcome.checks
        ],
    }
