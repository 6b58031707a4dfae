"""What columns mean, in several languages, with names that are known and without."""

from __future__ import annotations

import pytest
from column_counts import counts_of
from hypothesis import given
from hypothesis import strategies as st
from language_samples import (
    FRENCH,
    GERMAN,
    GERMAN_MAKE,
    ITALIAN,
    POLISH,
    POLISH_MAKE,
    RUSSIAN,
    RUSSIAN_MAKE,
    SPANISH,
    SPANISH_MAKE,
    TURKISH,
    TURKISH_MAKE,
    organisations,
    persons,
    products,
)

from mdm_stream.profile.columns.meanings import family_first_share, meanings_of
from mdm_stream.profile.columns.second_columns import SINGLE

PERSON_FILES = {
    "de": (GERMAN, GERMAN_MAKE), "es": (SPANISH, SPANISH_MAKE), "ru": (RUSSIAN, RUSSIAN_MAKE),
    "tr": (TURKISH, TURKISH_MAKE), "pl": (POLISH, POLISH_MAKE),
}  # fmt: skip
MEANT = {
    "id": "key", "given": "given_name", "family": "family_name", "full": "full_name", "family_first": "full_name",
    "born": "birth_date", "slashed": "birth_date", "iso": "birth_date", "sex": "gender", "street": "street",
    "line": "street",
    "house": "street_number", "code": "postcode", "city": "city", "phone": "phone", "mail": "email",
    "changed": "changed_at",
}  # fmt: skip


def meant(sample, names=None):
    """The meaning of each column of a sample, under its own names or others."""
    columns = [counts_of(name, cells) for name, cells in sample.columns().items()]
    if names is not None:
        columns = [counts_of(new, cells) for new, cells in zip(names, sample.columns().values(), strict=True)]
    return [each.meaning for each in meanings_of(columns)]


@pytest.mark.parametrize("language", PERSON_FILES)
def test_columns_of_persons_are_known_in_their_language(language):
    """Each column of a file of persons means what its authors call it."""
    header, make = PERSON_FILES[language]
    assert meant(persons(language, header, make)) == [MEANT[each] for each in make.split()]


def test_columns_of_companies_and_articles_are_known():
    """French companies and Italian articles are told by legal forms, register numbers, check digits and names."""
    assert meant(organisations(FRENCH)) == [
        "key", "organisation", "registration_no", "street", "postcode", "city", "phone", "url",
    ]  # fmt: skip
    assert meant(products(ITALIAN)) == ["key", "title", "brand", "gtin", "price"]


def test_a_column_of_legal_forms_is_no_column_of_names():
    """Legal forms are known by their values, whatever the column is called and however many there are."""
    for called in ("Rechtsform", "c7"):
        found = meanings_of(
            [
                counts_of("Firma", ["Brandt Kessel", "Ulmer Mühle", "Nordtafel", "Isarbau", "Huber"] * 2),
                counts_of(called, ["GmbH", "GmbH & Co. KG", "e.V.", "AG", "e.K.", "OHG", "Ltd", "S.p.A.", "KG", "eG"]),
            ]
        )
        assert found[1].meaning == "legal_form", called


@pytest.mark.parametrize("language", PERSON_FILES)
def test_values_decide_where_names_say_nothing(language):
    """Under names that mean nothing, emails are known, and so are dates of birth and street lines with a number."""
    header, make = PERSON_FILES[language]
    found = meant(persons(language, header, make), [f"c{place}" for place in range(len(header))])
    for part, meaning in zip(make.split(), found, strict=True):
        if part == "mail":
            assert meaning == "email"
        if part in ("born", "slashed", "iso"):
            assert meaning == "birth_date"
        if part == "line":
            assert meaning == "street"


def test_a_name_does_not_make_values_what_they_are_not():
    """A column that is called a birth date and holds words is none, and that is said; emails under a wrong name are."""
    columns = [
        counts_of("geburtsdatum", [f"wort{n}" for n in range(50)]),
        counts_of("telefon", [f"a{n}@firma.example" for n in range(50)]),
    ]
    first, second = meanings_of(columns)
    assert first.meaning != "birth_date"
    assert any("birth date" in said for said in first.doubts)
    assert second.meaning == "email"


