# ruff: noqa: RUF001 - the letters of several languages
"""Files of eight kinds and languages with their truth: what companies have, invented from lists of words.

    python benchmarks/foreign_files.py FOLDER

Deterministic: the same files each time. Nobody in them is real: names are drawn at random from lists of words. Each
entity has one to three records, with the slips of its language and trade: letters left out or exchanged, spellings
without diacritics, short forms, moves, missing cells, other forms of dates, telephones and prices.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from foreign_kinds import german_hardware, korean_suppliers, spanish_patients
from foreign_slips import Row, bare, copies, digits, slip, varied


@dataclass(frozen=True, slots=True)
class ForeignFile:
    """A file: its name, how many entities it has, and what makes one entity's rows.

    ``key`` is the column that identifies a row. ``delimiter`` is that of CSV, ``""`` for NDJSON.
    """

    name: str
    entities: int
    key: str
    delimiter: str
    encoding: str
    make: Callable[[Random], Iterator[Row]]

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write the file and its truth (source, record_id, entity_id); return both paths."""
        random = Random(self.name)
        rows = [(entity, row) for entity in range(self.entities) for row in self.make(random)]
        random.shuffle(rows)
        numbered = [(entity, {self.key: str(number), **row}) for number, (entity, row) in enumerate(rows, 10_001)]
        path = folder / (self.name + (".csv" if self.delimiter else ".ndjson"))
        if self.delimiter:
            with path.open("w", encoding=self.encoding, newline="") as out:
                writer = csv.DictWriter(out, list(numbered[0][1]), delimiter=self.delimiter)
                writer.writeheader()
                writer.writerows(row for _, row in numbered)
        else:
            path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for _, row in numbered), "utf-8")
        truth = folder / f"{self.name}.truth.csv"
        with truth.open("w", encoding="utf-8", newline="") as out:
            lines = csv.writer(out)
            lines.writerow(("source", "record_id", "entity_id"))
            lines.writerows((self.name, row[self.key], f"e{entity}") for entity, row in numbered)
        return path, truth


POLISH_GIVEN = {
    "Katarzyna": "Kasia", "Małgorzata": "Gosia", "Zofia": "Zosia", "Agnieszka": "Aga", "Jadwiga": "Jadzia",
    "Tomasz": "Tomek", "Krzysztof": "Krzysiek", "Stanisław": "Staszek", "Łukasz": "Łukasz", "Grzegorz": "Grzesiek",
    "Wojciech": "Wojtek", "Paweł": "Pawełek", "Bożena": "Bożena", "Danuta": "Danka", "Mirosław": "Mirek",
}  # fmt: skip
POLISH_FAMILY = (
    "Wrona", "Lis", "Sikora", "Dąb", "Żuraw", "Gołąb", "Kruk", "Śledź", "Jaskółka", "Czapla", "Bąk", "Zając",
    "Kozioł", "Łoś", "Jeż", "Wilk", "Borsuk", "Szpak", "Kos", "Żuk", "Wierzba", "Głóg", "Jawor", "Klon", "Świerk",
    "Sosna", "Brzoza", "Modrzew", "Mak", "Chaber",
)  # fmt: skip
POLISH_STREETS = ("Długa", "Krótka", "Łąkowa", "Słoneczna", "Różana", "Źródlana", "Młyńska", "Ogrodowa", "Zielona")
POLISH_TOWNS = {"Łódź": "90-", "Kraków": "30-", "Gdańsk": "80-", "Poznań": "60-", "Rzeszów": "35-", "Żary": "68-"}


