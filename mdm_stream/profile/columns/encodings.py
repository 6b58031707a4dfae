"""The encoding of a text that is not Unicode: found by which one makes words of its letters."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

LOOKED_AT_BYTES = 262_144
_CANDIDATES = (
    "cp1252", "cp1250", "cp1251", "koi8-r", "koi8-u", "cp866", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257",
    "gb18030", "cp932",
    "big5", "euc-kr", "euc-jp",
)  # fmt: skip
_WORDS = re.compile(r"[^\W\d_]+")
_WIDE = frozenset({"gb18030", "cp932", "big5", "euc-kr", "euc-jp"})
_COMMON = {
    "cp1252": "éèêàçüöäßñóíáúåøæãõâîôû", "cp1250": "łśżźćęąńóčšžřěůőűăâîșțáéíýúô", "cp1251": "оеаинтсрвлкмдпу",
    "koi8-r": "оеаинтсрвлкмдпу",
    "koi8-u": "оеаинтсрвлкмдпуіїє", "cp866": "оеаинтсрвлкмдпу", "cp1253": "αοιετσνηυρπκμλς",
    "cp1254": "\u0131işğçöüİŞĞÇÖÜâ", "cp1255": "יוהלאתמבשר",
    "cp1256": "المينرتبوهسدع", "cp1257": "āčēģīķļņšūžąęėįųõäöü",
}  # fmt: skip
_COMMON_WIDE = {
    "cp932": "田山川本村藤中小大井野原木高林石松上島谷吉佐和清水加伊渡辺鈴橋子美一郎太男雄夫健直花東京都"
    "阪府県市区町丁目番号氏名住所日月年会社株式北西南新宿古屋福岡横浜神奈電話姓生顧客員",
    "euc-kr": "김이박최정강조윤장임한오서신권황안송전홍민지영수현성진준우희은경미호동구시로길울부산인천대"
    "광주도특별역번이름소화고객회사식남북중",
    "gb18030": "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗市省区县路街号室楼公司有限名称地址电话姓编北京上海"
    "广州深圳南东西中山大小明华国建文丽红",
    "big5": "王李張劉陳楊趙黃周吳林郭市縣區路街號樓公司有限名稱地址電話姓編台北高雄新竹中山大小明華國建文",
}
_COMMON_WIDE["euc-jp"] = _COMMON_WIDE["cp932"]
"""Characters of names, addresses and headers. Those of three languages have the same codes: which are common tells."""
_COMMON_SHARE = 0.2
"""The share of common characters from which on a text is surely in a language; of chance, one in twenty is common."""
_OWN_LETTERS = frozenset({"cp932", "euc-jp", "euc-kr"})
"""Wide encodings of languages that have letters beside ideographs."""
_WIDE_SIGNS = re.compile("[\u3000-\u303f\uff01-\uff60]")
"""Digits, letters and punctuation of full width, and that of Chinese and Japanese."""
_LATIN = frozenset({"cp1252", "cp1250", "cp1254", "cp1257"})
_THREE_BEYOND = re.compile("[^\x00-\x7f]{3}")
"""Latin words have letters beyond ASCII one by one; three in a row are another script in a wrong encoding."""
_BETTER_BY = 0.08
"""How much more of the text another encoding must make sense of to be taken in place of the first."""


def encoding_of(beginning: bytes) -> str | None:
    """Return the encoding of bytes that are neither UTF-8 nor UTF-16, by what a rule set calls it; else None.

    Western European (``cp1252``) is what readers take anyway, so it is None, too. A guess from letters: short texts
    in two encodings that share most letters cannot be told apart.
    """
    sample = beginning[:LOOKED_AT_BYTES]
    if (
        sample.isascii()
        or sample.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf"))
        or sample.count(0) > len(sample) // 8
    ):
        return None
    if _is_utf8(sample[: sample.rfind(b"\n") + 1 or len(sample)]):
        return None
    cut = sample[: sample.rfind(b"\n") + 1] or sample
    scores = {encoding: score for encoding in _CANDIDATES if (score := _sense(cut, encoding)) is not None}
    if not scores:
        return None
    best = max(scores, key=lambda each: scores[each])
    base = scores.get("cp1252", -1.0)
    return None if best == "cp1252" or scores[best] < base + _BETTER_BY or _is_mostly_utf8(cut) else best


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _is_mostly_utf8(text: bytes) -> bool:
    decoded = text.decode("utf-8", "replace")
    good = sum(not character.isascii() and character != "\ufffd" for character in decoded)
    return good >= decoded.count("\ufffd")


def _sense(sample: bytes, encoding: str) -> float | None:
    """Return how much of what is beyond ASCII reads as words of one script, from 0 to 1; None if it cannot be read."""
    try:
        text = sample.decode(encoding)
    except UnicodeDecodeError:
        return None
    beyond = [character for character in text if not character.isascii()]
    if not beyond:
        return None
    letters = sum(character.isalpha() for character in beyond) / len(beyond)
    if encoding in _WIDE:
        written = sum(character.isalnum() or _WIDE_SIGNS.match(character) is not None for character in beyond)
        letters = written / len(beyond)
        kinds = Counter(unicodedata.name(character, "").split()[0] for character in beyond if character.isalpha())
        usual = sum(kinds[each] for each in ("CJK", "HIRAGANA", "KATAKANA", "HANGUL")) / max(1, sum(kinds.values()))
        rare = sum(character < "\u4e00" or character > "\u9fff" for character in beyond if character.isalpha())
        if encoding == "gb18030":
            usual *= _encodable(beyond, "gb2312")  # bytes of another encoding read as rare characters alone
        kana = kinds["HIRAGANA"] + kinds["KATAKANA"]
        usual *= 0.75 + 0.25 * min(1.0, (common := _common_share(beyond, encoding)) / _COMMON_SHARE)
        own = dict.fromkeys(("cp932", "euc-jp"), kana > 0 or common >= _COMMON_SHARE) | {"euc-kr": kinds["HANGUL"] > 0}
        is_own = own.get(encoding, rare == 0)
        halfwidth = sum("\uff61" <= character <= "\uff9f" for character in beyond) / len(beyond)
        return letters * usual * ((0.98 if encoding in _OWN_LETTERS else 0.95) if is_own else 0.5) - halfwidth
    common = sum(
        character.casefold() in _COMMON[encoding].casefold() for character in beyond if character.isalpha()
    ) / len(beyond)
    words = [word for word in _WORDS.findall(text) if not word.isascii()]
    odd = sum(_is_odd(word) for word in words) / max(1, len(words))
    dense = sum(_THREE_BEYOND.search(word) is not None for word in words) / max(1, len(words))
    return 0.5 * letters + 0.5 * common - 0.5 * odd - (0.5 * dense if encoding in _LATIN else 0.0)


def _common_share(characters: Sequence[str], encoding: str) -> float:
    ideographs = [each for each in characters if each.isalpha() and not "\u3040" <= each <= "\u30ff"]
    return sum(each in _COMMON_WIDE[encoding] for each in ideographs) / len(ideographs) if ideographs else 1.0


def _encodable(characters: Sequence[str], encoding: str) -> float:
    return sum(bool(character.encode(encoding, "ignore")) for character in characters) / len(characters)


def _is_odd(word: str) -> bool:
    """Return whether a word mixes scripts, or has a capital after a small letter, as words in a wrong encoding do."""
    scripts = {unicodedata.name(character, "").split()[0] for character in word}
    return len(scripts) > 1 or re.search(r"[a-zà-ÿа-яё][A-ZÀ-ÞА-ЯЁ]", word) is not None
