"""What the stages of a job leave to each other: a folder of Parquet tables, each whole or not there.

A stage that has been kept is not computed again by a job that begins anew in the same folder, so that one which was
killed goes on where it was. Tables hold personal values: the folder belongs to the job alone and is removed at its end.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

StageProgress = Callable[[str, float], None]
"""Called with a stage that is done, and the seconds that it took (0 where it had been kept before)."""


class Workspace:
    """Tables by name below ``url``, a folder or a bucket's prefix that Spark can write to."""

    def __init__(self, spark: SparkSession, url: str, on_stage: StageProgress = lambda _stage, _seconds: None) -> None:
        self._spark = spark
        self._url = url.rstrip("/")
        self._on_stage = on_stage

    def keep(self, name: str, make: Callable[[], DataFrame], *, by: str | None = None) -> DataFrame:
        """Write what ``make`` returns, unless it is there, and return it as it was written: it is computed once.

        ``by`` is a column each of whose values gets a folder of its own.
        """
        began_s = time.monotonic()
        path = f"{self._url}/{name}"
        if self._exists(f"{path}/_SUCCESS"):
            self._on_stage(name, 0.0)
            return self._spark.read.parquet(path)
        made = make()
        writer = made.write.mode("overwrite")
        (writer if by is None else writer.partitionBy(by)).parquet(path)
        self._on_stage(name, time.monotonic() - began_s)
        return self._spark.read.schema(made.schema).parquet(path)

    def drop(self, name: str) -> None:
        """Remove a table that nothing reads any more."""
        path = self._path(f"{self._url}/{name}")
        self._file_system(path).delete(path, True)

    def remove(self) -> None:
        """Remove everything in it."""
        path = self._path(self._url)
        self._file_system(path).delete(path, True)

    def _exists(self, name: str) -> bool:
        path = self._path(name)
        return bool(self._file_system(path).exists(path))

    def _path(self, name: str) -> Any:
        context: Any = self._spark.sparkContext
        return context._jvm.org.apache.hadoop.fs.Path(name)  # noqa: SLF001 - Spark's Python has no other way

    def _file_system(self, path: Any) -> Any:
        context: Any = self._spark.sparkContext
        return path.getFileSystem(context._jsc.hadoopConfiguration())  # noqa: SLF001 - see above
