"""Nicknames and their roots."""

from hypothesis import given
from hypothesis import strategies as st

from mdm_stream.core.standardise import STANDARDISERS, nickname_root
from mdm_stream.core.standardise.text import table_rows

ROWS = [(root, nicknames.split()) for root, nicknames in table_rows("nicknames.csv")]


def test_nicknames_meet_at_their_root():
    """Forms of a name that people use for one another share a root; different names do not."""
    for forms in (
        ["william", "will", "bill", "billy"],
        ["robert", "bob", "rob"],
        ["elizabeth", "liz", "beth", "betty"],
    ):
        assert len({nickname_root(form) for form in forms}) == 1
    assert nickname_root("alexander") != nickname_root("alexandra")
    assert nickname_root("mary") != nickname_root("margaret")
    assert nickname_root("billy wayne") == "william wayne"


def test_the_table_is_consistent():
    """The table has more than 300 names; each nickname stands in one row, and none is a root: look-up is idempotent."""
    roots = {root for root, _ in ROWS}
    nicknames = [nickname for _, listed in ROWS for nickname in listed]
    assert len(roots) == len(ROWS) > 300
    assert len(nicknames) == len(set(nicknames))
    assert not roots & set(nicknames)
    for word in [*roots, *nicknames]:
        assert STANDARDISERS["name"](word, {}).match == word


@given(st.text(max_size=20))
def test_any_text_has_a_root(text):
    """A text without a nickname is its own root, and a root's root is itself."""
    assert nickname_root(nickname_root(text)) == nickname_root(text)
