"""A Spark session for one machine. On Glue the session is there already, and the same code runs on it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mdm_stream.errors import ConfigurationError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

DRIVER_MEMORY = "2g"
"""Memory of the Java process on one machine. Spark spills what does not fit; Python's workers have theirs beside it."""

JAVA_OPTIONS = (
    "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m -XX:+UseParallelGC -Xlog:disable -Xlog:all=warning:stderr"
)
"""Of the Java process on one machine: its quick compiler alone, and the collector that takes least CPU time.

Java takes nearly as long for 4,000 records as for 30,000: starting, planning and compiling, half of it by the second
compiler. Without that one the room for compiled code would be a fifth, which the queries of one job fill. Warnings go
to stderr, for stdout is the command's, and may be JSON.
"""

ARROW_BATCH_ROWS = 1_000
"""Rows that go to Python at once. A record may have hundreds of kilobytes, so that their number alone bounds little."""

PARTITIONS_PER_CORE = 4
"""Tasks that a shuffle is cut into, for each core: a task that is late holds up few others."""


def local_session(cores: int, scratch: Path, memory: str = DRIVER_MEMORY) -> SparkSession:
    """Return a session with so many cores, which listens on loopback alone and writes below ``scratch``.

    ``ConfigurationError`` without the package pyspark, or without Java 17.
    """
    try:
        from pyspark.errors import PySparkRuntimeError  # noqa: PLC0415 - only what runs on Spark needs it
        from pyspark.sql import SparkSession  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "recomputing a domain needs the package pyspark; install it with: pip install 'mdm-stream[spark]'"
        ) from error
    for name in ("PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON"):
        os.environ.setdefault(name, sys.executable)
    builder = SparkSession.builder.appName("mdm-stream").master(f"local[{cores}]")
    settings = {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": memory,
        "spark.driver.extraJavaOptions": JAVA_OPTIONS,
        "spark.local.dir": str(scratch / "spark"),
        "spark.sql.shuffle.partitions": str(PARTITIONS_PER_CORE * cores),
        "spark.sql.warehouse.dir": str(scratch / "tables"),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    for name, value in settings.items():
        builder = builder.config(name, value)
    try:
        session = builder.getOrCreate()
    except PySparkRuntimeError as error:
        raise ConfigurationError(
            "Spark did not start: it needs Java 17 on PATH or in JAVA_HOME (see the lines above)"
        ) from error
    session.sparkContext.setLogLevel("ERROR")
    return tuned(session)


def cluster_session() -> SparkSession:
    """Return the session of the cluster that this process was submitted to, as Glue submits it, ``tuned``."""
    from pyspark.sql import SparkSession  # noqa: PLC0415 - only what runs on Spark needs it

    return tuned(SparkSession.builder.appName("mdm-stream").getOrCreate())


def tuned(session: SparkSession) -> SparkSession:
    """Set what the job relies on, on a session of any kind; return it."""
    settings = {
        "spark.sql.adaptive.enabled": "true",
        "spark.sql.adaptive.skewJoin.enabled": "true",
        "spark.sql.execution.arrow.maxRecordsPerBatch": str(ARROW_BATCH_ROWS),
        "spark.sql.session.timeZone": "UTC",
    }
    for name, value in settings.items():
        session.conf.set(name, value)
    return session


def gathered(frame: DataFrame, key: str, *order: str) -> DataFrame:
    """Return rows for Python: those of one key in one task, sorted by key and ``order``.

    There are as many tasks as Spark shuffles into. Left to itself, adaptive execution would make as many as there are
    cores, of equal bytes: where one takes longer for its bytes, or there is one more than cores, the others wait.
    """
    tasks = int(str(frame.sparkSession.conf.get("spark.sql.shuffle.partitions", "200")))
    return frame.repartition(tasks, key).sortWithinPartitions(key, *order)
