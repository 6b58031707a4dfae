"""Personal values that nothing else has, in every form in which they may be written, and the search for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from written_forms import forms_of

GIVEN, FAMILY = "Zwöbelkästling", "Quarxenbühl"
BORN, EMAIL, PHONE = "1903-07-29", "Zwoebel.Quarx+Post@Kanarien-Post.example", "+49 (30) 9081-7263"
STREET, NUMBER = "Kuckucksnestgäßchen 17", "ZQX-730-914-QX"

SPELLINGS: Mapping[str, Sequence[str]] = {
    "given_name": (GIVEN, "Zwobelkastling", "Zwoebelkaestling"),
    "family_name": (FAMILY, "Quarxenbuhl", "Quarxenbuehl"),
    "birth_date": (BORN, "19030729", "29.07.1903", "07/29/1903", "29/07/1903"),
    "email": (EMAIL, "zwoebel.quarx@kanarien", "zwoebel.quarx", "zwoebelquarx", "kanarien-post.example"),
    "phone": (PHONE, "493090817263", "3090817263", "9081-7263", "90817263"),
    "street": (STREET, "Kuckucksnestgasschen", "Kuckucksnestgaesschen", "Kuckucksnestgässchen"),
    "national_id": (NUMBER, "zqx730914qx", "ZQX 730 914 QX"),
}
"""Each value as it is sent, and what standardisers, stripping and transliteration make of it."""

ATTRIBUTES = {name: spellings[0] for name, spellings in SPELLINGS.items()} | {"city": "Ulm"}
"""A person's attributes; the city is nobody's."""

FORMS: Mapping[str, frozenset[bytes]] = {
    name: frozenset(form for spelling in spellings for form in forms_of(spelling))
    for name, spellings in SPELLINGS.items()
}
_AROUND_BYTES = 90


@dataclass(frozen=True, slots=True)
class Find:
    """A value where none may be: which, by which path it came, where it was, and what stands around it."""

    value: str
    path: str
    place: str
    around: str

    def __str__(self) -> str:
        """Return it as a line."""
        return f"{self.value} in {self.place}, by {self.path}: {self.around}"


@dataclass(slots=True)
class Search:
    """Looks through what was written, piece by piece, and counts it."""

    finds: list[Find] = field(default_factory=list)
    bytes_by_place: dict[str, int] = field(default_factory=dict)

    def look(self, place: str, path: str, written: bytes) -> None:
        """Look through what was written at a place while a path was gone; a value is noted once a piece."""
        self.bytes_by_place[place] = self.bytes_by_place.get(place, 0) + len(written)
        for value, form in values_in(written).items():
            at = written.find(form)
            around = written[max(0, at - _AROUND_BYTES) : at + len(form) + _AROUND_BYTES]
            self.finds.append(Find(value, path, place, around.decode("utf-8", "replace")))


def values_in(written: bytes) -> dict[str, bytes]:
    """Return the values that are in bytes, each with one of the forms in which it is there."""
    found = {name: next((form for form in forms if form in written), None) for name, forms in FORMS.items()}
    return {name: form for name, form in found.items() if form is not None}