def polish_patients(random: Random) -> Iterator[Row]:
    """Yield the records of a patient: PESEL mostly known, birth dates with dots, short forms of given names."""
    given, family = random.choice(list(POLISH_GIVEN)), random.choice(POLISH_FAMILY)
    year, month, day = random.randrange(1940, 2015), random.randrange(1, 13), random.randrange(1, 29)
    town = random.choice(list(POLISH_TOWNS))
    row = {
        "imię": given,
        "nazwisko": family,
        "data urodzenia": f"{day:02}.{month:02}.{year}",
        "PESEL": f"{year % 100:02}{month + (20 if year >= 2000 else 0):02}{day:02}{digits(random, 5)}",
        "ulica": f"ul. {random.choice(POLISH_STREETS)} {random.randrange(1, 90)}/{random.randrange(1, 20)}",
        "kod pocztowy": POLISH_TOWNS[town] + digits(random, 3),
        "miejscowość": town,
        "telefon": f"{random.choice((501, 602, 694, 728, 885))} {digits(random, 3)} {digits(random, 3)}",
    }
    yield row
    changes = {
        "imię": (0.25, lambda text: POLISH_GIVEN.get(text, text)),
        "nazwisko": (0.3, lambda text: slip(random, bare(text)) if random.random() < 0.5 else bare(text)),
        "data urodzenia": (0.05, lambda text: text[3:6] + text[:3] + text[6:]),
        "PESEL": (0.05, lambda text: slip(random, text)),
        "ulica": (0.4, lambda text: text.removeprefix("ul. ").replace("/", " m. ")),
        "miejscowość": (0.3, bare),
        "telefon": (0.4, lambda text: "+48" + text.replace(" ", "")),
    }
    for _ in range(copies(random) - 1):
        yield varied(random, row, changes, 0.12)


TURKISH_NAMES = (
    "Yıldız", "Güneş", "Çınar", "Şahin", "Doğan", "Işık", "Öztürk", "Karadağ", "Akdeniz", "Boğaz", "Ege", "Anadolu",
    "Toros", "Uludağ", "Kızılırmak", "Gökçe", "Bahçe", "Çağlayan", "Deniz", "Zümrüt",
)  # fmt: skip
TURKISH_TRADES = ("Tekstil", "Gıda", "İnşaat", "Otomotiv", "Mobilya", "Lojistik", "Kimya", "Makina", "Elektrik", "Cam")
TURKISH_FORMS = {"Ltd. Şti.": "Limited Şirketi", "A.Ş.": "Anonim Şirketi", "San. ve Tic. Ltd. Şti.": "LTD STI"}
TURKISH_TOWNS = ("İstanbul", "Ankara", "İzmir", "Bursa", "Adana", "Eskişehir", "Diyarbakır")


def turkish_suppliers(random: Random) -> Iterator[Row]:
    """Yield the records of a supplier: its title with its legal form, tax number, address, switchboard."""
    name = f"{random.choice(TURKISH_NAMES)} {random.choice(TURKISH_NAMES)} {random.choice(TURKISH_TRADES)}"
    form, town = random.choice(list(TURKISH_FORMS)), random.choice(TURKISH_TOWNS)
    domain = bare(name).lower().replace(" ", "")
    row = {
        "Ünvan": f"{name} {form}",
        "Vergi No": digits(random, 10),
        "Adres": f"{random.choice(TURKISH_NAMES)} Cad. No:{random.randrange(1, 200)}",
        "İl": town,
        "Telefon": f"0{random.choice((212, 312, 232, 224))} {digits(random, 3)} {digits(random, 4)}",
        "E-posta": f"info@{domain}.example",
    }
    yield row
    changes = {
        "Ünvan": (0.6, lambda text: _turkish_title(random, text, form)),
        "Vergi No": (0.05, lambda text: slip(random, text)),
        "Adres": (0.4, lambda text: bare(text).replace("Cad. No:", "Caddesi No ")),
        "İl": (0.3, lambda text: bare(text).upper()),
        "Telefon": (0.5, lambda text: "+90" + text[1:].replace(" ", "")),
        "E-posta": (0.2, lambda text: text.replace("info@", "satis@")),
    }
    for _ in range(copies(random) - 1):
        yield varied(random, row, changes, 0.15)


def _turkish_title(random: Random, title: str, form: str) -> str:
    name = title.removesuffix(form).strip()
    return f"{slip(random, bare(name)).upper()} {TURKISH_FORMS[form]}" if random.random() < 0.5 else bare(name).upper()


