"""Promises about widths on a page: no word is broken in the middle, and no chart is drawn over its labels."""

from __future__ import annotations

import re

from mdm_stream.profile.columns.page import bars
from mdm_stream.profile.columns.report import masked, masked_reference
from mdm_stream.steward.markup import page


def test_a_bar_begins_beyond_its_label():
    """The longest label of a chart, wide scripts and capitals included, ends before the bars begin."""
    for label in ("unordered(first(given_name, 1), first(family_name, 1))", "W" * 40, "東京都千代田区" * 6, ""):
        drawn = bars([("a", 1.0, "1"), (label, 0.5, "2")])
        begins = {float(x) for x in re.findall(r'<rect class="rest" x="([0-9.]+)"', drawn)}
        shown = re.findall(r'<text x="0" y="30">([^<]*)</text>', drawn)[0]
        assert len(begins) == 1
        assert begins.pop() >= 6.6 * len(shown)


def test_a_column_is_as_wide_as_its_words():
    """The style of a page lets no column become narrower than a word in it: `anywhere` would."""
    assert "overflow-wrap:break-word" in page("title", [])
    assert "overflow-wrap:anywhere" not in page("title", [])


def test_a_masked_reference_names_its_source():
    """Of a record's reference the source is shown, and of the id its first character: ids can be personal, too."""
    assert masked_reference("crm/maria@example.com") == "crm/m… (17 characters)"
    assert masked("f") == "f… (1 character)"