def test_a_column_called_name_is_told_by_its_values_and_its_neighbours():
    """Legal forms make it an organisation, given names a person, articles beside it a product."""
    firms = [f"Korrigan{n} SARL" for n in range(40)]
    families = ["Abendroth", "Birkenfeld", "Dornbusch", "Eulenberg", "Fichtner"]
    people = [f"{given} {family}" for given in ("Anna", "Peter", "Olga", "Maria") for family in families]
    things = [f"Lampe Modell {n} mit Schirm" for n in range(40)]
    prices = counts_of("Preis", [f"{n},90" for n in range(40)])
    brands = counts_of("Marke", ["Brontel", "Cavazza"] * 20)
    assert meanings_of([counts_of("name", firms)])[0].meaning == "organisation"
    assert meanings_of([counts_of("name", people)])[0].meaning == "full_name"
    assert meanings_of([counts_of("name", things), prices, brands])[0].meaning == "title"


def test_a_second_column_of_one_meaning_is_kept_and_said():
    """Of two columns of birth dates one is taken, the other is no birth date and says so."""
    days = [f"19{n % 70 + 30}-0{n % 9 + 1}-1{n % 9}" for n in range(60)]
    found = meanings_of([counts_of("dob", days), counts_of("birth_date", [*days[:30], *[""] * 30])])
    assert [each.meaning for each in found] == ["birth_date", "other"]
    assert "second birth date" in found[1].doubts[0]


@given(st.lists(st.lists(st.text(max_size=12), min_size=3, max_size=8), min_size=1, max_size=5), st.data())
def test_any_columns_have_meanings(cells, data):
    """Whatever a file holds, each column has one meaning, and no two share one that is single; always the same."""
    rows = min(map(len, cells))
    names = data.draw(st.lists(st.text(max_size=12), min_size=len(cells), max_size=len(cells)))
    columns = [counts_of(name, column[:rows]) for name, column in zip(names, cells, strict=True)]
    found = meanings_of(columns)
    assert [each.name for each in found] == names
    single = [each.meaning for each in found if each.meaning in SINGLE]
    assert len(single) == len(set(single))
    assert found == meanings_of(columns)


def test_the_order_of_whole_names_is_told_by_known_given_names():
    """Names with the family name first have a given name last; a comma says its order itself."""
    assert family_first_share(["Kestenholz Anna", "Ершов Сергей", "Kestenholz, Anna"]) == (2, 0)
    assert family_first_share(["Anna Kestenholz"]) == (0, 1)


def test_amounts_are_no_keys():
    """Amounts that differ in each row under an unknown name are numbers; whole numbers may identify the row."""
    amounts, numbers = [f"{n * 7}.50" for n in range(100, 180)], [str(n * 7) for n in range(100, 180)]
    assert [each.meaning for each in meanings_of([counts_of("zzz", amounts), counts_of("qqq", numbers)])] == [
        "number",
        "key",
    ]


def test_a_name_with_two_meanings_leaves_no_doubt_about_the_other():
    """A column *title* of works is their title: that it holds no titles of persons is no news."""
    works = [f"{first} of {last}" for first in ("History", "Theory", "Letters") for last in ("Music", "Rome", "Light")]
    (found,) = meanings_of([counts_of("title", works * 3)])
    assert (found.meaning, found.doubts) == ("title", ())