JAPANESE_FAMILY = {
    "佐藤": "サトウ", "鈴木": "スズキ", "高橋": "タカハシ", "田中": "タナカ", "渡辺": "ワタナベ", "伊藤": "イトウ",
    "山本": "ヤマモト", "中村": "ナカムラ", "小林": "コバヤシ", "加藤": "カトウ", "吉田": "ヨシダ", "山田": "ヤマダ",
    "松本": "マツモト", "井上": "イノウエ", "木村": "キムラ", "清水": "シミズ", "石川": "イシカワ", "前田": "マエダ",
}  # fmt: skip
JAPANESE_GIVEN = {
    "太郎": "タロウ", "花子": "ハナコ", "健一": "ケンイチ", "直美": "ナオミ", "翔太": "ショウタ", "美咲": "ミサキ",
    "大輔": "ダイスケ", "由美": "ユミ", "拓也": "タクヤ", "恵子": "ケイコ", "誠": "マコト", "明": "アキラ",
}  # fmt: skip
JAPANESE_TOWNS = ("東京都新宿区西新宿", "大阪府大阪市北区梅田", "愛知県名古屋市中区栄", "福岡県福岡市博多区博多駅前")


def japanese_customers(random: Random) -> Iterator[Row]:
    """Yield the records of a customer: name in characters and in kana, birth date, address on one line, telephone."""
    family, given = random.choice(list(JAPANESE_FAMILY)), random.choice(list(JAPANESE_GIVEN))
    block = "-".join(str(random.randrange(1, 30)) for _ in range(3))
    row = {
        "氏名": f"{family} {given}",
        "フリガナ": f"{JAPANESE_FAMILY[family]} {JAPANESE_GIVEN[given]}",
        "生年月日": f"{random.randrange(1940, 2005)}/{random.randrange(1, 13):02}/{random.randrange(1, 29):02}",
        "郵便番号": f"{digits(random, 3)}-{digits(random, 4)}",
        "住所": f"{random.choice(JAPANESE_TOWNS)}{block}",
        "電話番号": f"0{random.choice((3, 6))}-{random.randrange(3000, 7000)}-{digits(random, 4)}",
    }
    yield row
    wide = str.maketrans("0123456789-", "０１２３４５６７８９－")
    changes = {
        "氏名": (0.3, lambda text: text.replace(" ", "")),
        "フリガナ": (0.2, lambda text: text.replace(" ", "")),
        "生年月日": (0.3, lambda text: text.replace("/", "-")),
        "郵便番号": (0.3, lambda text: text.replace("-", "")),
        "住所": (0.4, lambda text: text.translate(wide)),
        "電話番号": (0.3, lambda text: text.replace("-", "")),
    }
    for _ in range(copies(random) - 1):
        yield varied(random, row, changes, 0.12)


ARABIC_GIVEN = {
    "محمد": ("Mohamed", "Mohammed"), "فاطمة": ("Fatima", "Fatma"), "أحمد": ("Ahmed", "Ahmad"),
    "خديجة": ("Khadija", "Khadidja"), "يوسف": ("Youssef", "Yusuf"), "عائشة": ("Aïcha", "Aicha"),
    "كريم": ("Karim", "Kareem"), "سعيد": ("Saïd", "Said"), "نادية": ("Nadia", "Nadya"), "ليلى": ("Leïla", "Laila"),
}  # fmt: skip
ARABIC_FAMILY = {
    "العلوي": ("El Alaoui", "Alaoui"), "بنعلي": ("Benali", "Ben Ali"), "الفاسي": ("El Fassi", "Fassi"),
    "منصوري": ("Mansouri", "Mansoury"), "حداد": ("Haddad", "Hadad"), "طاهري": ("Tahiri", "Taheri"),
    "بوزيد": ("Bouzid", "Bou Zid"), "شرقاوي": ("Cherkaoui", "Charkaoui"), "زروال": ("Zeroual", "Zerwal"),
}  # fmt: skip
MAGHREB_TOWNS = ("Casablanca", "Rabat", "Fès", "Tanger", "Marrakech", "Oujda", "Salé")


