"""What a file may cost whoever reads it: limits that hold whatever the file says of itself."""

from __future__ import annotations

from dataclasses import dataclass

MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """The limits of one reading.

    ``line_bytes_max``: a line, an element of a JSON array, or a row of Parquet as JSON. ``decompressed_bytes_max``,
    ``decompressed_ratio_max``: what a compressed file may expand to, in bytes and as a multiple of its own once it is
    past ``ratio_bytes_min``. ``parquet_bytes_max``: of a Parquet file, which is kept in a temporary file while it is
    read; ``parquet_page_bytes_max``: of one page of it, decompressed; ``parquet_memory_bytes_max``: what the process
    that reads it may take beyond what its library takes when idle; ``parquet_timeout_s``: how long that process is
    waited for in all. ``header_rows``: rows of JSON whose members are the header.
    """

    line_bytes_max: int = 8 * MEGABYTE
    decompressed_bytes_max: int = 20 * 1024 * MEGABYTE
    decompressed_ratio_max: int = 200
    ratio_bytes_min: int = 16 * MEGABYTE
    parquet_bytes_max: int = 400 * MEGABYTE
    parquet_page_bytes_max: int = 32 * MEGABYTE
    parquet_memory_bytes_max: int = 256 * MEGABYTE
    parquet_timeout_s: float = 600.0
    header_rows: int = 1_000
