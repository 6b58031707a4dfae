"""Positions that fall while time goes on: what is told of them, and the line that declares the new history."""

from __future__ import annotations

import itertools

from mdm_stream.core.fold import EMPTY, fold
from mdm_stream.core.model import LogPlace, RecordEvent
from mdm_stream.core.position_fall import PositionFall
from mdm_stream.core.times import parse_time_us
from mdm_stream.rules import load_ruleset

START = (
    "extends: person\nversion: 1\nsources:\n  shop:\n    format: debezium\n    table: shop.customer\n    key: [id]\n"
    "    histories:\n"
)

FALL = PositionFall(
    "shop", 0, "223355", "", "", 2, parse_time_us("2026-01-05T08:00:01Z"), parse_time_us("2026-01-31T22:53:20Z")
)


def test_the_line_that_is_told_declares_the_history(tmp_path):
    """It can be copied into the rules as it is, and what was lost then belongs to the new history."""
    path = tmp_path / "rules.yaml"
    path.write_text(f"{START}      {FALL.line}\n")
    histories = load_ruleset(path).sources["shop"].histories
    assert FALL.line == "- {server_id: 223355, from: 2026-01-05T08:00:02Z}"
    assert FALL.is_declared(histories)
    assert not FALL.is_declared(())


def test_a_log_that_names_nothing_has_its_history_from_its_first_lost_write_on():
    """Nothing is surer than that."""
    fall = PositionFall(
        "crm", 0, "", "", "", 1, parse_time_us("2026-01-03T00:00:00Z"), parse_time_us("2026-02-01T00:00:05Z")
    )
    assert fall.line == "- {from: 2026-02-01T00:00:05Z}"


def test_both_orders_of_delivery_are_a_contradiction():
    """A later write that comes first and is replaced by an earlier one is lost like one that comes second."""
    old = RecordEvent("person", "shop", "1", "upsert", "9", 1_000, {})
    new = RecordEvent("person", "shop", "1", "patch", "1", 900_000_000, {"city": "Bath"}, place=LogPlace("7"))
    delete = RecordEvent("person", "shop", "1", "delete", "2", 800_000_000, place=LogPlace("7"))
    for later in (new, delete):
        for first, second in itertools.permutations((old, later)):
            state = fold(EMPTY, first, "shop/1").state
            found = fold(state, second, "shop/1").contradiction
            assert (found.after_us, found.from_us, found.history) == (1_000, later.event_time_us, 0)
            assert found.place == (LogPlace("7") if second is later else LogPlace())


def test_versions_in_the_order_of_time_contradict_nothing():
    """Nor do duplicates, nor two writes of one time."""
    writes = [RecordEvent("person", "shop", "1", "upsert", str(n), n // 2, {"city": str(n)}) for n in range(6)]
    for order in itertools.permutations(writes):
        state = EMPTY
        for event in (*order, *order):
            folded = fold(state, event, "shop/1")
            assert folded.contradiction is None
            state = folded.state
