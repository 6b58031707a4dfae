"""What names of columns say, in many languages and ways of writing them."""

# ruff: noqa: RUF001 - values in the scripts that they are written in

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm_stream.profile.columns.column_words import meanings_of_name
from mdm_stream.profile.columns.meaning_types import TYPE_OF_MEANING
from mdm_stream.profile.columns.meanings import _FITS
from mdm_stream.profile.columns.word_tables import table_rows

NAMES = {
    "birth_date": [
        "dob", "DateOfBirth", "Geburtsdatum", "date_de_naissance", "fecha nacimiento", "dt_nascimento",
        "data di nascita", "geboortedatum", "födelsedatum", "syntymäaika", "data_urodzenia", "datum narození",
        "дата рождения", "дата народження", "doğum_tarihi", "DOGUM TARIHI", "ημερομηνία γέννησης", "تاريخ الميلاد",
        "生年月日", "出生日期", "생년월일", "ngày sinh", "tanggal_lahir", "customer_birth_date", "születési dátum",
    ],
    "family_name": [
        "last_name", "LastName", "surname", "Nachname", "nom de famille", "apellidos", "sobrenome", "cognome",
        "achternaam", "efternamn", "sukunimi", "nazwisko", "příjmení", "фамилия", "прізвище", "soyadı", "επώνυμο",
        "vezetéknév", "姓", "성",
    ],
    "given_name": [
        "first-name", "FNAME", "Vorname", "prénom", "nombre de pila", "voornaam", "förnamn", "etunimi", "imię",
        "jméno", "имя", "keresztnév", "prenume", "kundenvorname", "nama depan",
    ],
    "organisation": [
        "company", "Firmenname", "raison_sociale", "razón social", "razao_social", "ragione sociale",
        "bedrijfsnaam", "företag", "yritys", "nazwa firmy", "наименование организации", "şirket adı", "επωνυμία",
        "会社名", "公司名称", "회사명",
    ],
    "postcode": [
        "zip", "PLZ", "code_postal", "código postal", "CAP", "postnummer", "kod pocztowy", "почтовый индекс",
        "posta_kodu", "郵便番号", "邮编", "우편번호", "irányítószám",
    ],
    "email": [
        "e-mail", "EMailAddress", "courriel", "correo electrónico", "эл. почта", "e_posta", "メールアドレス",
        "邮箱", "sähköposti",
    ],
    "phone": [
        "tel", "Telefonnummer", "téléphone", "móvil", "celular", "cellulare", "puhelin", "telefon", "телефон",
        "cep_telefonu", "電話番号", "手机", "휴대폰", "phone2",
    ],
    "title": [
        "product name", "Artikelbezeichnung", "intitulé", "nombre del producto", "товар", "商品名", "상품명",
        "ürün adı",
    ],
    "creator": [
        "author", "Verfasser", "auteur", "autore", "автор", "著者", "작가", "yazar",
    ],
    "price": [
        "price", "Preis", "prix", "precio", "prezzo", "цена", "価格", "가격", "fiyat",
    ],
    "changed_at": [
        "updated_at", "lastModified", "geändert_am", "geaendert am", "date de modification", "дата изменения",
        "更新日時",
    ],
}  # fmt: skip


@pytest.mark.parametrize(("meaning", "name"), [(meaning, name) for meaning, names in NAMES.items() for name in names])
def test_a_name_says_what_its_column_means(meaning, name):
    """A column is known by its name in the language of its authors, however they write it."""
    found = meanings_of_name(name)
    assert meaning in found
    assert found[meaning] == max(found.values())


@given(st.text(max_size=60))
def test_any_name_may_be_asked(name):
    """Every name has meanings with shares above 0 and at most 1, or none; case does not count."""
    found = meanings_of_name(name)
    assert all(0 < share <= 1 for share in found.values())


@given(
    st.sampled_from([name for names in NAMES.values() for name in names if name.isascii()]),
    st.sampled_from([" ", "_", "-", "."]),
)
def test_punctuation_and_capitals_do_not_count(name, mark):
    """The same name with other marks between its words, or in capitals, means the same."""
    words = name.replace("_", " ").replace("-", " ").replace(".", " ").split()
    if words == [name] and not name.islower():
        return
    assert meanings_of_name(mark.join(words)) == meanings_of_name(mark.join(words).upper())


def test_the_table_names_what_is_known():
    """Each meaning of the table has a fit for values; each but those that make no attribute has a type."""
    meanings = {meaning for meaning, _, _ in table_rows("column_words.csv")}
    assert meanings == set(_FITS)
    assert meanings - set(TYPE_OF_MEANING) == {"source", "changed_at", "deleted", "version"}
