"""Deliberate changes of our own documents: those that break are caught, those that are safe pass."""

from __future__ import annotations

import pytest
from deliberate_changes import BREAKING, SAFE

from mdm_stream.contracts.compatibility import compare_documents
from mdm_stream.contracts.packaged import packaged_documents

DOCUMENTS = packaged_documents()


def test_documents_are_compatible_with_themselves():
    """Where nothing changed nothing is found."""
    assert compare_documents(DOCUMENTS, packaged_documents()) == []


@pytest.mark.parametrize("change", BREAKING, ids=lambda change: change.name)
def test_a_breaking_change_is_caught(change):
    """It is told whom the change breaks, where, and how."""
    findings = compare_documents(DOCUMENTS, change.applied(DOCUMENTS))
    broken = [each for each in findings if each.verdict == change.breaks]
    assert any(change.said in f"{each.where} {each.what} {each.why}" for each in broken), findings
    assert all(each.verdict == change.breaks for each in findings if each.breaks)


@pytest.mark.parametrize("change", SAFE, ids=lambda change: change.name)
def test_a_safe_change_passes(change):
    """Nothing breaks, and what a reader can notice is listed."""
    findings = compare_documents(DOCUMENTS, change.applied(DOCUMENTS))
    assert [each for each in findings if each.breaks] == []
    assert any(change.said in each.what for each in findings) if change.said else findings == []


@pytest.mark.parametrize("change", BREAKING, ids=lambda change: change.name)
def test_a_change_back_is_a_change(change):
    """What was taken away or added is seen in the other direction too; it may be safe there."""
    assert compare_documents(change.applied(DOCUMENTS), DOCUMENTS)
