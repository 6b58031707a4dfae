"""All texts that some bytes may be read as, whatever wrote or damaged them: encodings, escapes, packing. Pure.

What cannot be parsed has to be searched as it is, and a value may stand in it in many forms. So the bytes are read in
every way that a writer of JSON, CSV, HTML, URLs, mail or a database dump uses, and so is what these readings have
inside them (base64, hexadecimal digits, gzip). Nothing is parsed: a payload that was cut off is read as far as it goes.

Each step takes time linear in what it reads, and all that is unpacked counts against ``UNPACKED_BYTES_MAX``; what is
beyond it, or packed in a way that cannot be undone here, is reported as ``opaque`` instead of being passed over.
"""

from __future__ import annotations

import binascii
import bz2
import html.entities
import lzma
import re
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

UNPACKED_BYTES_MAX = 64 * 1024**2
"""Bytes that are read for one payload, the payload and all that is packed in it together."""

DEPTH_MAX = 4
"""Packed in packed: gzip in base64 in JSON in an envelope."""

PACKED_MAX = 1_000
"""Places at which a compressed stream may begin that are tried in one payload. A megabyte of noise has some 200."""

ROUNDS_MAX = 3
"""Escapes within escapes that are undone: JSON in JSON is one (all backslashes of a run go at once), %25C3 is two."""

CODE_PAGES = ("cp1252", "cp850", "mac_roman", "cp1250", "cp1251", "iso8859_9", "shift_jis", "gb18030", "euc_kr")
"""What bytes that are no UTF-8 are read as. All agree on ASCII; the first three have what Latin-1 has."""

ASCII, LATIN, ANY = 0, 3, len(CODE_PAGES)
"""What is looked for, as the number of code pages that matter to it."""

NOISE_PER_CENT = 5
"""Bytes of which more are control characters are no text but, say, a word that was read as base64. Packed bytes of
this kind are read plainly, without escapes and without what might be packed in them."""

_CONTROLS = bytes({*range(1, 9), *range(14, 32), 127})
_PIECE_BYTES = 16_384

_ESCAPE = re.compile(
    r"[\\%&](?:"
    r"(?P<units>(?:(?<=\\)\\*+|(?<=%))u[0-9a-fA-F]{4}(?:(?:\\++|%)u[0-9a-fA-F]{4})*)"
    r"|(?P<octets>(?:(?<=\\)\\*+(?:x[0-9a-fA-F]{2}|[0-3][0-7]{2})|(?<=%)[0-9a-fA-F]{2})"
    r"(?:(?:\\++x|%)[0-9a-fA-F]{2}|\\++[0-3][0-7]{2})*)"
    r"|(?<=\\)\\*+u\{(?P<point>[0-9a-fA-F]{1,6})\}"
    r"|(?<=\\)\\*+U(?P<long>[0-9a-fA-F]{8})"
    r"|(?<=&)#0*+(?P<decimal>[0-9]{1,7});?"
    r"|(?<=&)#[xX]0*+(?P<hex>[0-9a-fA-F]{1,6});?"
    r"|(?<=&)(?P<entity>[A-Za-z][A-Za-z0-9]{1,31};)"
    r"|(?<=\\)\\*+(?P<plain>[\s\S]?))"
)
"""Begins with one of three characters, so that the search for it is fast, and matches a run of backslashes in one go,
so that none is looked at twice."""

