"""The waterfall in a terminal: it fits, its bars join, and no mark is carried by colour."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdm_stream.cli.waterfall_text import WIDTH_OFF_TERMINAL, terminal_width, waterfall_lines


def balance(amounts, start=-13.29, names=None):
    """A balance of some amounts in bits, and one silent comparison."""
    ordered = sorted((a for a in amounts if a > 0), reverse=True) + sorted(a for a in amounts if a < 0)
    steps, at = [], start
    for number, amount in enumerate(ordered):
        name = names[number] if names else f"comparison_{number}"
        steps.append({"name": name, "label": "exact", "amount": amount, "begins": at, "ends": at + amount})
        at += amount
    return {
        "unit": "bits",
        "start": start,
        "speaks_for": [each for each in steps if each["amount"] > 0],
        "speaks_against": [each for each in steps if each["amount"] < 0],
        "silent": [{"name": "quiet", "label": "missing", "missing": True}],
        "total": at,
        "link_from": 2.5,
        "review_from": 0.0,
    }


AMOUNTS = st.lists(st.floats(-40, 40).filter(lambda bits: abs(bits) > 0.01), max_size=8)


@given(amounts=AMOUNTS, width=st.integers(30, 140), encoding=st.sampled_from(["utf-8", "ascii"]))
@settings(max_examples=150, deadline=None)
def test_every_figure_is_there_at_every_width(amounts, width, encoding):
    """No line with a bar is wider than the terminal, all amounts and the total are written, with their signs."""
    lines = waterfall_lines(balance(amounts), width, encoding)
    text = "\n".join(lines)
    text.encode(encoding)
    for amount in [-13.29, *amounts]:
        assert f"{amount:+.2f}" in text
    assert all(len(line) <= width for line in lines[:-1])
    assert "quiet" not in text
    assert "link" in lines[-1]
    assert "2.50" in lines[-1]


def test_bars_begin_where_the_one_before_ended():
    """A fall goes back over what rose; the marks of the thresholds are in each row that has room for them."""
    lines = waterfall_lines(balance([10.0, 10.0, -5.0]), 80, "utf-8")
    bars = [line for line in lines if "comparison" in line]
    first, second, third = ((line.index(glyph), line.rindex(glyph)) for line, glyph in zip(bars, "██▒", strict=True))
    assert second[0] == first[1] + 1
    assert third[1] == second[1]
    assert "◆" in lines[-2]
    assert "│" in bars[0]


def test_signs_stand_where_blocks_cannot_be_written():
    """In a terminal of ASCII a rise is made of plus signs and a fall of minus signs."""
    lines = waterfall_lines(balance([10.0, -5.0]), 80, "ascii")
    assert any("++++" in line for line in lines)
    assert any("----" in line for line in lines)
    assert any("*" in line for line in lines)


def test_a_long_or_wide_label_is_never_cut():
    """A label that leaves no room has a line of its own; wide letters count twice."""
    names = ["公司名称" * 6, "x" * 60]
    lines = waterfall_lines(balance([10.0, 5.0], names=names), 80, "utf-8")
    text = "\n".join(lines)
    assert all(name in text for name in names)


def test_hostile_labels_are_text():
    """What a rule set calls a level cannot move the cursor."""
    assert "\x1b" not in "\n".join(waterfall_lines(balance([10.0], names=["\x1b[2J"]), 80, "utf-8"))


@pytest.mark.parametrize("columns", ["", "wide"])
def test_off_a_terminal_the_width_is_fixed(monkeypatch, columns):
    """A file or pipe gets the same picture everywhere; COLUMNS says otherwise."""
    monkeypatch.setenv("COLUMNS", columns)
    assert terminal_width() == WIDTH_OFF_TERMINAL
    monkeypatch.setenv("COLUMNS", "72")
    assert terminal_width() == 72
