"""Invented files of rows in several languages, each with records that are one thing: for tests of ``init``.

Every file is made of short lists of words by a seed. ``truth`` of a row is the number of its thing.
"""

# ruff: noqa: RUF001 - words in the scripts that they are written in

from __future__ import annotations

import csv
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LETTERS = "abcdefghijklmnoprstuvwz"
PERSONS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "de": {
        "given": [
            "Annegret", "Burkhard", "Detlef", "Elke", "Friederike", "Gerda", "Holger", "Irmgard", "Jochen",
            "Kerstin", "Lothar", "Margit", "Norbert", "Ottilie",
        ],
        "family": [
            "Abendroth", "Birkenfeld", "Dornbusch", "Eulenberg", "Fichtner", "Grünwald", "Hasselhorn", "Immendorf",
            "Kestenholz", "Lichtblau", "Möwe",
        ],
        "street": [
            "Ahornweg",
            "Bergstraße",
            "Dorfplatz",
            "Eichenallee",
            "Feldgasse",
            "Gartenstr.",
            "Hafenweg",
            "Lindenstraße",
        ],
        "city": ["Altenbruch", "Brunsbek", "Dornheim", "Elmstedt", "Fahrdorf", "Gransee", "Hohenfels", "Ilmenau"],
    },
    "es": {
        "given": [
            "Anselmo", "Benita", "Casimiro", "Domitila", "Eulogio", "Florencia", "Gervasio", "Hermelinda",
            "Isidro", "Jacinta", "Leandro", "Modesta",
        ],
        "family": [
            "Arrizabalaga", "Bermúdez", "Caballero", "Dueñas", "Escribano", "Fuentes", "Galdós", "Hinojosa",
            "Ibáñez", "Lozano", "Montalbán", "Quesada",
        ],
        "street": ["Calle Mayor", "Avenida del Puerto", "Plaza Nueva", "Calle del Olmo", "Paseo Alto", "Calle Real"],
        "city": ["Almazán", "Briviesca", "Calahorra", "Daroca", "Estepa", "Frías", "Guadix", "Haro"],
    },
    "ru": {
        "given": [
            "Аркадий", "Вениамин", "Геннадий", "Зинаида", "Клавдия", "Лариса", "Маргарита", "Пелагея", "Родион",
            "Серафима", "Тимофей", "Эдуард",
        ],
        "family": [
            "Берёзов", "Воронов", "Горшков", "Дубинин", "Ершов", "Жаров", "Зимин", "Калинин", "Лапин", "Мельников",
            "Орлов", "Рябов",
        ],
        "street": ["ул. Садовая", "пр. Мира", "ул. Лесная", "пер. Тихий", "ул. Речная", "ул. Школьная"],
        "city": ["Боровск", "Вязьма", "Галич", "Дмитров", "Елец", "Зарайск", "Кашин", "Ливны"],
    },
    "tr": {
        "given": [
            "Asuman", "Bekir", "Cemile", "Dursun", "Ercan", "Feride", "Gülay", "Halil", "İclal", "Jale", "Kadir",
            "Leman",
        ],
        "family": [
            "Akbulut", "Bozkurt", "Çamlıca", "Durmaz", "Erdemir", "Gündüz", "Ilgaz", "Karabulut", "Özkan",
            "Sarıkaya", "Taşkın", "Uğurlu",
        ],
        "street": ["Çınar Sokak", "Atatürk Caddesi", "Gül Sok.", "İnönü Cad.", "Lale Sokağı", "Menekşe Sok."],
        "city": ["Amasya", "Burdur", "Çorum", "Düzce", "Edremit", "Fethiye", "Giresun", "Honaz"],
    },
    "pl": {
        "given": [
            "Bożena", "Czesław", "Danuta", "Eugeniusz", "Felicja", "Gustaw", "Henryka", "Ireneusz", "Kazimiera",
            "Leokadia", "Mieczysław",
        ],
        "family": [
            "Brzozowski", "Cichocki", "Dębski", "Głowacki", "Jaworski", "Klimek", "Leśniak", "Malinowski",
            "Ostrowski", "Przybylski", "Rutkowski",
        ],
        "street": ["ul. Polna", "ul. Leśna", "al. Lipowa", "ul. Krótka", "os. Słoneczne", "ul. Ogrodowa"],
        "city": ["Brzeg", "Chełmno", "Dobczyce", "Garwolin", "Iława", "Krosno", "Leżajsk", "Mława"],
    },
}  # fmt: skip


@dataclass(frozen=True)
class Sample:
    """Rows under their header, and the number of each row's thing."""

    header: tuple[str, ...]
    rows: list[tuple[str, ...]]
    truth: list[int]

    def columns(self) -> dict[str, list[str]]:
        """The cells of each column."""
        return {name: [row[place] for row in self.rows] for place, name in enumerate(self.header)}


