"""What tables look like on terminals and in pipes."""

from __future__ import annotations

from mdm_stream.cli.output import print_table

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
