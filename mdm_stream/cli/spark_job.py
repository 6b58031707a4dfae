"""Options of commands that run a job on Spark, and the session and folder that the job gets."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mdm_stream.reconcile.session import DRIVER_MEMORY

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

WORK_FOLDER = "mdm-reconcile"

Command = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class SparkHere:
    """Spark on this machine: cores, memory of its Java process, and the folder that was named for its tables."""

    cores: int
    memory: str
    work: Path | None


def spark_options(command: Command) -> Command:
    """Give a command ``--cores``, ``--memory`` and ``--work``, as parameters of these names."""
    options = (
        click.option("--cores", type=click.IntRange(1, 256), default=2, show_default=True, help="Of this machine."),
        click.option(
            "--memory", default=DRIVER_MEMORY, show_default=True, metavar="SIZE", help="Of Spark's Java process."
        ),
        click.option(
            "--work",
            type=click.Path(path_type=Path),
            metavar="FOLDER",
            help="Where the job makes a folder for its tables, which hold personal values; it is removed at the end. A "
            "job that was killed goes on in the same one.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@contextmanager
def work_folder(named: Path | None) -> Iterator[Path]:
    """Yield the job's folder, of this user alone; it is removed, unless it was named and the job failed."""
    folder = Path(tempfile.mkdtemp(prefix="mdm-reconcile-")) if named is None else named / WORK_FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        yield folder
    except BaseException:
        if named is None:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def spark_here(how: SparkHere) -> Iterator[tuple[SparkSession, Path]]:
    """Yield a session and the job's folder; both end with it."""
    from mdm_stream.reconcile.session import local_session  # noqa: PLC0415 - --help does without

    with work_folder(how.work) as folder:
        session = local_session(how.cores, folder, how.memory)
        try:
            yield session, folder
        finally:
            session.stop()
