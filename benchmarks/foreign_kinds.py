"""Further kinds of foreign files: Korean suppliers, Spanish patients with two family names, a German hardware store.

Invented as those of :mod:`foreign_files` are: names are drawn at random from lists of words, nobody in them is real.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from foreign_slips import Row, bare, copies, digits, slip, varied

KOREAN_WORDS = {
    "한빛": "Hanbit", "새롬": "Saerom", "다온": "Daon", "가람": "Garam", "누리": "Nuri", "미르": "Mir",
    "온새": "Onsae", "초록": "Chorok", "바다": "Bada", "해솔": "Haesol", "나래": "Narae", "푸른": "Pureun",
    "도담": "Dodam", "라온": "Raon",
}  # fmt: skip
KOREAN_TRADES = {
    "전자": "Electronics", "물산": "Trading", "산업": "Industry", "건설": "Construction", "식품": "Foods",
    "화학": "Chemical", "기계": "Machinery", "통상": "Commerce",
}  # fmt: skip
KOREAN_PLACES = (
    "서울특별시 강남구 테헤란로", "서울특별시 마포구 양화로", "부산광역시 해운대구 센텀로", "대구광역시 중구 동성로",
    "인천광역시 연수구 송도대로", "경기도 성남시 분당구 판교로",
)  # fmt: skip
KOREAN_FAMILY = ("김", "이", "박", "최", "정", "강", "조", "윤")
KOREAN_GIVEN = ("민수", "영희", "지훈", "서연", "현우", "수진", "동현", "미경", "성호", "은주")


def korean_suppliers(random: Random) -> Iterator[Row]:
    """Yield the records of a supplier: firm with its legal form, business number, head, address on one line."""
    first, second = random.sample(list(KOREAN_WORDS), 2)
    trade = random.choice(list(KOREAN_TRADES))
    name = f"{first}{second}{trade}"
    latin = f"{KOREAN_WORDS[first]} {KOREAN_WORDS[second]} {KOREAN_TRADES[trade]}"
    number = digits(random, 10)
    row = {
        "상호": f"주식회사 {name}",
        "사업자등록번호": f"{number[:3]}-{number[3:5]}-{number[5:]}",
        "대표자": random.choice(KOREAN_FAMILY) + random.choice(KOREAN_GIVEN),
        "주소": f"{random.choice(KOREAN_PLACES)} {random.randrange(1, 400)}",
        "전화번호": f"0{random.choice((2, 31, 51, 53))}-{random.randrange(300, 900)}-{digits(random, 4)}",
        "이메일": f"sales@{latin.lower().replace(' ', '')}.example",
    }
    yield row
    forms = (f"(주){name}", f"{name}(주)", f"㈜{name}", name, f"{latin} Co., Ltd.")
    changes = {
        "상호": (0.7, lambda _: random.choice(forms)),
        "사업자등록번호": (0.4, lambda text: text.replace("-", "")),
        "대표자": (0.1, lambda _: random.choice(KOREAN_FAMILY) + random.choice(KOREAN_GIVEN)),
        "주소": (0.3, lambda text: text.replace("특별시", "").replace("광역시", "") + f" {random.randrange(2, 20)}층"),
        "전화번호": (0.4, lambda text: "+82 " + text[1:].replace("-", " ")),
        "이메일": (0.3, lambda text: text.replace("sales@", "info@")),
    }
    for _ in range(copies(random) - 1):
        yield varied(random, row, changes, 0.15)


SPANISH_GIVEN = {
    "María del Carmen": "Mª Carmen", "José Antonio": "J. Antonio", "Francisco": "Paco", "Dolores": "Lola",
    "Concepción": "Concha", "Rosario": "Charo", "Ignacio": "Nacho", "Josefa": "Pepa", "Manuel": "Manolo",
    "Ana María": "Ana", "Juan Carlos": "Juan C.", "Lucía": "Lucia", "Álvaro": "Alvaro", "Begoña": "Begoña",
    "Íñigo": "Iñigo", "Mercedes": "Merche", "Rafael": "Rafa", "Teresa": "Mª Teresa",
}  # fmt: skip
SPANISH_FAMILY = (
    "Olmo", "Roble", "Cerezo", "Almendro", "Naranjo", "Pinar", "Alameda", "Robledo", "Espino", "Zarza", "de la Encina",
    "Manzano", "Nogal", "Castaño", "Peral", "Acebo", "Fresno", "Sauce", "del Álamo", "Laurel", "Romero", "Parra",
)  # fmt: skip
SPANISH_STREETS = ("Mayor", "del Sol", "de la Fuente", "Real", "Ancha", "de los Olivos", "Nueva", "del Río")
SPANISH_TOWNS = {"Cádiz": "11", "León": "24", "Lugo": "27", "Jaén": "23", "Ávila": "05", "Teruel": "44"}
_CONTROL_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"


def spanish_patients(random: Random) -> Iterator[Row]:
    """Yield the records of a patient: two family names, the second often left out, DNI with and without its letter."""
    given, (first, second) = random.choice(list(SPANISH_GIVEN)), random.sample(SPANISH_FAMILY, 2)
    town = random.choice(list(SPANISH_TOWNS))
    number = int(digits(random, 8))
    row = {
        "Nombre": given,
        "Primer apellido": first,
        "Segundo apellido": second,
        "F. nacimiento": f"{random.randrange(1, 29):02}/{random.randrange(1, 13):02}/{random.randrange(1930, 2018)}",
        "DNI": f"{number:08}{_CONTROL_LETTERS[number % 23]}",
        "Domicilio": f"C/ {random.choice(SPANISH_STREETS)}, {random.randrange(1, 99)}, {random.randrange(1, 9)}º "
        f"{random.choice('ABCD')}",
        "CP": SPANISH_TOWNS[town] + digits(random, 3),
        "Localidad": town,
        "Móvil": f"6{digits(random, 8)}",
    }
    yield row
    changes = {
        "Nombre": (0.3, lambda text: SPANISH_GIVEN[text]),
        "Primer apellido": (0.2, lambda text: slip(random, bare(text)).upper()),
        "Segundo apellido": (0.4, lambda text: "" if random.random() < 0.6 else bare(text).upper()),
        "F. nacimiento": (0.05, lambda text: text[3:6] + text[:3] + text[6:]),
        "DNI": (
            0.4,
            lambda text: text[:-1] if random.random() < 0.5 else f"{text[:2]}.{text[2:5]}.{text[5:8]}-{text[8]}",
        ),
        "Domicilio": (0.4, lambda text: text.replace("C/", "Calle").replace("º ", "-")),
        "Localidad": (0.3, lambda text: bare(text).upper()),
        "Móvil": (0.3, lambda text: f"+34 {text[:3]} {text[3:6]} {text[6:]}"),
    }
    for _ in range(copies(random) - 1):
        yield varied(random, row, changes, 0.12)


HARDWARE = {
    "Spanplattenschraube": ("Spanplattenschr.", "Spax-Schraube"), "Sechskantschraube": ("6kt-Schraube", "Skt.-Schr."),
    "Holzdübel": ("Dübel Holz", "Holzdübel"), "Gewindestange": ("Gewindestg.", "Gewindestange"),
    "Winkelverbinder": ("Winkel", "Winkelverb."), "Lochplatte": ("Lochpl.", "Loch-Platte"),
    "Kreissägeblatt": ("Sägeblatt", "HM-Kreissägeblatt"), "Steinbohrer": ("Bohrer Stein", "Steinbohrer"),
    "Schleifscheibe": ("Schleifsch.", "Schleifscheiben"),
}  # fmt: skip
HARDWARE_BRANDS = ("Eichwerk", "Nordhammer", "Torvik", "Stahlfuchs", "Grantner")
HARDWARE_FINISHES = ("verzinkt", "Edelstahl A2", "blank", "gelb chromatiert")


def german_hardware(random: Random) -> Iterator[Row]:
    """Yield the records of an article: kind, size, finish and pack in one text; sizes tell articles of a kind apart."""
    thing, brand, finish = (
        random.choice(list(HARDWARE)),
        random.choice(HARDWARE_BRANDS),
        random.choice(HARDWARE_FINISHES),
    )
    wide, long, pack = (
        random.choice((3, 4, 5, 6, 8, 10)),
        random.choice((20, 30, 40, 50, 60, 80)),
        random.choice((10, 50, 100)),
    )
    row = {
        "Artikelbezeichnung": f"{thing} {wide}x{long} mm {finish} {pack} Stück",
        "Hersteller": brand,
        "EAN": "40" + digits(random, 11) if random.random() < 0.7 else "",
        "Herst.-Nr.": f"{brand[:2].upper()}{digits(random, 5)}",
        "VK brutto": f"{random.randrange(1, 40)},{random.choice(('49', '95', '99'))} €",
    }
    yield row
    short = random.choice(HARDWARE[thing])
    titles = (
        f"{short} {wide} x {long} {finish.split()[0]}, {pack} St.",
        f"{brand} {thing} {finish} {wide}x{long}mm ({pack} Stk)",
        f"{thing.upper()} {wide}X{long} {finish.upper()} {pack}ST",
    )
    changes = {
        "Artikelbezeichnung": (0.8, lambda _: random.choice(titles)),
        "Hersteller": (0.2, str.upper),
        "EAN": (0.0, str),
        "Herst.-Nr.": (0.4, lambda text: f"{text[:2]}-{text[2:]}"),
        "VK brutto": (0.5, lambda text: f"{int(text.split(',')[0]) + 1},49 €"),
    }
    for _ in range(copies(random) - 1):
        yield varied(random, row, changes, 0.15)
