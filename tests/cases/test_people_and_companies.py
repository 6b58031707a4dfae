"""People and companies as they are: what the packs promise of names, homes, addresses, numbers and registers.

The cases are files of ``mdm-stream rules test``, which runs them by itself, too.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from mdm_stream.assess.case_model import RuleCase
from mdm_stream.assess.case_run import read_cases, run_cases

CASES = read_cases([Path(__file__).with_name("people_and_companies")])


def counters(case: RuleCase) -> bool:
    """Return whether a case says where its promise ends: records that are joined, and others that are not."""
    joined = any(len(named.names) > 1 for named in case.clusters)
    parted = bool(case.separate) or len(case.clusters) > 1
    return (joined and parted) or (bool(case.golden) and len(case.records) > 1)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_pack_keeps_its_promise(case: RuleCase) -> None:
    """The records of a case are joined and parted as its promise says, under the pack that it names."""
    (outcome,) = run_cases([case])
    assert [f"{check.kind}: {check.expected}, not {check.actual}" for check in outcome.failed] == []


def test_each_of_fifty_promises_has_its_counter_case() -> None:
    """Every case joins some records and parts others, and promises what no other does."""
    assert len(CASES) >= 50
    assert [case.name for case in CASES if not counters(case)] == []
    assert len({case.name for case in CASES}) == len(CASES)
