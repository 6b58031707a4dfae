"""What stages of a job leave to each other, and what a task's fault is called where the job was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mdm_stream.errors import MdmError, TerminalError, TransientError
from mdm_stream.index.errors import NoIndexError
from mdm_stream.reconcile.task_faults import fault_in, faults_of_tasks
from mdm_stream.reconcile.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.spark, pytest.mark.timeout(900)]  # a session on a machine that has other work


@pytest.mark.parametrize("by", [None, "part"])
@pytest.mark.parametrize("rows", [[], [("crm/1", 1)]])
def test_a_job_that_begins_anew_reads_what_was_kept(
    spark: SparkSession, tmp_path: Path, rows: list[tuple[str, int]], by: str | None
) -> None:
    """With the columns that it had, also where nothing is in it, and no file has them."""
    made = spark.createDataFrame(rows, "ref string, part int")
    first = Workspace(spark, tmp_path.as_uri()).keep("table", lambda: made, by=by)
    again = Workspace(spark, tmp_path.as_uri()).keep("table", lambda: pytest.fail("it is there"), by=by)
    assert {field.name for field in again.schema} == {"ref", "part"}
    assert first.select("ref", "part").collect() == again.select("ref", "part").collect() == rows


def test_a_table_that_was_cut_short_is_made_again(spark: SparkSession, tmp_path: Path) -> None:
    """Killed while Spark writes it, or before what says that it is whole."""
    workspace = Workspace(spark, tmp_path.as_uri())
    workspace.write("table", spark.createDataFrame([("half",)], "ref string"))
    kept = workspace.keep("table", lambda: spark.createDataFrame([("whole",)], "ref string"))
    assert [row.ref for row in kept.collect()] == ["whole"]


@pytest.mark.parametrize("name", ["tables 1 (of 2)", "tables%20[1]{a,b}*?", "ta\\\\bles"])
def test_a_folder_may_have_any_name(spark: SparkSession, tmp_path: Path, name: str) -> None:
    """Spark and the store have to mean the same folder: what one drops, the other must not take for kept."""
    folder = tmp_path / name
    workspace = Workspace(spark, folder.as_uri())
    rows = spark.createDataFrame([("crm/1",)], "ref string")
    workspace.keep("kept", lambda: rows)
    workspace.write("written", rows)
    workspace.drop("written")
    kept = workspace.keep("kept", lambda: pytest.fail("it is there"))
    assert [row.ref for row in kept.collect()] == ["crm/1"]
    assert ((folder / "kept").is_dir(), (folder / "written").exists()) == (True, False)
    workspace.drop("kept")
    assert [row.ref for row in workspace.keep("kept", lambda: rows).collect()] == ["crm/1"]
    workspace.remove()
    assert list(tmp_path.rglob("*.parquet")) == []


def _failing(error: type[Exception]) -> Any:
    def run(batches: Iterator[Any]) -> Iterator[Any]:
        yield from batches
        try:
            {}["nested"]
        except KeyError as before:
            raise error("the index is not there: start it") from before

    return run


@pytest.mark.parametrize(
    ("error", "raised"),
    [(TransientError, TransientError), (NoIndexError, TerminalError)],
    ids=["transient", "terminal"],
)
@pytest.mark.parametrize("writes", [True, False])
def test_what_a_task_raises_is_an_error_of_this_project(
    spark: SparkSession, tmp_path: Path, error: type[Exception], raised: type[Exception], writes: bool
) -> None:
    """Read or written: who asked for the job is told in the words of the task, and whether to try again."""
    table = spark.createDataFrame([("crm/1",)], "ref string").mapInArrow(_failing(error), "ref string")
    with pytest.raises(raised, match=r"^the index is not there: start it$"), faults_of_tasks():
        table.write.parquet(str(tmp_path / "table")) if writes else table.collect()


def test_a_fault_of_a_program_stays_what_it_is(spark: SparkSession) -> None:
    """Nothing is said of it that hides where it happened."""
    table = spark.createDataFrame([("crm/1",)], "ref string").mapInArrow(_failing(ValueError), "ref string")
    with pytest.raises(Exception, match="ValueError") as caught, faults_of_tasks():
        table.collect()
    assert not isinstance(caught.value, MdmError)


def test_only_errors_of_this_project_are_found_in_a_traceback() -> None:
    """A message may quote anything; a class may be gone."""
    begun = 'Traceback (most recent call last):\n  File "x.py", line 1\n'
    assert fault_in(f"{begun}mdm_stream" + ".errors.NoSuchError: x\n") is None
    assert fault_in(f"{begun}ValueError: mdm_stream.errors.TransientError: x\n") is None
    assert fault_in("mdm_stream.errors.TransientError: no traceback") is None