_UNIT = re.compile(r"u([0-9a-fA-F]{4})")
_OCTET = re.compile(r"(?:x|%)([0-9a-fA-F]{2})|\\([0-3][0-7]{2})")
_QUOTED_PRINTABLE = re.compile(r"=(?:[0-9A-Fa-f]{2}(?:(?:=\r?\n)?=[0-9A-Fa-f]{2})*|[ \t]{0,8}\r?\n)")
_QUOTED_OCTET = re.compile(r"=([0-9A-Fa-f]{2})")
_CUT_ESCAPE = re.compile(
    r"(?:\\+(?:u[0-9a-fA-F]{0,3}|x[0-9a-fA-F]?|[0-9]{0,2})?|[%=][0-9a-fA-F]?|&#?\w{0,6}|\ufffd+)\Z"
)
_ESCAPE_CHARS_MAX = 16
_BASE64 = re.compile(r"[A-Za-z0-9+/_-][A-Za-z0-9+/_-]{7,}+")
_BASE64_LINES = re.compile(r"(?<![A-Za-z0-9+/])([A-Za-z0-9+/]{40,}+)\s{1,4}")
_BASE64_LINE_CHARS = 40
_THREE_SPACES = "ICAg"
"""In base64: what fills a run up to whole groups of four."""
_HEXADECIMAL = re.compile(r"[0-9a-fA-F][0-9a-fA-F]{11,}+")
_URL_SAFE = str.maketrans("-_", "+/")
_SPACES = frozenset("nrtbfv")
_COMPRESSED = re.compile(
    rb"(?P<zlib>\x1f\x8b\x08|x[\x01\x5e\x9c\xda])|(?P<bz2>BZh[1-9]1AY&SY)|(?P<xz>\xfd7zXZ\x00)|(?P<zip>PK\x03\x04)"
)
_OPAQUE = re.compile(rb"\x28\xb5\x2f\xfd|\x04\x22\x4d\x18|\xff\x06\x00\x00sNaPpY|Obj\x01|7z\xbc\xaf\x27\x1c|Salted__")
"""How zstd, LZ4, Snappy, Avro (which packs its blocks), 7z and OpenSSL begin: nothing here can look inside."""

_ZIP_HEADER_BYTES = 30
_DEFLATED = 8


class Readings:
    """The readings of one payload; ``opaque`` tells afterwards whether something in it could not be read."""

    def __init__(self, raw: bytes, *, code_pages: int = ANY, bytes_max: int = UNPACKED_BYTES_MAX) -> None:
        """Take the bytes, and what is looked for in them: ``ASCII``, ``LATIN``, ``ANY``."""
        self._waiting: list[tuple[bytes, int]] = [(raw, 0)]
        self._code_pages = code_pages
        self._left = max(bytes_max, 2 * len(raw))
        self._packed_left = PACKED_MAX
        self.opaque = False

    def __iter__(self) -> Iterator[str]:
        """Yield every reading, the plainest first; each is in memory while it is looked at, and no longer."""
        while self._waiting:
            data, depth = self._waiting.pop(0)
            if _OPAQUE.match(data) or (depth == 0 and _OPAQUE.search(data)):
                self.opaque = True
            yield from self._read(data, depth)

    def _read(self, data: bytes, depth: int) -> Iterator[str]:
        noise = _is_noise(data)
        for number, text in enumerate(self._texts(data, depth)):
            yield text
            if not noise or (number == 0 and depth == 0):
                yield from _without_escapes(text)
        if not (noise and depth):
            # Base64 and hexadecimal digits are ASCII, which all encodings of a byte a character agree on.
            text = without_cut_escape(data.replace(b"\0", b"").decode("ascii", "replace"))
            *_, last = (text, *unescaped(text))
            for each in {text, last}:
                for packed in _packed_in(each):
                    self._push(packed, depth)
        for start in _COMPRESSED.finditer(data):
            if self._packed_left == 0:
                self.opaque = True
                break
            self._packed_left -= 1
            self._push(self._inflated(data, start), depth)

    def _texts(self, data: bytes, depth: int) -> Iterator[str]:
        """Yield the bytes in every encoding that may be meant."""
        text = data.decode("utf-8", "replace")
        broken = text.count("\ufffd") > data.count(b"\xef\xbf\xbd")
        yield text
        if broken:
            # What was unpacked is most often noise, such as a word that was read as base64.
            for code_page in CODE_PAGES[: min(1, self._code_pages) if depth else self._code_pages]:
                yield data.decode(code_page, "replace")
        if b"\0" in data:
            # UTF-16 and UTF-32 of either order, up to U+00FF.
            yield data.replace(b"\0", b"").removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff").decode("latin-1")
        if self._code_pages > LATIN and (b"\0" in data or (broken and not depth)):
            for encoding in ("utf-16-le", "utf-16-be"):
                for offset in (0, 1):
                    yield data[offset:].decode(encoding, "replace")

    def _push(self, data: bytes, depth: int) -> None:
        if not data:
            return
        if depth + 1 > DEPTH_MAX or len(data) > self._left:
            self.opaque = True
            return
        self._left -= len(data)
        self._waiting.append((data, depth + 1))

    def _inflated(self, data: bytes, start: re.Match[bytes]) -> bytes:
        """Return what a compressed stream holds, as far as it can be unpacked."""
        at = start.start()
        inflater: Any
        if start["zip"]:
            header = data[at : at + _ZIP_HEADER_BYTES]
            if len(header) < _ZIP_HEADER_BYTES or int.from_bytes(header[8:10], "little") != _DEFLATED:
                return b""
            at += _ZIP_HEADER_BYTES + sum(int.from_bytes(header[i : i + 2], "little") for i in (26, 28))
            inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        elif start["zlib"]:
            inflater = zlib.decompressobj(zlib.MAX_WBITS | 32)
        else:
            inflater = bz2.BZ2Decompressor() if start["bz2"] else lzma.LZMADecompressor()
        found, size = [], 0
        # In pieces, so that what came before damage is kept.
        with suppress(zlib.error, OSError, EOFError, lzma.LZMAError, ValueError):
            while at < len(data) and not inflater.eof:
                piece = inflater.decompress(data[at : at + _PIECE_BYTES], self._left + 1 - size)
                found.append(piece)
                size += len(piece)
                if size > self._left:
                    self.opaque = True
                    break
                at += _PIECE_BYTES
        return b"".join(found)[: self._left]