WHOLE = [
    f"{given} {family}" for given in ("Leila", "Karim", "Nadia", "Said") for family in ("Haddad", "Benali", "Tahiri")
]
ARABIC = [f"{given} {family}" for given in ("ليلى", "كريم", "نادية", "سعيد") for family in ("حداد", "بنعلي", "طاهري")]
KANA = {"フリガナ": ["タナカ タロウ", "サトウ ハナコ"] * 6}
SPLIT_KANA = {"セイ": ["タナカ", "サトウ"] * 6, "メイ": ["タロウ", "ハナコ"] * 6}
OTHER_NAMES = [
    ({"nom complet": WHOLE, "الاسم الكامل": ARABIC}, {"full_name", "other_name"}),
    ({"氏名": ["田中 太郎", "佐藤 花子"] * 6, **KANA}, {"full_name", "other_name"}),
    (KANA, {"full_name"}),
    ({"Name": WHOLE, "alias": WHOLE[::-1]}, {"full_name", "other_name"}),
    ({"Vorname": ["Anna", "Olga"] * 6, "Nachname": ["Berg", "Dorn"] * 6, "Geburtsname": ["Kern", ""] * 6},
     {"given_name", "family_name", "other_family_name"}),
    ({"prénom": ["Anne", "Odile"] * 6, "nom de naissance": ["Berger", "Dornier"] * 6}, {"given_name", "family_name"}),
    ({"prénom": ["Anne", "Odile"] * 6, "nom": ["Kern", "Roux"] * 6, "nom de naissance": ["Berger", "Dornier"] * 6},
     {"given_name", "family_name", "other_family_name"}),
    ({"姓": ["田中", "佐藤"] * 6, "名": ["太郎", "花子"] * 6, **SPLIT_KANA},
     {"given_name", "family_name", "other_given_name", "other_family_name"}),
]  # fmt: skip


@pytest.mark.parametrize(("columns", "meanings"), OTHER_NAMES)
def test_other_names_of_a_person_are_told_from_the_name(columns, meanings):
    """Names in another script, aliases and names at birth are other names of one person; alone, they are the name."""
    found = meanings_of([counts_of(name, cells) for name, cells in columns.items()])
    assert {each.meaning for each in found} == meanings


def test_names_of_another_person_are_no_other_names():
    """A contact's name in the same script beside the name may be anyone's: it is kept, and not compared."""
    found = meanings_of([counts_of("full name", WHOLE), counts_of("contact name", WHOLE[::-1])])
    assert sorted(each.meaning for each in found) == ["full_name", "other"]


def test_documents_and_generations_of_persons_are_known():
    """Passports and driving licences are no national numbers, nor who issued them; *Jr* and *III* are a generation."""
    columns = {
        "passport_no": ("Passport number", "Reisepass-Nr.", "numéro de passeport", "паспорт", "护照号码"),
        "licence_no": ("Driver's License", "Führerscheinnummer", "permis de conduire", "CNH", "운전면허번호"),
    }
    numbers = [f"{letter}{number}" for number, letter in zip(range(2034507, 2034523), "CFGHJKLMNPRTVWXY", strict=True)]
    for meaning, names in columns.items():
        for name in names:
            assert meanings_of([counts_of(name, numbers)])[0].meaning == meaning, name
    found = meanings_of(
        [
            counts_of("issuing country", ["DE", "France", "US", "PL"] * 4),
            counts_of("license state", ["CA", "NV", "NY", "TX"] * 4),
            counts_of("suffix", ["Jr.", "Sr", "III", "II"] * 4),
            counts_of("name suffix", ["PhD", "MD", "Esq.", "CPA"] * 4),
        ]
    )
    assert [each.meaning for each in found[:3]] == ["passport_country", "licence_issuer", "generation"]
    assert found[3].meaning != "generation"


def test_the_name_that_a_company_trades_under_is_no_rival_of_its_legal_name():
    """Beside the legal name it is another name of the company, however complete each is; alone it is the name."""
    legal = ["Brewster Holdings Ltd", "Tidewater Legal LLP", "Panificio Verdi srl", "Brandt GmbH"] * 4
    traded = ["The Corner Larder", "Tidewater", "Il Forno", "Brandt Kessel"] * 4
    for called, own in (("trading name", "legal name"), ("Nombre comercial", "Razón social"), ("屋号", "会社名")):
        found = meanings_of([counts_of(called, traded), counts_of(own, [*legal[:8], *[""] * 8])])
        assert [each.meaning for each in found] == ["trading_name", "organisation"], called
    alone = meanings_of([counts_of("dba", traded), counts_of("city", ["Leeds", "York"] * 8)])
    assert alone[0].meaning == "organisation"
