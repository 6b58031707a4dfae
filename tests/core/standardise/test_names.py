"""Names of people: order, particles, titles, patronymics, generations, characters."""

import pytest

from mdm_stream.core.standardise import STANDARDISERS
from mdm_stream.core.standardise.generations import generation_in
from mdm_stream.core.standardise.registry import freeze_options, split_text


def parts(text: str, **options: str) -> dict[str, str]:
    """Return the parts of a whole name."""
    return dict(split_text("full_name", freeze_options("full_name", options), text))


@pytest.mark.parametrize(
    ("text", "given", "middle", "family"),
    [
        ("Princess Hollis", "Princess", "", "Hollis"),
        ("Duke Hollis", "Duke", "", "Hollis"),
        ("Princess Anna Hollis", "Anna", "", "Hollis"),
        ("Dr. Miriam Osei", "Miriam", "", "Osei"),
        ("Etje Heijdanus-De Boer", "Etje", "", "Heijdanus-De Boer"),
        ("Berg, Joris van der", "Joris", "", "van der Berg"),
        ("NAGY István", "István", "", "NAGY"),
        ("Jean DUPONT", "Jean", "", "DUPONT"),
        ("JRR Tolkien", "JRR", "", "Tolkien"),
        ("Жуков Илья Кузьмич", "Илья", "Кузьмич", "Жуков"),
        ("Sokolov Egor Petrovich", "Egor", "Petrovich", "Sokolov"),
        ("Egor Petrovich Sokolov", "Egor", "Petrovich", "Sokolov"),
        ("Tomé Barreiros Filho", "Tomé", "", "Barreiros Filho"),
        ("王小明", "小明", "", "王"),
        ("欧阳娜娜", "娜娜", "", "欧阳"),
        ("田中太郎", "太郎", "", "田中"),
        ("高橋健", "健", "", "高橋"),
        ("김민수", "민수", "", "김"),
    ],
)
def test_parts_of_a_whole_name(text: str, given: str, middle: str, family: str) -> None:
    """Each word of a name is the part that its bearer would say it is."""
    found = parts(text)
    assert (found.get("given", ""), found.get("middle", ""), found.get("family", "")) == (given, middle, family)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Walter Dunmore Sr.", "1"),
        ("Walter Dunmore, Jr.", "2"),
        ("Dunmore II, Walter", "2"),
        ("Harlan Whitcombe III", "3"),
        ("Tomé Barreiros Neto", "3"),
        ("Hans Müller d.J.", "2"),
        ("Hans Müller d. Ä.", "1"),
    ],
)
def test_the_generation_of_a_name(text: str, number: str) -> None:
    """Words and numerals after a name say its generation, in several languages."""
    assert STANDARDISERS["generation"](parts(text)["generation"], {}).match == number


@pytest.mark.parametrize("text", ["Sr. García", "Junior Silva", "Senior", "Walter Dunmore", "Min Jun", "d. J. Smith"])
def test_names_without_a_generation(text: str) -> None:
    """A title before a name, a given name and a family name that look like one say none."""
    assert generation_in(text) == ""
