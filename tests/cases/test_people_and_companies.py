"""People and companies as they are: what the packs promise of names, homes, addresses, numbers and registers."""

from __future__ import annotations

from pathlib import Path

import pytest
from promised_cases import broken_promises, read_case, rules_of

FOLDER = Path(__file__).with_name("people_and_companies")
FILES = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_the_pack_keeps_its_promise(path: Path) -> None:
    """The records of a case are joined and parted as its promise says, under the pack that it names."""
    case = read_case(path)
    assert broken_promises(case) == [], case.promise


def test_each_of_fifty_promises_has_its_counter_case() -> None:
    """Every case joins some records and parts others, knows its attributes, and promises what no other does."""
    cases = [read_case(path) for path in FILES]
    assert len(cases) >= 50
    assert all(case.together and case.apart for case in cases)
    assert len({case.promise for case in cases}) == len(cases)
    for case in cases:
        known = {attribute.name for attribute in rules_of(case.rules).attributes}
        assert not {name for values in case.records.values() for name in values} - known, case.promise
