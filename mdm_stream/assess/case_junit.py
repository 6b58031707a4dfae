"""Outcomes of cases as a JUnit report, which CI systems show: a suite a file, a test case a case."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from mdm_stream.assess.case_run import CaseCheck, CaseOutcome

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 (section 2.2) has no character for."""


def junit_report(outcomes: Sequence[CaseOutcome]) -> bytes:
    """Return the report as XML in UTF-8. It has no times: the same outcomes give the same bytes."""
    failures = sum(1 for outcome in outcomes if outcome.failed)
    root = ET.Element("testsuites", name="rules test", tests=str(len(outcomes)), failures=str(failures), errors="0")
    by_file: dict[str, list[CaseOutcome]] = {}
    for outcome in outcomes:
        by_file.setdefault(outcome.case.place.file, []).append(outcome)
    for file, own in by_file.items():
        failed = str(sum(1 for outcome in own if outcome.failed))
        suite = ET.SubElement(root, "testsuite", name=_text(file), tests=str(len(own)), failures=failed, errors="0")
        for outcome in own:
            case = ET.SubElement(
                suite, "testcase", classname=_text(file), name=_text(outcome.case.name),
                file=_text(file), line=str(outcome.case.place.line),
            )  # fmt: skip
            if outcome.failed:
                first = _summary(outcome.failed[0])
                failure = ET.SubElement(case, "failure", type=outcome.failed[0].kind, message=_text(first))
                failure.text = _text("\n".join(line for check in outcome.failed for line in failure_lines(check)))
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def failure_lines(check: CaseCheck) -> list[str]:
    """Return what is said of an expectation that was not met: where, expected, actual, and why."""
    return [
        f"{check.place}: {_about(check)}",
        f"  expected: {check.expected}",
        f"  actual:   {check.actual}",
        *(f"  {reason}" for reason in check.reasons),
    ]


def _about(check: CaseCheck) -> str:
    return f"{check.kind} {check.about}".rstrip()


def _summary(check: CaseCheck) -> str:
    return f"{_about(check)}: expected {check.expected}, but is {check.actual}"


def _text(text: str) -> str:
    return _NOT_IN_XML.sub("\ufffd", text)
