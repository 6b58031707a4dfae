"""One Spark session for the tests of this folder that a process runs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from object_stores import bucket, store

from mdm_stream.reconcile.session import local_session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["bucket", "store"]


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """A session with little memory, and few tasks for the few rows of a test."""
    pytest.importorskip("pyspark", reason="pyspark is not installed (pip install 'mdm-stream[spark]')")
    if shutil.which("java") is None:
        pytest.skip("Java is not installed, which Spark needs")
    session = local_session(2, Path(tmp_path_factory.mktemp("spark")), memory="1g")
    session.conf.set("spark.sql.shuffle.partitions", "2")
    yield session
    session.stop()