def maghreb_members(random: Random) -> Iterator[Row]:
    """Yield the records of a member: the name in French letters or in Arabic ones, at times in both."""
    given, family = random.choice(list(ARABIC_GIVEN)), random.choice(list(ARABIC_FAMILY))
    latin = f"{ARABIC_GIVEN[given][0]} {ARABIC_FAMILY[family][0]}"
    mailbox = bare(latin).lower().replace(" ", ".") + str(random.randrange(1, 99))
    row = {
        "nom complet": latin,
        "الاسم": f"{given} {family}",
        "date de naissance": f"{random.randrange(1, 29):02}/0{random.randrange(1, 10)}/{random.randrange(1945, 2006)}",
        "courriel": f"{mailbox}@example.org",
        "gsm": f"06{digits(random, 8)}",
        "ville": random.choice(MAGHREB_TOWNS),
    }
    yield row
    changes = {
        "nom complet": (0.5, lambda _: f"{ARABIC_GIVEN[given][1]} {ARABIC_FAMILY[family][1]}"),
        "الاسم": (0.1, lambda text: slip(random, text)),
        "courriel": (0.1, lambda text: slip(random, text)),
        "gsm": (0.5, lambda text: "+212 " + text[1:]),
        "ville": (0.2, lambda text: bare(text).upper()),
    }
    for _ in range(copies(random) - 1):
        made = varied(random, row, changes, 0.15)
        if random.random() < 0.2:
            made["nom complet"] = ""
        yield made


PORTUGUESE_THINGS = (
    "Berbequim", "Aspirador", "Frigorífico", "Torradeira", "Chaleira", "Lanterna", "Mochila", "Cadeira", "Secretária",
    "Impressora", "Teclado", "Coluna", "Relógio", "Câmara", "Ventoinha",
)  # fmt: skip
PORTUGUESE_BRANDS = ("Lumora", "Tavira", "Norvel", "Brisa", "Kestrel", "Ondal", "Quarzo", "Serrana", "Vento")
PORTUGUESE_ADJECTIVES = ("elétrico", "sem fios", "portátil", "de mesa", "compacto", "profissional", "doméstico", "LED")


def portuguese_products(random: Random) -> Iterator[Row]:
    """Yield the records of a product: title with the model's number, brand, price with a comma, at times its EAN."""
    thing, brand, kind = (random.choice(each) for each in (PORTUGUESE_THINGS, PORTUGUESE_BRANDS, PORTUGUESE_ADJECTIVES))
    model = f"{random.choice('ABCDEFGHKLMNPRSTVX')}{random.choice('ABCDEFGHKLMNPRSTVX')}-{digits(random, 4)}"
    watts = random.choice((500, 750, 900, 1200, 1800))
    row = {
        "designação": f"{thing} {kind} {brand} {model} {watts}W",
        "marca": brand,
        "preço": f"{random.randrange(5, 900)},{random.choice(('00', '50', '90', '99'))}",
        "EAN": "560" + digits(random, 10) if random.random() < 0.6 else "",
    }
    yield row
    titles: Sequence[str] = (
        f"{brand} {model} {thing}",
        f"{thing.upper()} {brand.upper()} {model.replace('-', '')}",
        f"{bare(thing)} {brand} {model} ({watts} W) {bare(kind)}",
    )
    changes = {
        "designação": (0.9, lambda _: random.choice(titles)),
        "marca": (0.3, str.upper),
        "preço": (0.5, lambda text: f"{int(text.split(',')[0]) + 1},00"),
        "EAN": (0.0, str),
    }
    for _ in range(copies(random) - 1):
        yield varied(random, row, changes, 0.2)


FILES = (
    ForeignFile("pacjenci", 900, "nr pacjenta", ";", "cp1250", polish_patients),
    ForeignFile("tedarikciler", 500, "Tedarikçi Kodu", ";", "utf-8-sig", turkish_suppliers),
    ForeignFile("kokyaku", 700, "顧客番号", ",", "cp932", japanese_customers),
    ForeignFile("adherents", 600, "identifiant", "", "utf-8", maghreb_members),
    ForeignFile("produtos", 500, "código", "\t", "utf-8", portuguese_products),
    ForeignFile("gongeup", 500, "공급업체코드", ",", "euc-kr", korean_suppliers),
    ForeignFile("pacientes", 700, "NHC", ";", "cp1252", spanish_patients),
    ForeignFile("artikel", 500, "Art.-Nr.", ";", "cp1252", german_hardware),
)


def main(arguments: Sequence[str]) -> int:
    """Write the files into a folder."""
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    for file in FILES:
        path, _ = file.write(folder)
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
