"""A value is found in whatever form it is written, in bytes that no parser takes, in linear time."""

from __future__ import annotations

import base64
import bz2
import gzip
import html
import io
import json
import lzma
import quopri
import time
import unicodedata
import urllib.parse
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from mdm_stream.decode import Delivery
from mdm_stream.decode.redrive_envelope import wrap
from mdm_stream.erasure.folding import MARKS_IN_A_ROW_MAX, fold
from mdm_stream.erasure.needles import FILE_PIECE_BYTES, Needles, written_forms
from mdm_stream.erasure.readings import ANY, DEPTH_MAX, Readings

NAME = "Müller-Lüdenscheidt"
RUSSIAN = "Анастасия Викторовна"
OTHERS = "Quendolberga Wintersteiger"

WHOLE = json.dumps({"a": "x", "name": NAME, "b": "y"})
PLAIN = json.dumps({"a": "x", "name": NAME, "b": "y"}, ensure_ascii=False)


def zipped(text: str) -> bytes:
    """Return a zip archive with a text in it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("text.txt", "first " * 50 + text)
    return file.getvalue()


def octal(text: str) -> bytes:
    """Return a text as dialects of CSV and SQL dumps escape it."""
    return b"".join(b"\\%03o" % byte if byte > 127 else bytes([byte]) for byte in text.encode())


FORMS: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "upper case": lambda text: text.upper().encode(),
    "decomposed": lambda text: unicodedata.normalize("NFD", text).encode(),
    "JSON, cut": lambda text: json.dumps({"name": text}).encode()[:-2],
    "JSON, upper case": lambda text: json.dumps(text).upper().replace("\\U", "\\u").encode(),
    "JSON in JSON, cut": lambda text: json.dumps({"payload": json.dumps({"name": text})}).encode()[:-4],
    "code points": lambda text: "".join(f"\\u{{{ord(c):x}}}" if ord(c) > 127 else c for c in text).encode(),
    "long code points": lambda text: "".join(f"\\U{ord(c):08x}" if ord(c) > 127 else c for c in text).encode(),
    "hexadecimal escapes": lambda text: "".join(f"\\x{byte:02X}" for byte in text.encode()).encode(),
    "octal escapes": octal,
    "percent": lambda text: urllib.parse.quote(text).encode(),
    "percent, all of it": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()).encode(),
    "percent twice": lambda text: urllib.parse.quote(urllib.parse.quote(text)).encode(),
    "form of the web": lambda text: urllib.parse.urlencode({"name": text}).encode(),
    "percent u": lambda text: "".join(f"%u{ord(c):04X}" if ord(c) > 127 else c for c in text).encode(),
    "HTML numbers": lambda text: text.encode("ascii", "xmlcharrefreplace"),
    "HTML hexadecimal": lambda text: "".join(f"&#x{ord(c):X};" for c in text).encode(),
    "quoted-printable": lambda text: quopri.encodestring(("long " * 14 + text).encode()),
    "base64": lambda text: base64.b64encode(json.dumps({"name": text}).encode()),
    "base64, URL-safe, cut": lambda text: base64.urlsafe_b64encode(f"{{'name': '{text}'}}".encode())[:-3],
    "base64 in lines": lambda text: base64.encodebytes(("x" * 40 + text).encode()),
    "base64 twice": lambda text: base64.b64encode(base64.b64encode(text.encode())),
    "base64 in JSON": lambda text: json.dumps({"raw": base64.b64encode(text.encode()).decode()}).encode()[:-1],
    "hexadecimal": lambda text: b"\\x" + text.encode().hex().encode(),
    "gzip": lambda text: gzip.compress(text.encode()),
    "gzip, cut": lambda text: gzip.compress((text + Random(1).randbytes(9_000).hex()).encode())[:-4_000],
    "gzip within": lambda text: b"head \x00\x01" + gzip.compress(text.encode()) + b"tail",
    "gzip in base64": lambda text: base64.b64encode(gzip.compress(text.encode())),
    "zlib": lambda text: b"MDM" + zlib.compress(text.encode()),
    "bzip2": lambda text: bz2.compress(text.encode()),
    "xz": lambda text: lzma.compress(text.encode()),
    "zip": zipped,
    "UTF-16": lambda text: text.encode("utf-16"),
    "UTF-16, shifted": lambda text: b"x" + text.encode("utf-16-be"),
    "CSV": lambda text: f'1;"{text}";"'.encode(),
    "damaged envelope": lambda text: wrap(Delivery.from_row(text.encode() + b" " * 9, 1, "a/b:1"))[:-5],
    "zero width": lambda text: "\u200b".join(text).encode(),
}


@pytest.mark.parametrize("value", [NAME, RUSSIAN, OTHERS], ids=["German", "Russian", "ASCII"])
@pytest.mark.parametrize("form", FORMS)
def test_a_value_is_found_in_every_form(form: str, value: str) -> None:
    """Whole or cut off, packed or escaped, and nothing else is found with it."""
    found = Needles([NAME, RUSSIAN, OTHERS, "Nobody Atall"]).found_in(FORMS[form](value))
    assert found.values == {value}
    assert not found.opaque


@pytest.mark.parametrize("code_page", ["latin-1", "cp1252", "cp1250", "cp850", "mac_roman"])
def test_a_value_is_found_in_old_code_pages(code_page: str) -> None:
    """In a payload that is no UTF-8, also beside escapes."""
    raw = f'x;"{NAME}";'.encode(code_page)
    assert Needles([NAME]).found_in(raw).words == {NAME}
    mixed = raw.replace("üll".encode(code_page), b"\\u00fcll")
    assert Needles([NAME]).found_in(mixed).words == {NAME}


OLD_SCRIPTS = {
    "cp1251": RUSSIAN,
    "iso8859_9": "İğneoğlu",
    "shift_jis": "山田太郎",
    "gb18030": "李小龙",
    "euc_kr": "김철수",
}


@pytest.mark.parametrize("code_page", OLD_SCRIPTS)
def test_other_scripts_are_found_in_theirs(code_page: str) -> None:
    """Where the bytes alone would not tell."""
    text = OLD_SCRIPTS[code_page]
    assert Needles([text]).found_in(b"x," + text.encode(code_page) + b",").values == {text}


@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("glued", ["", "Q", "QU", "QUJ"])
def test_base64_is_read_at_every_alignment(before: int, glued: str) -> None:
    """Whatever was encoded before the value, and whatever letters stand before the encoded text."""
    raw = glued.encode() + base64.b64encode(b"abcd"[:before] + NAME.encode() + b"zz")
    assert Needles([NAME]).found_in(raw).values == {NAME}


@pytest.mark.parametrize("cut", range(6, len(json.dumps(NAME)) - 1))
def test_a_value_that_is_cut_off_is_found(cut: int) -> None:
    """As soon as what is left is no short value, wherever the cut is: within an escape too."""
    assert Needles([NAME]).found_in(('{"a": ' + json.dumps(NAME)[:cut]).encode()).values or cut < 11
    assert not Needles([NAME]).found_in(b'{"a": "M\\u00fcl').values


def test_a_number_is_found_however_it_is_grouped() -> None:
    """A telephone number with its country or without, an id with dashes; not within a row of other numbers."""
    needles = Needles(["+49 (30) 123 4987", "4711-0815-77"])
    for raw in (
        b"+49301234987",
        b"0049 30 / 123-49-87",
        b'"+49 30 1234987"',
        b"tel:+49-30-1234987",
        b"49%2030%201234987",
    ):
        assert needles.found_in(raw).values == {"+49 (30) 123 4987"}, raw
    assert needles.found_in(b"id 4711 0815 77").words == {"4711-0815-77"}
    assert needles.found_in(b"493012;34987, 47110815x77").values == set()


def test_doubled_and_escaped_quotes_are_one() -> None:
    """As CSV, SQL and JSON write them."""
    needles = Needles(['Hans "Hansi" O\'Brien'])
    in_csv, in_sql = '"Hans ""Hansi"" O\'Brien"', "'Hans \"Hansi\" O''Brien'"
    in_json, in_print = '"Hans \\"Hansi\\" O\\u0027Brien', "Hans \u201eHansi\u201c O\u2019Brien"
    for written in (in_csv, in_sql, in_json, in_print):
        assert len(needles.found_in(written.encode()).words) == 1, written


def test_a_word_is_told_from_a_part_of_one() -> None:
    """Only words may lead to a removal; a short value is found as a word alone, and an id in any form."""
    needles = Needles(["Anton", "Bo"], ["p-7"])
    assert needles.found_in(b"Antonio Bobo p-70").values == {"Anton"}
    assert not needles.found_in(b"Antonio Bobo p-70").words
    found = needles.found_in(b'ANTON,"bo",P%2D7')
    assert (found.words, found.ids, found.exact_ids) == ({"Anton", "Bo"}, True, False)
    assert needles.found_in(b'\\u0070-7"').exact_ids


def test_what_cannot_be_read_is_said_to_be() -> None:
    """Foreign packing, packing beyond the bounds, too deep a packing: none of them is passed over."""
    assert Needles([NAME]).found_in(b"\x28\xb5\x2f\xfd" + b"x" * 30).opaque
    bomb = gzip.compress(b"0" * 4_000_000)
    readings = Readings(bomb, code_pages=ANY, bytes_max=1_000_000)
    assert max(map(len, readings)) <= 1_000_000
    assert readings.opaque
    nested = NAME.encode() * 9
    for _ in range(DEPTH_MAX + 1):
        nested = gzip.compress(nested)
    assert Needles([NAME]).found_in(nested).opaque


def test_a_value_across_pieces_of_a_file_is_found(tmp_path: Path) -> None:
    """A file is never read whole; one that is gone holds nothing."""
    path = tmp_path / "file"
    path.write_bytes(b"." * (FILE_PIECE_BYTES - 7) + OTHERS.encode() + b"." * 99)
    assert Needles([OTHERS]).in_file(path)
    assert not Needles(["Quendolbergus"]).in_file(path)
    assert not Needles([OTHERS]).in_file(tmp_path / "none")


def test_folding_forgets_how_a_text_is_written() -> None:
    """Case, composition, spaces, quotes, dashes; long rows of marks are cut, which keeps it linear."""
    assert fold(" Groß\u00a0\tStraße\u2013\u201eX\u201c ") == fold('GROSS STRASSE-"x"') == 'gross strasse-"x"'
    assert len(fold("a" + "\u0301" * 1_000)) <= MARKS_IN_A_ROW_MAX + 1
    assert set(written_forms(NAME)) >= {NAME, unicodedata.normalize("NFD", NAME), json.dumps(NAME)[1:-1]}
    assert written_forms(OTHERS) == [OTHERS]
    assert html.unescape("&uuml;") in fold(NAME)


HOSTILE: dict[str, Callable[[int], bytes]] = {
    "backslashes": lambda size: b"\\" * size,
    "cut escapes": lambda size: b"\\u00" * (size // 4),
    "entities": lambda size: b"&#0" * (size // 3),
    "percent": lambda size: b"%C3" * (size // 3),
    "soft line ends": lambda size: b"=\r\n" * (size // 3),
    "quotes": lambda size: b'"' * size,
    "escaped quotes, cut": lambda size: b'{"source":"' + b'\\"' * (size // 2) + b"\\",
    "braces": lambda size: b'{"record_id"' + b"{" * size,
    "base64": lambda size: b"A" * size,
    "lines of base64": lambda size: (b"A" * 40 + b" \n" * 8) * (size // 56),
    "hexadecimal": lambda size: b"4d" * (size // 2),
    "marks": lambda size: ("a" + "\u0301\u0323" * (size // 4)).encode(),
    "astral marks": lambda size: ("\U0001d165\U0001d16d" * (size // 8)).encode(),
    "zlib headers": lambda size: b"x\x9c" * (size // 2),
    "digits": lambda size: b"1 " * (size // 2),
    "noise": lambda size: Random(7).randbytes(size),
    "JSON": lambda size: json.dumps([{"n": "Adelheid Mustermann", "i": i} for i in range(size // 42)]).encode(),
}
GROWTH_MAX, MEASURED_MIN_S = 25, 0.02
"""Ten times the bytes may take so many times the time, where a quadratic step would take a hundred."""


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_time_grows_with_the_bytes_alone(name: str) -> None:
    """From 10 to 100 kB, for every shape that an expression might look at twice."""

    def seconds(size: int) -> float:
        raw, best = HOSTILE[name](size), float("inf")
        for _ in range(3):
            began = time.process_time()
            Needles([NAME, RUSSIAN, "+49 30 1234987", "Bo"], ["p-7"]).found_in(raw)
            best = min(best, time.process_time() - began)
        return best

    assert seconds(100_000) < GROWTH_MAX * max(seconds(10_000), MEASURED_MIN_S)
