"""What the stages of a job leave to each other: a folder of Parquet tables, each whole or not there.

Spark's executors write and read them, on other machines than the driver's where the job runs on Glue, and the driver
writes those of the live side: so the folder is on a disk only where one machine does all of it, and else on S3.

A stage that has been kept is not computed again by a job that begins anew in the same folder, so that one which was
killed goes on where it was. Tables hold personal values: the folder belongs to the job alone and is removed at its end.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import orjson

from mdm_stream.deployment import as_url
from mdm_stream.objects.opening import open_object_store
from mdm_stream.objects.store import MissingObjectError, ObjectStore
from mdm_stream.reconcile.table_files import TableFiles

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

StageProgress = Callable[[str, float], None]
"""Called with a stage that is done, and the seconds that it took (0 where it had been kept before)."""


_KEPT = "_kept.json"
"""The columns of a table that is there as a whole: those of an empty one are in no file of its own. Spark passes over
names that begin so.
"""

_PATTERNS = re.compile(r"[][{}*?\\]")

OpenStore = Callable[[str], ObjectStore]


class Workspace:
    """Tables by name below ``url``: a path, ``file:///folder``, or ``s3://bucket/prefix`` where Spark reads that.

    ``opened`` opens the store at an address for what the driver writes there.
    """

    def __init__(
        self,
        spark: SparkSession,
        url: str,
        on_stage: StageProgress = lambda _stage, _seconds: None,
        opened: OpenStore = open_object_store,
    ) -> None:
        self._spark = spark
        self._url = _as_spark_names_it(url.rstrip("/"))
        self._on_stage = on_stage
        self._opened = opened

    @property
    def spark(self) -> SparkSession:
        """The session that its tables are read with."""
        return self._spark

    @property
    def url(self) -> str:
        """Where its tables are."""
        return self._url

    def within(self, name: str, on_stage: StageProgress | None = None) -> Workspace:
        """Return a folder of it as a workspace of its own, which tells its stages to ``on_stage`` if that is given."""
        return Workspace(self._spark, f"{self._url}/{name}", on_stage or self._on_stage, self._opened)

    def keep(self, name: str, make: Callable[[], DataFrame], *, by: str | None = None) -> DataFrame:
        """Write what ``make`` returns, unless it is there, and return it as it was written: it is computed once.

        ``by`` is a column each of whose values gets a folder of its own.
        """
        began_s = time.monotonic()
        path = f"{self._url}/{name}"
        store = self.store()
        schema = _schema_of(store, name)
        if schema is not None:
            self._on_stage(name, 0.0)
            return self._spark.read.schema(schema).parquet(_literally(path))
        context = self._spark.sparkContext
        context.setJobDescription(name)  # by which Spark's page and its event log tell the stages apart
        try:
            made = make()
            writer = made.write.mode("overwrite")
            (writer if by is None else writer.partitionBy(by)).parquet(path)
        finally:
            context.setLocalProperty("spark.job.description", None)  # type: ignore[arg-type]  # None takes it away
        store.put(f"{name}/{_KEPT}", made.schema.json().encode())
        self._on_stage(name, time.monotonic() - began_s)
        return self._spark.read.schema(made.schema).parquet(_literally(path))

    def write(self, name: str, table: DataFrame) -> DataFrame:
        """Write a table anew, and return it as it was written: it is computed once."""
        path = f"{self._url}/{name}"
        table.write.mode("overwrite").parquet(path)
        return self._spark.read.schema(table.schema).parquet(_literally(path))

    def read(self, name: str) -> DataFrame:
        """Return a table that has been written."""
        return self._spark.read.parquet(_literally(f"{self._url}/{name}"))

    def table_files(self, schemas: Mapping[str, Mapping[str, str]]) -> TableFiles:
        """Return tables for the driver to write, in place of those that are there; see ``TableFiles``."""
        return TableFiles(self.store(), schemas)

    def drop(self, name: str) -> None:
        """Remove a table that nothing reads any more."""
        path = self._path(f"{self._url}/{name}")
        self._file_system(path).delete(path, True)

    def remove(self) -> None:
        """Remove everything in it: in a bucket with versions, all that was in it, which Spark's own deletes leave."""
        self.store().purge("")
        path = self._path(self._url)
        self._file_system(path).delete(path, True)

    def store(self) -> ObjectStore:
        """Return the store that its tables lie in."""
        return self._opened(as_url(self._url))

    def _path(self, name: str) -> Any:
        context: Any = self._spark.sparkContext
        return context._jvm.org.apache.hadoop.fs.Path(name)  # noqa: SLF001 - Spark's Python has no other way

    def _file_system(self, path: Any) -> Any:
        context: Any = self._spark.sparkContext
        return path.getFileSystem(context._jsc.hadoopConfiguration())  # noqa: SLF001 - see above


def _as_spark_names_it(url: str) -> str:
    """Return the address of a folder as a path: Spark takes %20 in an address for three characters of a name."""
    parts = urlsplit(url)
    return unquote(parts.path) if parts.scheme == "file" else url


def _literally(path: str) -> str:
    """Return a path as Spark reads it: it takes brackets, braces, * and ? for patterns, though not where it writes."""
    return _PATTERNS.sub(r"\\\g<0>", path)


def _schema_of(store: ObjectStore, name: str) -> StructType | None:
    """Return the columns of a table that was kept, ``None`` where there is none as a whole."""
    from pyspark.sql.types import StructType  # noqa: PLC0415 - only what runs on Spark needs it

    try:
        return StructType.fromJson(orjson.loads(store.get(f"{name}/{_KEPT}")))
    except MissingObjectError:
        return None
