"""Cases in YAML: read with the rules' own reader, so that each error has its line, and words are text."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from mdm_stream.assess.case_model import (
    CASE_RECORDS_MAX,
    CASES_MAX,
    CaseRecord,
    Field,
    GoldenExpectation,
    NamedRecords,
    RuleCase,
)
from mdm_stream.core.model import Scalar, Value
from mdm_stream.rules.findings import Findings, Place, nearest, one_of
from mdm_stream.rules.tree import Node, TreeFile, read_tree

CASE_FILE = TreeFile("file of cases", "cases: {...}", 4_194_304)
"""4 MiB are tens of thousands of records, which nobody has written by hand."""

_FILE_MEMBERS = ("rules", "description", "cases")
CASE_MEMBERS = ("rules", "description", "records", "clusters", "separate", "review", "golden")
EVENT_TIME = "event_time"


def read_yaml_cases(path: Path, findings: Findings) -> list[RuleCase]:
    """Return the cases of a file in order. What is wrong goes to ``findings``; ``RulesError`` if unreadable."""
    root = read_tree(path, str(path), expected=CASE_FILE)
    _check_members(root, _FILE_MEMBERS, "a file of cases", findings)
    cases = root.items.get("cases")
    if cases is None or not cases.items:
        place = root.place if cases is None else cases.place
        findings.error(place, "there are no cases; expected 'cases:' with a name and a case each; add them")
        return []
    if len(cases.items) > CASES_MAX:
        findings.error(cases.place, f"{len(cases.items):,} cases; expected at most {CASES_MAX:,} a file; split it")
        return []
    return [_CaseReader(name, node, root, findings).read() for name, node in cases.items.items()]


def is_rules_file(path: Path) -> bool:
    """Return whether a readable YAML file is a rule set and no file of cases: rules may lie beside their cases."""
    root = read_tree(path, str(path), expected=CASE_FILE)
    return "cases" not in root.items and not {"domain", "extends", "attributes"}.isdisjoint(root.items)


def check_references(case: RuleCase, findings: Findings) -> None:
    """Note expectations that speak of records which the case does not have, or that say nothing or twice."""
    known = {record.name for record in case.records}
    seen: set[str] = set()
    for kind in ("clusters", "separate", "review"):
        for named in getattr(case, kind) or ():
            _check_known(named.names, known, named.place, findings)
            if kind != "clusters" and len(set(named.names)) < 2:
                findings.error(named.place, f"{kind!r} is about one record; expected two or more; write [a, b]")
            if kind == "review" and len(named.names) > 2:
                findings.error(named.place, "a question is about two records; expected [a, b]; write each pair")
            if kind == "clusters":
                for name in sorted(seen.intersection(named.names)):
                    findings.error(named.place, f"{name!r} is in two clusters; expected it in one; remove it here")
                seen.update(named.names)
    for golden in case.golden:
        _check_known((golden.name,), known, golden.place, findings)
    if not case.expects:
        expected = "expected 'clusters', 'separate', 'review' or 'golden'; add one"
        findings.error(case.place, f"case {case.name!r} expects nothing; {expected}")
    if len(case.records) > CASE_RECORDS_MAX:
        said = f"case {case.name!r} has {len(case.records):,} records"
        findings.error(case.place, f"{said}; expected at most {CASE_RECORDS_MAX:,}; make it smaller, or use evaluate")


def _check_known(names: Collection[str], known: Collection[str], place: Place, findings: Findings) -> None:
    for name in names:
        if name not in known:
            said = f"the case has no record {name!r}{nearest(name, known)}"
            findings.error(place, f"{said}; expected {one_of(known) or 'records'}; correct the name")
        elif list(names).count(name) > 1:
            findings.error(place, f"{name!r} is named twice; remove one")


def _check_members(node: Node, known: tuple[str, ...], what: str, findings: Findings) -> None:
    for name, child in node.items.items():
        if name not in known:
            findings.error(
                child.place, f"unknown member {name!r} of {what}{nearest(name, known)}; expected {one_of(known)}"
            )


class _CaseReader:
    """Reads one case."""

    def __init__(self, name: str, node: Node, root: Node, findings: Findings) -> None:
        self._name = name
        self._node = node
        self._root = root
        self._findings = findings

    def read(self) -> RuleCase:
        node = self._node
        if not isinstance(node.content, dict):
            expected = "expected 'records' and what is expected of them"
            self._findings.error(node.place, f"case {self._name!r} is no mapping; {expected}")
        _check_members(node, CASE_MEMBERS, "a case", self._findings)
        rules = node.items.get("rules") or self._root.items.get("rules")
        review = node.items.get("review")
        case = RuleCase(
            self._name,
            node.place,
            None if rules is None else self._text(rules, "the path of a rule set, or a pack"),
            node.place if rules is None else rules.place,
            self._records(),
            tuple(self._lists("clusters")),
            tuple(self._lists("separate")),
            None if review is None else tuple(self._lists("review")),
            node.place if review is None else review.place,
            tuple(self._golden()),
        )
        check_references(case, self._findings)
        return case

    def _records(self) -> tuple[CaseRecord, ...]:
        node = self._node.items.get("records")
        if node is None or not node.items:
            expected = "expected 'records:' with 'source/id: {attribute: value}' each; add them"
            self._findings.error((node or self._node).place, f"case {self._name!r} has no records; {expected}")
            return ()
        return tuple(self._record(name, child) for name, child in node.items.items())

    def _record(self, name: str, node: Node) -> CaseRecord:
        if not isinstance(node.content, dict):
            self._findings.error(node.place, f"record {name!r} is no mapping; expected {{attribute: value}}; write one")
        fields = {column: Field(self._value(column, child), child.place) for column, child in node.items.items()}
        event_time = fields.pop(EVENT_TIME, None)
        return CaseRecord(name, node.place, fields, event_time)

    def _value(self, column: str, node: Node) -> Value:
        content = node.content
        if isinstance(content, tuple):
            items = [child.content for child in content]
            if all(not isinstance(item, dict | tuple) for item in items):
                return tuple(item for item in items if not isinstance(item, dict | tuple))
        elif not isinstance(content, dict):
            return content
        self._findings.error(node.place, f"{column!r} is no value; expected a text, a number or a list of them")
        return None

    def _lists(self, member: str) -> list[NamedRecords]:
        node = self._node.items.get(member)
        if node is None:
            return []
        if not isinstance(node.content, tuple):
            self._findings.error(node.place, f"{member!r} is no list of lists; write [[a, b], [c]]")
            return []
        return [self._names(member, child) for child in node.content]

    def _names(self, member: str, node: Node) -> NamedRecords:
        if not isinstance(node.content, tuple):
            self._findings.error(node.place, f"{member!r} holds something that is no list of records; write [[a, b]]")
            return NamedRecords((), node.place)
        names = [self._text(child, "the name of a record") for child in node.content]
        return NamedRecords(tuple(names), node.place)

    def _text(self, node: Node, expected: str) -> str:
        if isinstance(node.content, str | int) and not isinstance(node.content, bool):
            return str(node.content)
        self._findings.error(node.place, f"this is no text; expected {expected}; put it in quotes")
        return ""

    def _golden(self) -> list[GoldenExpectation]:
        node = self._node.items.get("golden")
        if node is None:
            return []
        if not node.items:
            self._findings.error(node.place, "'golden' is no mapping; write {record: {attribute: value}}")
        found = []
        for name, child in node.items.items():
            if not child.items:
                self._findings.error(
                    child.place, f"nothing is expected of the golden record of {name!r}; write {{attribute: value}}"
                )
            values = {
                attribute: expected_texts(self._value(attribute, each)) for attribute, each in child.items.items()
            }
            found.append(GoldenExpectation(name, values, child.place))
        return found


def expected_texts(value: Value) -> tuple[str, ...]:
    """Return an expected value as the texts that a golden record holds; none for null."""
    items: tuple[Scalar, ...] = value if isinstance(value, tuple) else (value,)
    return tuple(_text_of(item) for item in items if item is not None)


def _text_of(item: Scalar) -> str:
    if isinstance(item, bool):
        return "true" if item else "false"
    return f"{item:g}" if isinstance(item, float) else str(item)
