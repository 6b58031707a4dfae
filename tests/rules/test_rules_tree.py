"""Reading YAML into values that remember their lines."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm_stream.errors import RulesError
from mdm_stream.rules.tree import DEPTH_MAX, FILE_BYTES_MAX, parse_tree, plain, read_tree


def _plain(text):
    return plain(parse_tree(text, "f.yaml"))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("no", "no"),
        ("on", "on"),
        ("NO", "NO"),
        ("Yes", "Yes"),
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("7", 7),
        ("-3", -3),
        ("007", "007"),
        ("1_000", "1_000"),
        ("0x1F", "0x1F"),
        ("12:30", "12:30"),
        ("2026-01-01", "2026-01-01"),
        ("0.5", 0.5),
        (".5", 0.5),
        ("1e-5", 1e-5),
        ("e5", "e5"),
        (".", "."),
        (".inf", ".inf"),
        ("'7'", "7"),
        ('"null"', "null"),
        ("9" * 30, "9" * 30),
        ("[1, a]", (1, "a")),
        ("{}", {}),
    ],
)
def test_words_stay_text_and_only_plain_numbers_are_numbers(written, read):
    """A word that other YAML readers turn into something else stays what the author wrote."""
    value = _plain(f"key: {written}")["key"]
    assert value == read
    assert type(value) is type(read)


def test_keys_are_text_as_written():
    """A key that looks like null, a boolean or a number is still a name."""
    assert list(_plain("{null: 1, on: 2, 1: 3, true: 4}")) == ["null", "on", "1", "true"]


def test_every_value_knows_its_line():
    """The line of a value in a mapping is the line of its key."""
    tree = parse_tree("a:\n  b:\n    - 1\n    - c: 2\n", "f.yaml")
    assert tree.at(("a", "b")).place.line == 2
    assert tree.at(("a", "b", 1, "c")).place.line == 4
    assert tree.at(("a", "missing")).place.line == 1


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "given twice, first in line 1"),
        ("a: &x [1]\nb: *x\n", 1, "anchors and aliases"),
        ("a: 1\nb: *x\n", 2, "anchors and aliases"),
        ("a: !!python/object/apply:os.system [ls]\n", 1, "tags are not allowed"),
        ("a: 1\nb:\n", 2, "has no value"),
        ("a: 1\n---\nb: 2\n", 2, "second YAML document"),
        ("- a\n- b\n", 1, "not a mapping"),
        ("just words\n", 1, "not a mapping"),
        ("a: [1, 2\n", 2, "not valid YAML"),
        ("a:\n\tb: 1\n", 2, "spaces, not tabs"),
        ("? [a, b]\n: 1\n", 1, "a key is not plain text"),
        ("a: " + "[" * (DEPTH_MAX + 2) + "]" * (DEPTH_MAX + 2), 1, "levels deep"),
        ("a: " + "[" * 100_000, 1, "levels deep"),
    ],
)
def test_a_refused_text_names_file_and_line(text, line, says):
    """What is not a plain mapping is refused in one sentence that says where."""
    with pytest.raises(RulesError) as caught:
        parse_tree(text, "f.yaml")
    assert str(caught.value).startswith(f"f.yaml:{line}: ")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_aliases_that_would_expand_without_end_are_refused_at_the_first():
    """The well-known alias bomb costs nothing."""
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    with pytest.raises(RulesError, match="anchors and aliases"):
        parse_tree(bomb, "f.yaml")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no rule set"),
        (b"# only a comment\n", "no rule set"),
        (b"a: 1\n\xff\xfe\n", "not UTF-8"),
        (b"\x7fELF\x02\x01\x01\x00\x00", "control character"),
        (b"a: 1\n" * (FILE_BYTES_MAX // 5 + 1), "bytes"),
    ],
)
def test_a_file_that_is_no_rule_set_is_refused_in_one_sentence(tmp_path, content, says):
    """Empty, binary, wrongly encoded and huge files are told apart."""
    path = tmp_path / "rules.yaml"
    path.write_bytes(content)
    with pytest.raises(RulesError) as caught:
        read_tree(path, "rules.yaml")
    assert str(caught.value).startswith("rules.yaml")
    assert says in str(caught.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    """A path that names no regular file is an error of the rules, not of the program."""
    for path, says in ((tmp_path / "none.yaml", "no such file"), (tmp_path, "not a regular file")):
        with pytest.raises(RulesError, match=says):
            read_tree(path, str(path))


def test_a_byte_order_mark_is_skipped(tmp_path):
    """Editors that write one do no harm."""
    path = tmp_path / "rules.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert plain(read_tree(path, "rules.yaml")) == {"a": 1}


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text):
    """No text makes the reader fail in another way than RulesError."""
    try:
        assert isinstance(_plain(text), dict)
    except RulesError as error:
        assert str(error).startswith("f.yaml")  # noqa: PT017


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.text("abc01 :#-'\"\\\n", max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc no", min_size=1, max_size=4), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text("abcxyz", min_size=1, max_size=4), _VALUES, min_size=1))
def test_json_reads_as_itself(value):
    """JSON is YAML: whatever a program writes as JSON is read as the same values."""

    def tuples(item):
        if isinstance(item, dict):
            return {key: tuples(child) for key, child in item.items()}
        return tuple(map(tuples, item)) if isinstance(item, list) else item

    assert _plain(json.dumps(value)) == tuples(value)
