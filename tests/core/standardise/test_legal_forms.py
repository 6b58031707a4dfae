"""Promises about legal forms: what kind of entity a name says that it is of."""

from __future__ import annotations

import pytest

from mdm_stream.core.standardise import STANDARDISERS
from mdm_stream.core.standardise.organisations import is_legal_form
from mdm_stream.core.standardise.registry import split_text
from mdm_stream.core.standardise.text import table_rows


def kind_in(name: str) -> str | None:
    """The kind of the legal form that is found in a name."""
    form = split_text("organisation", {}, name).get("legal_form")
    return STANDARDISERS["legal_form"](form, {}).match if form else None


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Kesselbau Brandt GmbH", "company"),
        ("Kesselbau Brandt G.m.b.H. & Co. KG", "partnership"),
        ("Kesselbau Brandt GmbH & Co.", "partnership"),
        ("Kesselbau Brandt UG (haftungsbeschränkt) & Co. KG", "partnership"),
        ("Kesselbau Brandt KG", None),
        ("Brandt & Co.", None),
        ("Tafelhilfe Nord e. V.", "association"),
        ("Tafelhilfe Nord gGmbH", "company"),
        ("Volksbank Ulm eG", "cooperative"),
        ("Młyn Zator Sp. z o.o. Sp. k.", "partnership"),
        ("Młyn Zator spółka z ograniczoną odpowiedzialnością", "company"),
        ("ПАО Ромашка", "company"),
        ("Acme Ltd (Scotland)", "company"),
        ("Jansen Beheer B.V. h.o.d.n. De Bakkerij e.V.", "company"),
        ("Limited Run", None),
        ("EV Motors", None),
        ("SE", None),
        ("The SE Group", None),
    ],
)
def test_a_name_says_what_kind_of_entity_it_is_of(name, kind):
    """The longest form counts, at the end or where no name has it; a name that is one, or begins with one, has none."""
    assert kind_in(name) == kind


def test_every_form_of_the_table_has_its_kind_in_a_column_and_in_a_name():
    """A form alone is of its kind, and is so at the end of a name; the part of a name standardises to the same."""
    for kind, listed in table_rows("legal_form_kinds.csv"):
        for form in (each.strip() for each in listed.split(",")):
            assert STANDARDISERS["legal_form"](form, {}).match == kind, form
            assert kind_in(f"Brandtwerk {form}") == kind, form
            assert is_legal_form(form), form


def test_a_form_of_no_kind_is_kept_and_compared_with_nothing():
    """A word that is no known form is a golden value like any other, valid, and no evidence."""
    found = STANDARDISERS["legal_form"]("Einzelunternehmen", {})
    assert (found.value, found.match, found.valid) == ("Einzelunternehmen", None, True)
    assert not is_legal_form("Kesselbau Brandt GmbH")
