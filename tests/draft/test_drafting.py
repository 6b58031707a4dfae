"""Rules drafted for files of several languages and kinds: valid, about the right columns, right on duplicates."""

from __future__ import annotations

from itertools import combinations

import pytest
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
    write_csv,
    write_json,
)

from mdm_stream.draft.drafting import draft_rules, profile_files
from mdm_stream.draft.golden_examples import first_look
from mdm_stream.engine.batch import Engine
from mdm_stream.index.memory import MemoryIndex
from mdm_stream.rules.check import check_file

FILES = {
    "de": (lambda: persons("de", GERMAN, GERMAN_MAKE), "kunden.csv", ";", "cp1252"),
    "es": (lambda: persons("es", SPANISH, SPANISH_MAKE), "clientes.ndjson", "", ""),
    "ru": (lambda: persons("ru", RUSSIAN, RUSSIAN_MAKE), "klienty.csv", ";", "cp1251"),
    "tr": (lambda: persons("tr", TURKISH, TURKISH_MAKE), "musteri.tsv", "\t", "utf-8"),
    "pl": (lambda: persons("pl", POLISH, POLISH_MAKE), "osoby.json", "", ""),
    "fr": (lambda: organisations(FRENCH), "societes.csv", "|", "utf-8"),
    "it": (lambda: products(ITALIAN), "articoli.csv", ";", "utf-8"),
}
DOMAINS = {
    "de": "person",
    "es": "person",
    "ru": "person",
    "tr": "person",
    "pl": "person",
    "fr": "organisation",
    "it": "product",
}
F1_MIN = {"it": 0.7}
"""Invented duplicates of persons and companies are mostly found; of articles whose title is turned around, most."""


def written_file(folder, language):
    """The sample of a language, and its file."""
    sample, name, delimiter, encoding = FILES[language]
    made, path = sample(), folder / name
    if delimiter:
        return made, write_csv(path, made, delimiter, encoding)
    return made, write_json(path, made, lines=name.endswith(".ndjson"))


def drafted(folder, language):
    """The sample of a language, and the rules drafted for its file."""
    made, path = written_file(folder, language)
    return made, draft_rules(profile_files([path], folder, lambda *_: None), folder, folder, lambda *_: None)


def pairs_of(groups):
    """The pairs within groups."""
    return {pair for group in groups for pair in combinations(sorted(group), 2)}


def f1(sample, found):
    """The pairwise F1 of golden records against the truth of a sample, whose first column is the key."""
    index = MemoryIndex(found.rules)
    engine = Engine(found.rules, index)
    engine.process(list(found.measured.looked_at))
    engine.drain()
    by_golden, by_thing = {}, {}
    for ref, golden in index.snapshot().crosswalk.items():
        by_golden.setdefault(golden, []).append(ref.partition("/")[2])
    for row, thing in zip(sample.rows, sample.truth, strict=True):
        by_thing.setdefault(thing, []).append(row[0])
    made, true = pairs_of(by_golden.values()), pairs_of(by_thing.values())
    return 2 * len(made & true) / (len(made) + len(true))


@pytest.mark.parametrize("language", FILES)
def test_a_file_becomes_golden_records_without_an_edit(tmp_path, language):
    """A file of a language becomes rules that pass the check, of the right domain, that find its duplicates."""
    sample, found = drafted(tmp_path, language)
    (tmp_path / "rules.yaml").write_text(found.text, "utf-8")
    assert [str(each) for each in check_file(tmp_path / "rules.yaml") if each.severity == "error"] == []
    assert found.rules.domain == DOMAINS[language]
    assert found.measured.rows.rejected == 0
    assert found.look.records == len(sample.rows)
    assert found.look.merged > 0
    assert f1(sample, found) >= F1_MIN.get(language, 0.9)


def test_the_same_files_give_the_same_rules(tmp_path):
    """Nothing in a draft depends on when or how often it is made."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    assert drafted(tmp_path / "one", "de")[1].text == drafted(tmp_path / "two", "de")[1].text


def test_files_of_two_languages_share_attributes(tmp_path):
    """A German and a Turkish file of persons become two sources of one domain, each column where it belongs."""
    paths = [written_file(tmp_path, each)[1] for each in ("de", "tr")]
    found = draft_rules(profile_files(paths, tmp_path, lambda *_: None), tmp_path, tmp_path, lambda *_: None)
    german, turkish = (found.rules.sources[name] for name in ("kunden", "musteri"))
    assert german.columns["family_name"] == ("Nachname",)
    assert turkish.columns["family_name"] == ("soyadı",)  # noqa: RUF001
    assert german.columns["street"] == ("Straße", "Hausnr.")
    assert dict(german.options["phone"]) == {"region": "DE"}


def test_options_follow_from_values(tmp_path):
    """Dates with the day first, names with the family name first and decimal commas are read as meant."""
    russian = drafted(tmp_path, "ru")[1].rules.sources["klienty"]
    assert russian.options["full_name"]["order"] == "family_first"
    assert russian.csv.encoding == "cp1251"
    spanish = drafted(tmp_path, "es")[1].rules.sources["clientes"]
    assert spanish.options["birth_date"]["day_first"] is True
    italian = drafted(tmp_path, "it")[1].rules.sources["articoli"]
    assert italian.options["price"]["decimal_comma"] is True


def test_shared_values_become_placeholders(tmp_path):
    """An email that very many rows share is listed as a placeholder, and what it is shared by is said beside it."""
    sample = persons("de", GERMAN, GERMAN_MAKE)
    rows = [(*row[:10], "zentrale@firma.example" if place % 2 else row[10]) for place, row in enumerate(sample.rows)]
    path = write_csv(tmp_path / "kunden.csv", type(sample)(sample.header, rows, sample.truth))
    found = draft_rules(profile_files([path], tmp_path, lambda *_: None), tmp_path, tmp_path, lambda *_: None)
    listed = next(each for each in found.rules.placeholders if each.label == "shared_email")
    assert listed.values == ("zentrale@firma.example",)


def test_examples_are_golden_records_with_their_members(tmp_path):
    """What is shown is what the engine made: each example has the values of its members, and several of them."""
    _, found = drafted(tmp_path, "de")
    look = first_look(found.rules, found.measured.looked_at)
    assert look == found.look
    assert len(look.examples) == 3
    for example in look.examples:
        assert len(example.members) > 1
        assert all(len(each) == len(example.members) for _, each in example.values.values())


def test_a_name_in_another_script_is_compared_as_an_other_name(tmp_path):
    """Two columns of one name, in Latin letters and in Arabic ones, become the name and other names, in its order."""
    cells = [("1", "Leila Haddad", "ليلى حداد", "1980-01-02"), ("2", "Karim Benali", "كريم بنعلي", "1975-03-04"),
             ("3", "", "ليلى حداد", "1980-01-02")]  # fmt: skip
    rows = [f"{number},{latin},{arabic},{born}" for number, latin, arabic, born in cells]
    path = tmp_path / "members.csv"
    path.write_text("\n".join(["member id,nom complet,الاسم الكامل,date de naissance", *rows]), "utf-8")
    found = draft_rules(profile_files([path], tmp_path, lambda *_: None), tmp_path, tmp_path, lambda *_: None)
    columns = found.rules.sources["members"].columns
    assert {columns["full_name"], columns["other_names"]} == {("nom complet",), ("الاسم الكامل",)}
    assert found.look.merged == 1
