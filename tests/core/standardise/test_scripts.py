"""Writing systems: what is romanised, what is read in Latin letters for a comparison, and what cannot be compared."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm_stream.core.blocking.functions import KEY_FUNCTIONS
from mdm_stream.core.standardise import STANDARDISERS, fold, is_other_script, readings, romanised_similarity
from mdm_stream.core.standardise.scripts import in_latin, scripts_of

SPELT = st.text(st.sampled_from("абвгдежзийклмнопрстуфхцчшщъыьэюяαβγδεζηθικλμνξοπρστυφχψωაბგդեたなカ "), max_size=12)
MIXED = st.text(st.sampled_from("abz éй王明김민محدराशខវ1-' "), max_size=10)

ONE_NAME = [
    ("محمد", "mohammed"),
    ("محمد", "muhammad"),
    ("السعيد", "alsaeed"),
    ("小明", "xiaoming"),
    ("欧阳", "ouyang"),
    ("김", "kim"),
    ("이", "lee"),
    ("민수", "min su"),
    ("राहुल", "rahul"),
    ("शर्मा", "sharma"),
    ("វណ្ណា", "vanna"),
    ("សុខ", "sok"),
]
TWO_NAMES = [("فاطمة", "mohammed"), ("建国", "xiaoming"), ("김", "park"), ("वर्मा", "sharma"), ("田中", "tanaka")]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("Щербакова", "shcherbakova"),
        ("Наталья", "natalya"),
        ("Γιώργος Μπουμπούλης", "giorgos boumpoulis"),
        ("ΓΙΏΡΓΟΣ", "giorgos"),
        ("Արամ", "aram"),
        ("გიორგი", "giorgi"),
        ("たなか たろう", "tanaka taro"),
        ("タナカ", "tanaka"),
        ("王小明", "王小明"),
        ("김민수", "김민수"),
    ],
)
def test_letters_that_spell_every_sound_are_romanised(text: str, match: str) -> None:
    """Alphabets and kana become Latin letters; characters and Hangul stay, since their sound is not their name."""
    assert STANDARDISERS["name"](text, {}).match == match


@given(SPELT)
def test_what_is_romanised_is_so_for_good(text: str) -> None:
    """Romanising leaves Latin letters alone, and nothing to romanise."""
    once = in_latin(fold(text))
    assert in_latin(once) == once
    assert scripts_of(once) <= {"LATIN"}


@pytest.mark.parametrize(("native", "latin"), ONE_NAME)
def test_a_name_agrees_with_its_reading(native: str, latin: str) -> None:
    """A name that leaves out vowels, or has a usual spelling of its own, is alike once both are read in Latin."""
    assert is_other_script(native, latin)
    assert romanised_similarity(native, latin) >= 0.9


@pytest.mark.parametrize(("native", "latin"), TWO_NAMES)
def test_another_name_does_not_agree(native: str, latin: str) -> None:
    """Names of other consonants or readings are not alike."""
    assert romanised_similarity(native, latin) < 0.9


@given(MIXED, MIXED)
def test_readings_say_nothing_within_one_script(a: str, b: str) -> None:
    """Symmetric, a share, and 0 wherever the two have a script in common: there the texts themselves are compared."""
    assert romanised_similarity(a, b) == romanised_similarity(b, a)
    assert 0.0 <= romanised_similarity(a, b) <= 1.0
    assert is_other_script(a, b) == is_other_script(b, a)
    if not is_other_script(a, b):
        assert romanised_similarity(a, b) == 0.0
    assert not is_other_script(a, a)


@given(st.text(max_size=10))
def test_any_text_has_readings(text: str) -> None:
    """Readings are lower-case letters and digits of ASCII, and there is always one."""
    assert all(reading.isascii() and reading == reading.lower() for reading in readings(text))
    assert readings(text)


def test_characters_of_one_sound_are_not_one_name() -> None:
    """Names in one script are never compared by their sound."""
    assert romanised_similarity("小明", "晓铭") == 0.0


@pytest.mark.parametrize("function", ["first", "metaphone", "soundex", "initials"])
@pytest.mark.parametrize(("native", "latin"), [("小明", "xiaoming"), ("김", "kim"), ("राहुल", "rahul")])
def test_a_name_meets_itself_in_a_key(function: str, native: str, latin: str) -> None:
    """Keys of starts and sounds are made from the reading, so that two scripts share them."""
    key = KEY_FUNCTIONS[function].apply
    assert key(native, 1) == key(latin, 1)