def slip(text: str, randomness: random.Random) -> str:
    """A text with two neighbouring letters exchanged, or one left out."""
    if len(text) < 4:
        return text
    at = randomness.randrange(1, len(text) - 2)
    if randomness.random() < 0.5:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return text[:at] + text[at + 1 :]


def persons(language: str, header: Sequence[str], make: str, count: int = 150, seed: int = 7) -> Sample:
    """Persons of a language; ``make`` names what each column holds, separated by blanks.

    A third of the persons has a second row with slips, and another phone or street at times.
    """
    randomness, words = random.Random(f"{language}{seed}"), PERSONS[language]
    rows, truth = [], []
    number = 0
    for thing in range(count):
        person = _person(language, words, randomness, thing)
        for copy in range(2 if randomness.random() < 0.34 else 1):
            number += 1
            said = dict(person) if not copy else _changed(person, randomness)
            said |= {"id": f"{1000 + number}", "full": f"{said['given']} {said['family']}"}
            said |= {"family_first": f"{said['family']} {said['given']}", "line": f"{said['street']} {said['house']}"}
            rows.append(tuple(said[each] for each in make.split()))
            truth.append(thing)
    return Sample(tuple(header), rows, truth)


def _person(language: str, words: Mapping[str, Sequence[str]], randomness: random.Random, thing: int) -> dict[str, str]:
    given, family = randomness.choice(words["given"]), randomness.choice(words["family"])
    year, month, day = randomness.randint(1935, 2004), randomness.randint(1, 12), randomness.randint(1, 28)
    phones = {"de": "030 {:07}", "es": "6{:08}", "ru": "8 (495) {:07}", "tr": "0532 {:07}", "pl": "601 {:06}"}
    codes = {"de": "{:05}", "es": "{:05}", "ru": "{:06}", "tr": "{:05}", "pl": "{:05}"}
    code = codes[language].format(randomness.randint(20_000, 69_999))
    return {
        "given": given, "family": family, "born": f"{day:02}.{month:02}.{year}",
        "slashed": f"{day:02}/{month:02}/{year}",
        "iso": f"{year}-{month:02}-{day:02}", "sex": randomness.choice("mw" if language == "de" else "MF"),
        "street": randomness.choice(words["street"]), "house": str(randomness.randint(1, 140)),
        "city": randomness.choice(words["city"]),
        "code": f"{code[:2]}-{code[2:]}" if language == "pl" else code,
        "phone": phones[language].format(randomness.randint(200_000, 899_999) * (1 if language == "pl" else 10)),
        "mail": f"{''.join(randomness.choices(LETTERS, k=9))}@mail{randomness.randint(1, 9)}.example",
        "changed": f"2024-0{randomness.randint(1, 9)}-1{thing % 9} 09:30:00",
    }  # fmt: skip


def _changed(person: Mapping[str, str], randomness: random.Random) -> dict[str, str]:
    said = dict(person)
    for name in ("given", "family", "street", "city"):
        if randomness.random() < 0.25:
            said[name] = slip(said[name], randomness)
    for name in ("mail", "phone"):
        if randomness.random() < 0.3:
            said[name] = ""
    return said


def organisations(header: Sequence[str], count: int = 120, seed: int = 3) -> Sample:
    """French companies: number, name with a legal form, register number, street, postcode, town, telephone, site."""
    randomness = random.Random(seed)
    firsts = [
        "Alizé",
        "Bruyère",
        "Cormoran",
        "Dolmen",
        "Églantine",
        "Frégate",
        "Garrigue",
        "Hirondelle",
        "Isard",
        "Joubarbe",
        "Korrigan",
        "Lavande",
    ]
    trades = [
        "Menuiserie",
        "Transports",
        "Boulangerie",
        "Électricité",
        "Imprimerie",
        "Maçonnerie",
        "Plomberie",
        "Conseil",
    ]
    forms = ["SARL", "SAS", "SA", "EURL", "SNC"]
    towns = ["Aubenas", "Bressuire", "Challans", "Dinan", "Étampes", "Falaise", "Guérande", "Hirson"]
    rows, truth, number = [], [], 0
    for thing in range(count):
        name = f"{randomness.choice(trades)} {randomness.choice(firsts)}"
        siren = f"{randomness.randint(300_000_000, 899_999_999)}"
        line = [
            f"{randomness.randint(1, 90)} rue des {randomness.choice(firsts)}s",
            f"{randomness.randint(10_000, 89_999)}",
            randomness.choice(towns),
        ]
        for copy in range(2 if randomness.random() < 0.35 else 1):
            number += 1
            form = randomness.choice(forms)
            written = f"{name} {form}" if not copy else f"{slip(name, randomness)} {form}".upper()
            phone = f"0{randomness.randint(1, 5)} {randomness.randint(10, 99)} {randomness.randint(10, 99)} 33 44"
            rows.append(
                (
                    f"F{number:05}",
                    written,
                    siren if randomness.random() < 0.8 else "",
                    *line,
                    phone,
                    f"www.firme{thing}.example",
                )
            )
            truth.append(thing)
    return Sample(tuple(header), rows, truth)


