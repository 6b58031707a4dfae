"""Log lines: one shape, which the page names, and no value in them."""

from __future__ import annotations

import io
import json
import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest
from log_shape import wrong_lines
from source_tree import ROOT

from mdm_stream.telemetry.function_log import function_log
from mdm_stream.telemetry.log_lines import ALWAYS, FIELDS, LineFormatter, log_line

PAGE = ROOT / "docs" / "operate" / "logs.md"


def record(name: str, text: str, *arguments: object, error: BaseException | None = None) -> logging.LogRecord:
    """Return a record of Python's logging."""
    info = None if error is None else (type(error), error, error.__traceback__)
    return logging.LogRecord(name, logging.WARNING, __file__, 1, text, arguments, info)


def raised() -> ValueError:
    """Return an error that was raised, with a value in its text."""
    try:
        raise ValueError("Wilhelmina")  # noqa: TRY301 - an error has a place once it was raised
    except ValueError as error:
        return error


def test_the_page_names_every_field() -> None:
    """With what the code says of it, and which ones every line has."""
    table = PAGE.read_text("utf-8").partition("| `service` | who writes it |")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|$", table, re.MULTILINE)
    assert {name: says for name, says, _ in rows} == dict(FIELDS)
    assert {name for name, _, lines in rows if lines == "every line"} == set(ALWAYS)


def test_a_line_of_a_module_is_filled_in_and_one_of_a_library_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a library would fill in may be a value: a statement, an address, a key."""
    monkeypatch.setenv("MDM_DEPLOYMENT", "mdm-test")
    formatter = LineFormatter("resolve")
    ours = formatter.format(record("mdm_stream.warehouse.lineage.batch", "lineage: %s", "START"))
    theirs = formatter.format(record("snowflake.connector.cursor", "query: [%s]", "Wilhelmina"))
    assert wrong_lines(f"{ours}\n{theirs}") == []
    assert json.loads(ours)["message"] == "lineage: START"
    assert json.loads(theirs)["message"] == "query: [%s]"
    assert json.loads(ours)["deployment"] == "mdm-test"


def test_of_an_exception_a_line_has_type_and_place() -> None:
    """From Python's logging and from Powertools alike."""
    output = io.StringIO()
    logger = function_log("shape-of-lines", stream=output, f="1")
    try:
        raise raised()
    except ValueError:
        logger.exception("failed")
    plain = LineFormatter("resolve").format(record("mdm_stream.archive", "failed", error=raised()))
    lines = [json.loads(line) for line in (output.getvalue().strip(), plain)]
    for line in lines:
        assert line["exception_name"] == "ValueError"
        assert re.fullmatch(rf"{re.escape(__file__)}:\d+ in \w+", line["exception_place"])
        assert "Wilhelmina" not in json.dumps(line)
    assert wrong_lines(output.getvalue() + plain) == []


def test_keys_of_a_batch_are_on_its_lines_alone() -> None:
    """Those of the service stay, after a state was cleared, too."""
    output = io.StringIO()
    logger = function_log("keys-of-lines", stream=output, f="digest")
    place = {"shard": "shardId-000000000000", "first": "1", "last": "2", "correlation_id": "shardId-000000000000:1"}
    with logger.append_context_keys(**place):
        logger.info("batch", extra={"records": 2})
    logger.structure_logs(cold_start=True)
    logger.info("tick")
    batch, tick = map(json.loads, output.getvalue().splitlines())
    assert wrong_lines(output.getvalue()) == []
    assert batch.items() >= place.items()
    assert not place.keys() & tick.keys()
    assert batch["f"] == tick["f"] == "digest"
    assert batch["service"] == tick["service"] == "keys-of-lines"


def test_a_line_that_a_job_writes_itself_has_the_shape() -> None:
    """As on Spark, where Python's logging is another's."""
    assert wrong_lines(json.dumps(log_line("reconcile", "stage", domain="person", seconds=1.5))) == []


def test_on_lambda_modules_and_libraries_have_the_shape_too(tmp_path: Path) -> None:
    """Lambda's runtime has put a handler in place, which writes text; a module with the service's name is not lost."""
    script = tmp_path / "function.py"
    script.write_text(
        "import logging, sys, warnings\n"
        "logging.basicConfig(format='[%(levelname)s] %(message)s', stream=sys.stdout)\n"
        "from mdm_stream.telemetry.function_log import function_log\n"
        "logger = function_log('files')\n"
        "logger.info('load')\n"
        "logging.getLogger('producers.files.steps').warning('a step of load %s', 'l-1')\n"
        "logging.getLogger('urllib3').warning('retrying %s', 'Wilhelmina')\n"
        "warnings.warn('Wilhelmina is odd', stacklevel=1)\n"
    )
    environment = {"LAMBDA_TASK_ROOT": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(script)], env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    assert wrong_lines(done.stdout) == []
    messages = [json.loads(line)["message"] for line in done.stdout.splitlines()]
    assert messages[:3] == ["load", "a step of load l-1", "retrying %s"]
    assert messages[3:] == [f"{script}:8: UserWarning"]
    assert done.stderr == ""
