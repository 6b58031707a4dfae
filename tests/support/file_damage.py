"""Parquet files that are damaged in every place and way, always the same for one seed."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator

import pyarrow as pa
from pyarrow import parquet

_WAYS = ("bytes", "bits", "footer", "cut", "sizes", "swapped", "footer size")


def whole_files() -> list[bytes]:
    """Return sound files: several types, codecs, versions of pages, dictionaries and row groups."""
    rows = 60
    table = pa.table({
        "id": [str(number) for number in range(rows)],
        "first": ["Ada", None, "Eve"] * (rows // 3),
        "n": list(range(rows)),
        "f": [number / 7 for number in range(rows)],
        "t": pa.array(range(rows), pa.timestamp("us", "UTC")),
        "shoes": [[number] for number in range(rows)],
    })  # fmt: skip
    found = []
    for codec, version, is_dictionary in (
        ("snappy", "1.0", True),
        ("zstd", "2.0", True),
        ("none", "1.0", False),
        ("gzip", "2.0", False),
        ("lz4", "1.0", True),
    ):
        out = io.BytesIO()
        parquet.write_table(
            table, out, compression=codec, data_page_version=version, use_dictionary=is_dictionary, row_group_size=25
        )
        found.append(out.getvalue())
    return found


def damaged_files(chance: random.Random, count: int) -> Iterator[bytes]:
    """Yield damaged files, each still with the marks of Parquet at both ends."""
    whole = whole_files()
    for number in range(count):
        yield _damaged(bytearray(chance.choice(whole)), _WAYS[number % len(_WAYS)], chance)


def _damaged(content: bytearray, way: str, chance: random.Random) -> bytes:
    end = len(content) - 8
    footer = end - int.from_bytes(content[end : end + 4], "little")
    if way == "bytes":
        for _ in range(chance.randint(1, 4)):
            content[chance.randrange(4, end)] = chance.randrange(256)
    elif way == "bits":
        content[chance.randrange(4, footer)] ^= 1 << chance.randrange(8)
    elif way == "footer":
        for _ in range(chance.randint(1, 3)):
            content[chance.randrange(footer, end)] ^= 1 << chance.randrange(8)
    elif way == "cut":
        begin = chance.randrange(4, footer)
        del content[begin : begin + chance.randint(1, footer - begin)]
    elif way == "sizes":
        at = chance.randrange(4, end - 10)
        content[at : at + 5] = b"\xfe\xff\xff\xff\x0f"  # a length of nearly 2^31, as headers and footers have them
    elif way == "swapped":
        one, other = chance.randrange(4, end - 40), chance.randrange(4, end - 40)
        content[one : one + 32], content[other : other + 32] = content[other : other + 32], content[one : one + 32]
    else:
        content[end : end + 4] = chance.choice((0, 1, end, end - 4, 2**24 - 1)).to_bytes(4, "little")
    return bytes(content)
