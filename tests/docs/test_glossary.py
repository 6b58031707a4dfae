"""The glossary has one entry for one word."""

from __future__ import annotations

import re
from collections import Counter

from source_tree import ROOT

ENTRY = re.compile(r"^(\*\*[^*]+\*\*(?: \([^)]*\))?)", re.MULTILINE)


def test_a_word_stands_once():
    """Two meanings of a word say in brackets what they are of."""
    found = Counter(ENTRY.findall((ROOT / "GLOSSARY.md").read_text("utf-8")))
    assert len(found) > 100
    assert [entry for entry, times in found.items() if times > 1] == []
