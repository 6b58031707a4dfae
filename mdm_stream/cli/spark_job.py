"""Options of commands that run a job on Spark, and the session and folder that the job gets."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mdm_stream.errors import ConfigurationError, DeclinedError
from mdm_stream.reconcile.session import DRIVER_MEMORY

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

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
def work_folder(named: Path | None, command: str) -> Iterator[Path]:
    """Yield the folder of a command's job, of this user alone; it is removed, unless it was named and the job failed:
    then the next one goes on with it.

    ``ConfigurationError`` while another job of the command has it: two would write the same tables.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"mdm-{command}-")) if named is None else named / f"mdm-{command}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as stack:
        if named is not None:
            _lock(stack, named / f"mdm-{command}.lock")
        try:
            yield folder
        except BaseException as error:
            if named is None or isinstance(error, DeclinedError):
                shutil.rmtree(folder, ignore_errors=True)
            raise
        shutil.rmtree(folder, ignore_errors=True)


def _lock(stack: ExitStack, path: Path) -> None:
    """Lock a file until the stack is closed, or the process ends."""
    held = stack.enter_context(path.open("w"))
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ConfigurationError(
            f"another job works in {path.with_suffix('')}; name another folder with --work, or let that one end"
        ) from None


@contextmanager
def spark_here(how: SparkHere, command: str) -> Iterator[tuple[SparkSession, Path]]:
    """Yield a session and the folder of a command's job; both end with it."""
    with work_folder(how.work, command) as folder, started_spark(how.cores, folder, how.memory) as session:
        yield session, folder


@contextmanager
def started_spark(cores: int, folder: Path, memory: str) -> Iterator[SparkSession]:
    """Yield a session that ends with the command; what its tasks raise is raised as if they were this process."""
    from mdm_stream.reconcile.session import local_session  # noqa: PLC0415 - --help does without
    from mdm_stream.reconcile.task_faults import faults_of_tasks  # noqa: PLC0415

    session = local_session(cores, folder, memory)
    try:
        with faults_of_tasks():
            yield session
    finally:
        session.stop()
