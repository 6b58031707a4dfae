"""The pages of a Parquet file, looked at before any is read: what memory it takes to read so many rows at a time.

A library allocates what a page's header says. Headers are in Thrift's compact protocol, of which as much is read here
as it takes to walk from one to the next.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO, Any, NamedTuple

from mdm_stream.parquet.frames import ROWS_MAX, ParquetFault

HEADER_BYTES_MAX = 65_536
"""Bytes of a page's header: its statistics have two values of a column."""
PAGES_MAX = 200_000
"""Pages of a file: as many as one of its greatest permitted size has at the sizes that writers choose."""
BATCH_BYTES = 8 * 1024 * 1024
"""Bytes that the rows of one batch may have in memory, pages apart that are cut into."""
_DEPTH_MAX = 16

_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_FIXED = {_TRUE: 0, _FALSE: 0, _BYTE: 1, _DOUBLE: 8}
_KIND, _UNCOMPRESSED, _COMPRESSED = 1, 2, 3
_PAGE_HEADERS = (5, 7, 8)
_DICTIONARY = 2
_LENGTH_BYTES = 4


class PageSizes(NamedTuple):
    """What a page's header says: its size decompressed and as it lies there, its values, and if it is a dictionary."""

    size: int
    stored: int
    values: int
    is_dictionary: bool


def batch_rows(file: IO[bytes], columns: Iterable[Iterable[Any]], page_bytes_max: int) -> int:
    """Return how many rows of a file may be read at a time, at least one.

    ``columns`` are the metadata of the column chunks of each column, as pyarrow has them. ``ParquetFault`` if a
    page, or the pages of all columns that are in memory together, are larger than any function has the memory for.
    """
    pages = pages_bytes = row_bytes = 0
    for chunks in columns:
        largest = data = value = 0
        for chunk in chunks:
            for page, at in _pages_of(file, chunk):
                pages += 1
                if pages > PAGES_MAX:
                    raise ParquetFault("giant_part", f"has more than {PAGES_MAX:,} pages; write it with larger ones")
                largest = max(largest, page.size)
                _check(largest, page_bytes_max)
                if page.is_dictionary:
                    value = max(value, _longest_value(file, chunk, page, at))
                else:
                    data = max(data, page.size // max(1, page.values))
        pages_bytes += largest
        row_bytes += data + value
        _check(pages_bytes // 4, page_bytes_max)
    return max(1, min(ROWS_MAX, BATCH_BYTES // max(1, row_bytes)))


def _check(size: int, page_bytes_max: int) -> None:
    if size > page_bytes_max:
        said = f"has pages of more than {page_bytes_max:,} bytes, or of four times that in all columns"
        raise ParquetFault("giant_part", f"{said}; write it with pages of 1 MB at most")


def _pages_of(file: IO[bytes], chunk: Any) -> Iterable[tuple[PageSizes, int]]:
    """Yield the pages of a column chunk, each with the place behind its header."""
    at = chunk.data_page_offset
    if chunk.has_dictionary_page and chunk.dictionary_page_offset:
        at = min(at, chunk.dictionary_page_offset)
    end = at + chunk.total_compressed_size
    while at < end:
        file.seek(at)
        header = _Header(file.read(HEADER_BYTES_MAX))
        page = header.page()
        at += header.at
        yield page, at
        at += page.stored


def _longest_value(file: IO[bytes], chunk: Any, page: PageSizes, at: int) -> int:
    """Return the size of the longest value of a dictionary: each row may have it. Of numbers there is no need to."""
    if chunk.physical_type != "BYTE_ARRAY":
        return _FIXED[_DOUBLE] * 2
    file.seek(at)
    content = _decompressed(file.read(page.stored), chunk.compression, page.size)
    if content is None:
        return page.size
    longest = place = 0
    while place + _LENGTH_BYTES <= len(content):
        length = int.from_bytes(content[place : place + _LENGTH_BYTES], "little")
        longest = max(longest, length)
        place += _LENGTH_BYTES + length
    return min(longest, page.size)


def _decompressed(content: bytes, codec: str, size: int) -> bytes | None:
    import pyarrow as pa  # noqa: PLC0415 - needed for Parquet alone

    if codec == "UNCOMPRESSED":
        return content
    try:
        expanded: bytes = pa.decompress(
            content, size, codec="lz4_raw" if codec == "LZ4" else codec.lower(), asbytes=True
        )
    except (pa.ArrowException, OSError, ValueError):
        return None
    return expanded


class _Header:
    """One page's header, as it is read."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.at = 0

    def page(self) -> PageSizes:
        """Return what the header says; ``at`` is then behind it."""
        found: dict[int, int] = {}
        values = 0
        for field, kind in self._members():
            if kind in (_I16, _I32, _I64):
                found[field] = self._zigzag()
            elif kind == _STRUCT and field in _PAGE_HEADERS:
                values = self._values()
            else:
                self._skip(kind, 0)
        page = PageSizes(
            found.get(_UNCOMPRESSED, -1), found.get(_COMPRESSED, -1), values, found.get(_KIND) == _DICTIONARY
        )
        if min(page[:3]) < 0:
            raise _damaged()
        return page

    def _values(self) -> int:
        """Return how many values the header of a page of one kind counts: its first member."""
        values = 0
        for field, kind in self._members():
            if field == 1 and kind == _I32:
                values = self._zigzag()
            else:
                self._skip(kind, 1)
        return values

    def _members(self) -> Iterable[tuple[int, int]]:
        """Yield the number and the type of each member of a struct; who asks reads or skips the member."""
        field = 0
        while (head := self._byte()) != 0:
            field = field + (head >> 4) if head >> 4 else self._zigzag()
            yield field, head & 0x0F

    def _skip(self, kind: int, depth: int) -> None:
        if depth > _DEPTH_MAX:
            raise _damaged()
        if kind in (_I16, _I32, _I64):
            self._varint()
        elif kind == _BINARY:
            size = self._varint()
            self.at += size
        elif kind == _STRUCT:
            for _, member in self._members():
                self._skip(member, depth + 1)
        elif kind in (_LIST, _SET):
            self._skip_many(depth)
        elif kind in _FIXED:
            self.at += _FIXED[kind]
        else:
            raise _damaged()
        if self.at > len(self._content):
            raise _damaged()

    def _skip_many(self, depth: int) -> None:
        head = self._byte()
        size = self._varint() if head >> 4 == 0x0F else head >> 4
        if size > len(self._content):
            raise _damaged()
        for _ in range(size):
            if head & 0x0F in (_TRUE, _FALSE):
                self.at += 1
            else:
                self._skip(head & 0x0F, depth + 1)

    def _byte(self) -> int:
        if self.at >= len(self._content):
            raise _damaged()
        self.at += 1
        return self._content[self.at - 1]

    def _varint(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
            if shift > 63:
                raise _damaged()
        return value | byte << shift

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)


def _damaged() -> ParquetFault:
    return ParquetFault("broken_file", "is damaged: a page of it has no header that can be read; send it again")
