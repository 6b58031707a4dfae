"""The frame of the command line: commands, help, errors, exit codes."""

import signal
import subprocess
import sys
import time

import click
import pytest

from mdm_stream.cli.main import cli, run
from mdm_stream.cli.output import progress
from mdm_stream.cli.registry import COMMANDS, Listing
from mdm_stream.errors import ConfigurationError, MdmError, RulesError, TransientError

PROGRAM = [sys.executable, "-m", "mdm_stream.cli.main"]


@click.command()
@click.argument("kind")
def failing(kind):
    """Fail in the way asked for."""
    kinds = {
        "rules": RulesError("rules.yaml:3: is wrong"),
        "configuration": ConfigurationError("no such folder"),
        "transient": TransientError("Redis is away"),
        "other": MdmError("it failed"),
        "bug": ZeroDivisionError("secret value"),
        "interrupt": KeyboardInterrupt(),
    }
    raise kinds[kind]


@click.command()
@click.argument("code", type=int)
@click.pass_context
def leaving(ctx, code):
    """Exit with a code."""
    ctx.exit(code)


@pytest.fixture(autouse=True)
def commands(monkeypatch):
    """Two more commands, registered as any other: by one line that names module and attribute."""
    monkeypatch.setitem(COMMANDS, "failing", Listing(f"{__name__}:failing", "Fail."))
    monkeypatch.setitem(COMMANDS, "leaving", Listing(f"{__name__}:leaving", "Leave."))
    monkeypatch.setitem(COMMANDS, "lacking", Listing(f"{__name__}_absent_package:command", "Lack."))


@pytest.mark.parametrize(
    ("kind", "code", "said"),
    [
        ("rules", 2, "mdm-stream: rules.yaml:3: is wrong"),
        ("configuration", 2, "mdm-stream: no such folder"),
        ("transient", 1, "mdm-stream: Redis is away"),
        ("other", 1, "mdm-stream: it failed"),
        ("bug", 1, "mdm-stream: unexpected ZeroDivisionError; run `mdm-stream --debug ...` to see where"),
        ("interrupt", 130, "mdm-stream: interrupted"),
    ],
)
def test_errors_become_a_sentence_and_an_exit_code(capsys, kind, code, said):
    """Each kind of error has its exit code; stderr gets one sentence, stdout nothing."""
    assert run(["failing", kind]) == code
    out, err = capsys.readouterr()
    assert (out, err.strip()) == ("", said)


def test_debug_shows_the_traceback_too(capsys):
    """--debug adds where it happened; the exit code stays."""
    assert run(["--debug", "failing", "rules"]) == 2
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("code", [0, 1, 2])
def test_a_command_chooses_its_exit_code(code):
    """What a command exits with is what the process exits with."""
    assert run(["leaving", str(code)]) == code


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["generat"], "did you mean 'generate'"),
        (["xyzzy"], "see mdm-stream --help"),
        (["generate"], "--out"),
        (["generate", "--people", "0", "--out", "x"], "--people"),
        (["generate", "--peeple", "5"], "--peeple"),
        (["lacking"], "pip install 'mdm-stream[local]'"),
    ],
)
def test_wrong_calls_are_usage_errors(capsys, argv, said):
    """A wrong call says what is wrong with it and exits with 2."""
    assert run(argv) == 2
    assert said in capsys.readouterr().err


def test_every_registered_command_can_be_imported_and_has_help(capsys):
    """No line of the registry points nowhere."""
    for name in COMMANDS.keys() - {"lacking"}:
        assert run([name, "--help"]) == 0
        assert name in capsys.readouterr().out


def test_help_lists_every_command_with_its_summary(capsys):
    """--help shows the registry."""
    assert run(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(name in out and entry.summary in " ".join(out.split()) for name, entry in COMMANDS.items())
    assert cli.name == "cli"


def test_help_imports_nothing_that_it_does_not_need():
    """--help stays fast: no command's packages, nor those that only a command needs, are imported."""
    script = (
        "import sys; from mdm_stream.cli.main import run; run(['--help']); "
        "heavy = {'numpy', 'pandas', 'pydantic', 'boto3', 'rich', 'duckdb', 'moto', 'redis', 'yaml', 'orjson'}; "
        "print(sorted(heavy & sys.modules.keys()), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_a_reader_that_goes_away_is_no_crash():
    """`mdm-stream rules schema | head -c 1` ends without a traceback."""
    process = subprocess.Popen([*PROGRAM, "rules", "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    _, err = process.communicate(timeout=60)
    assert process.returncode in {0, 1}
    assert err == b""


def test_ctrl_c_ends_with_130_and_without_a_traceback(tmp_path):
    """An interrupted command says so and exits with 130."""
    out = tmp_path / "out"
    process = subprocess.Popen(
        [*PROGRAM, "generate", "--people", "500000", "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Tests that run in the background inherit an ignored SIGINT, which Python then leaves ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - this process has one thread
    )
    try:
        deadline = time.monotonic() + 60
        while not out.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, stdout) == (130, b"")
    assert stderr.decode().strip() == "mdm-stream: interrupted"
    assert not (out / "manifest.json").exists()


def test_progress_is_shown_on_a_terminal_alone(monkeypatch, capsys):
    """On a terminal stderr shows what is done and how much of it; elsewhere it stays empty; stdout always does."""
    with progress() as advance:
        advance("events", 5, 10)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with progress() as advance:
        advance("events", 5, 10)
        advance("truth", 0, 0)
    out, err = capsys.readouterr()
    assert out == ""
    assert "events" in err
    assert "5/10" in err


def test_version_is_that_of_the_distribution(capsys):
    """--version names the program and its version."""
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("mdm-stream, version ")