def products(header: Sequence[str], count: int = 120, seed: int = 5) -> Sample:
    """Italian articles: code, title, maker, article number with its check digit, price with a decimal comma."""
    randomness = random.Random(seed)
    kinds = [
        "Trapano a percussione",
        "Lampada da tavolo",
        "Sedia pieghevole",
        "Frullatore a immersione",
        "Bilancia da cucina",
        "Zaino da trekking",
    ]
    makers = ["Brontel", "Cavazza", "Delforni", "Erpini", "Fossalta", "Gualdoni"]
    rows, truth, number = [], [], 0
    for thing in range(count):
        kind, maker = randomness.choice(kinds), randomness.choice(makers)
        model = f"{maker[:2].upper()}{randomness.randint(100, 999)}"
        twelve = f"80{randomness.randint(10**9, 10**10 - 1)}"
        check = (10 - sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(twelve))) % 10
        price = randomness.randint(900, 39_900)
        for copy in range(2 if randomness.random() < 0.4 else 1):
            number += 1
            title = f"{kind} {maker} {model}" if not copy else f"{maker} {model} {kind.lower()} nero"
            cost = (
                f"{price // 100},{price % 100:02}" if not copy else f"{(price + 150) // 100},{(price + 150) % 100:02}"
            )
            rows.append((f"A-{number:04}", title, maker, f"{twelve}{check}" if randomness.random() < 0.6 else "", cost))
            truth.append(thing)
    return Sample(tuple(header), rows, truth)


def write_csv(path: Path, sample: Sample, delimiter: str = ",", encoding: str = "utf-8", end: str = "\n") -> Path:
    """Write a sample as CSV of a dialect."""
    with path.open("w", encoding=encoding, newline="") as file:
        written = csv.writer(file, delimiter=delimiter, lineterminator=end)
        written.writerow(sample.header)
        written.writerows(sample.rows)
    return path


def write_json(path: Path, sample: Sample, *, lines: bool = False) -> Path:
    """Write a sample as an array of objects, or one object a line; empty cells are null."""
    objects = [{name: cell or None for name, cell in zip(sample.header, row, strict=True)} for row in sample.rows]
    if lines:
        path.write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in objects), "utf-8")
    else:
        path.write_text(json.dumps(objects, ensure_ascii=False), "utf-8")
    return path


GERMAN = (
    "Kundennr",
    "Vorname",
    "Nachname",
    "Geburtsdatum",
    "Geschlecht",
    "Straße",
    "Hausnr.",
    "PLZ",
    "Ort",
    "Telefon",
    "E-Mail",
)
GERMAN_MAKE = "id given family born sex street house code city phone mail"
SPANISH = (
    "id_cliente",
    "nombre",
    "apellidos",
    "fecha_nacimiento",
    "sexo",
    "direccion",
    "cp",
    "poblacion",
    "movil",
    "correo",
)
SPANISH_MAKE = "id given family slashed sex line code city phone mail"
RUSSIAN = ("Код клиента", "ФИО", "Дата рождения", "Адрес", "Город", "Почтовый индекс", "Мобильный телефон", "Эл. почта")
RUSSIAN_MAKE = "id family_first born line city code phone mail"
TURKISH = (
    "müşteri_no",
    "adı",
    "soyadı",
    "doğum_tarihi",
    "cinsiyet",
    "adres",
    "posta_kodu",
    "şehir",
    "cep_telefonu",
    "e_posta",
    "güncelleme_tarihi",
)
TURKISH_MAKE = "id given family iso sex line code city phone mail changed"
POLISH = (
    "nr_klienta",
    "imie_nazwisko",
    "data_ur",
    "ulica",
    "nr_domu",
    "kod_pocztowy",
    "miejscowosc",
    "nr_telefonu",
    "adres_email",
)
POLISH_MAKE = "id full iso street house code city phone mail"
FRENCH = ("Référence", "Raison sociale", "SIREN", "Adresse", "Code postal", "Ville", "Téléphone", "Site web")
ITALIAN = ("codice", "descrizione articolo", "marca", "EAN", "prezzo")
