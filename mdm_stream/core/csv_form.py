"""How CSV files may be written: what the rules may say of them, and what a rejected row says of its file."""

from __future__ import annotations

from typing import Literal

DELIMITER_PATTERN = r"^[^A-Za-z0-9\"'\r\n]$"
"""A delimiter is one character that is no letter, digit, quote or line end."""

COLUMNS_MAX = 4_096
"""Columns of a file, and fields of a row: as many as the widest table of the databases in use (MySQL) may have."""

CsvEncoding = Literal[
    "utf-8", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "iso-8859-2", "iso-8859-5", "iso-8859-7", "iso-8859-9",
    "iso-8859-15", "cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "cp437",
    "cp850", "cp852", "cp866", "koi8-r", "koi8-u", "mac-roman", "cp932", "gb18030", "big5", "euc-kr", "euc-jp",
]  # fmt: skip
"""Encodings of CSV files: a line end is in all of them what it is in ASCII, but in UTF-16."""
