"""Why a file as a whole cannot be read: stable codes, and the error that says one of them."""

from __future__ import annotations

from typing import Literal

from mdm_stream.errors import Reason, TerminalError

FileCode = Literal[
    "unknown_prefix",  # no source's files have keys that begin so
    "file_name",  # the name is not of the source's pattern, or says a time that does not exist
    "file_too_large",  # more bytes than the rules or the limits allow
    "not_encrypted",  # not encrypted as the rules demand
    "tags",  # a tag that the rules demand is missing, or has another value
    "load_time",  # a declared time of the load that is none, or lies ahead of the arrival
    "empty_file",  # no bytes, or nothing but blanks
    "unsupported_form",  # a workbook, an archive, a document: no file of rows
    "broken_file",  # damaged or cut short: a compressed stream, a Parquet file, a JSON array
    "decompression_limit",  # expands to more than the limits allow
    "giant_line",  # a line, or an element of an array, that is longer than any row
    "giant_part",  # a column chunk or a page of a Parquet file that no function has the memory for
    "too_many_rows",  # more than a function may read
    "too_many_columns",
    "header",  # a header that cannot be read, or names a column twice
    "columns",  # columns that the rules need are missing, or others are there
    "rows",  # fewer or more rows than the rules allow
    "rejected_share",  # a greater share of rejected rows than the rules allow
    "not_unique",  # a value of a unique column in more than one row
    "unknown_records",  # a full load with rejected rows of which the record cannot be told
    "deleted_share",  # a full load that would delete a greater share than the rules allow
    "no_deletions",  # a full load of a source whose absent records have no version
]


class UnreadableFileError(TerminalError):
    """A file that cannot be read at all, or not to its end. ``reason`` says why, without any value of it."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason
        super().__init__(f"{reason.code}: the file {reason.message}")


def file_reason(code: FileCode, path: str, message: str) -> Reason:
    """Return a reason that is about a whole file."""
    return Reason(code, path, message)


def unreadable(code: FileCode, message: str, path: str = "file") -> UnreadableFileError:
    """Return the error of a file that cannot be read."""
    return UnreadableFileError(file_reason(code, path, message))
