"""What tables look like on terminals and in pipes."""

from __future__ import annotations

from pathlib import Path

from mdm_stream import cli
from mdm_stream.cli.output import phases, print_table

ID = "52cd3a3fb565a696ed7672848ce711d5"
ROW = (ID, "a value of some words", "2026-01-01T00:00:00.123456Z", "unknown_source")
HEADINGS = ("id", "value", "when", "why", "more")


def test_a_pipe_gets_whole_lines(capsys, monkeypatch):
    """Where no terminal is, each row is one line, however long, so that it can be searched."""
    monkeypatch.delenv("COLUMNS", raising=False)
    print_table("", HEADINGS, [(*ROW, "x" * 200)], texts=True)
    (line,) = [each for each in capsys.readouterr().out.splitlines() if ID in each]
    assert all(cell in line for cell in ROW)


def test_a_narrow_terminal_keeps_ids_whole(capsys, monkeypatch):
    """The other columns are broken instead."""
    monkeypatch.setenv("COLUMNS", "60")
    print_table("", HEADINGS, [(*ROW, "x")], texts=True)
    assert ID in capsys.readouterr().out


def test_steps_are_told_at_once_and_their_progress_now_and_then(capsys):
    """Off a terminal too: a line for each new step, and no more than one in five seconds about the same one."""
    now = [0.0]
    with phases(clock_s=lambda: now[0]) as advance:
        for done in range(0, 13_000, 1_000):
            advance("filling", done, 0)
            now[0] += 1.0
        advance("telling", 0, 0)
        advance("telling", 5, 10)
    said = capsys.readouterr()
    assert said.err.splitlines() == ["filling", "filling: 5,000", "filling: 10,000", "telling"]
    assert said.out == ""
    with phases(quiet=True) as advance:
        advance("filling", 1, 0)
    assert capsys.readouterr().err == ""


def test_one_module_alone_writes():
    """No other module of the command line prints, so that nothing can pass by what makes text safe for a terminal."""
    writers = ("click.echo", "click.secho", " print(", "sys.stdout.write", "sys.stderr.write")
    found = [
        (path.name, writer)
        for path in Path(cli.__file__).parent.rglob("*.py")
        for writer in writers
        if path.name != "output.py" and writer in path.read_text("utf-8")
    ]
    assert not found
