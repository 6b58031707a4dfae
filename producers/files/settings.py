"""The limits of the gatekeeper of files: how large chunks are, which way a file goes, what reading it may cost."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from mdm_stream.decode.files.read_limits import MEGABYTE, ReadLimits
from mdm_stream.settings import Settings

Bytes = Annotated[int, Field(ge=1)]
_DEFAULTS = ReadLimits()


class FileLimits(Settings):
    """The limits of the functions of the gatekeeper, each read from the variable of its name behind ``MDM_FILES_``.

    ``chunk_bytes`` and ``chunk_rows``: a chunk ends behind the row with which it has one of them. ``direct_bytes_max``:
    an object that is not larger is done in one invocation; ``spark_bytes_min``: one that is as large is not read, but
    handed to a Spark job. ``rows_max``: rows of a file that is read. The others are those of
    :class:`~mdm_stream.decode.files.read_limits.ReadLimits`.
    """

    env_prefix: ClassVar[str] = "MDM_FILES_"

    chunk_bytes: Bytes = 8 * MEGABYTE
    chunk_rows: Bytes = 50_000
    direct_bytes_max: Annotated[int, Field(ge=0)] = MEGABYTE
    spark_bytes_min: Bytes = 2 * 1024 * MEGABYTE
    rows_max: Bytes = 4_000_000
    line_bytes_max: Bytes = _DEFAULTS.line_bytes_max
    decompressed_bytes_max: Bytes = _DEFAULTS.decompressed_bytes_max
    decompressed_ratio_max: Bytes = _DEFAULTS.decompressed_ratio_max
    parquet_bytes_max: Bytes = _DEFAULTS.parquet_bytes_max
    parquet_page_bytes_max: Bytes = _DEFAULTS.parquet_page_bytes_max
    parquet_memory_bytes_max: Bytes = _DEFAULTS.parquet_memory_bytes_max
    parquet_timeout_s: Annotated[float, Field(gt=0)] = _DEFAULTS.parquet_timeout_s
    header_rows: Bytes = _DEFAULTS.header_rows

    @property
    def reading(self) -> ReadLimits:
        """The limits of a reading."""
        return ReadLimits(
            line_bytes_max=self.line_bytes_max,
            decompressed_bytes_max=self.decompressed_bytes_max,
            decompressed_ratio_max=self.decompressed_ratio_max,
            parquet_bytes_max=self.parquet_bytes_max,
            parquet_page_bytes_max=self.parquet_page_bytes_max,
            parquet_memory_bytes_max=self.parquet_memory_bytes_max,
            parquet_timeout_s=self.parquet_timeout_s,
            header_rows=self.header_rows,
        )