def unescaped(text: str) -> Iterator[str]:
    """Yield a text without its escapes, round by round, as long as it has any: JSON, HTML, URLs, dialects of CSV."""
    for _ in range(ROUNDS_MAX):
        if "\\" not in text and "%" not in text and "&" not in text:
            return
        unescaped = _ESCAPE.sub(_meant, text)
        if unescaped == text:
            return
        yield unescaped
        text = unescaped


def _without_escapes(text: str) -> Iterator[str]:
    last = text = without_cut_escape(text)
    for last in unescaped(text):
        yield last
    for each in {text, last} if "=" in text or "=" in last else ():
        if (printable := _QUOTED_PRINTABLE.sub(_meant_by_mail, each)) != each:
            yield printable
            yield from unescaped(printable)


def _is_noise(data: bytes) -> bool:
    controls = len(data) - len(data.translate(None, _CONTROLS))
    return controls * 100 > len(data) * NOISE_PER_CENT


def without_cut_escape(text: str) -> str:
    """Return a text without an escape at its end of which only a part is there."""
    tail = text[-_ESCAPE_CHARS_MAX:]
    return text[: len(text) - len(tail)] + _CUT_ESCAPE.sub("", tail)


def _meant(escape: re.Match[str]) -> str:
    """Return what one escape, or a run of them that belong together, stands for."""
    kind = escape.lastgroup or ""
    written = escape[kind]
    if kind == "plain":
        return " " if written in _SPACES else written
    if kind == "units":
        units = b"".join(int(unit, 16).to_bytes(2, "big") for unit in _UNIT.findall(written))
        return units.decode("utf-16-be", "replace")
    if kind == "octets":
        return _decoded(bytes(int(h, 16) if h else int(o, 8) & 255 for h, o in _OCTET.findall(escape[0])))
    if kind == "entity":
        return html.entities.html5.get(written, escape[0])
    code = int(written, 10 if kind == "decimal" else 16)
    return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else "\ufffd"


def _meant_by_mail(run: re.Match[str]) -> str:
    """Return what a run of quoted-printable stands for; a soft end of a line is nothing."""
    return _decoded(bytes(int(each, 16) for each in _QUOTED_OCTET.findall(run[0])))


def _decoded(octets: bytes) -> str:
    """Return bytes that were written as escapes, as text: UTF-8 (whose end may be cut off), or else CP1252."""
    for cut in range(min(4, len(octets))):
        with suppress(UnicodeDecodeError):
            return octets[: len(octets) - cut].decode() + "\ufffd" * bool(cut)
    return octets.decode("cp1252", "replace")


def _packed_in(text: str) -> Iterator[bytes]:
    """Yield what the runs of base64 and of hexadecimal digits in a text stand for, at every alignment."""
    runs = _BASE64.findall(text)
    several = [runs] if runs else []
    if any(len(run) >= _BASE64_LINE_CHARS for run in runs) and (lines := _BASE64_LINES.sub(r"\1", text)) != text:
        several.append(_BASE64.findall(lines))
    for each in several:
        for offset in range(4):
            groups = "".join(run[offset:] + _THREE_SPACES[(len(run) - offset) % 4 or 4 :] for run in each)
            yield binascii.a2b_base64(groups.translate(_URL_SAFE))
    digits = _HEXADECIMAL.findall(text)
    for offset in (0, 1) if digits else ():
        yield b"\n".join(bytes.fromhex(run[offset : len(run) - (len(run) - offset) % 2]) for run in digits)
