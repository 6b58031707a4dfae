"""``histories:`` of a source: what it compiles to, and the errors by line."""

from __future__ import annotations

import pytest
from failover_world import rules_of

from mdm_stream.core.model import History
from mdm_stream.core.times import parse_time_us
from mdm_stream.errors import RulesError
from mdm_stream.rules import check_file

START = (
    "extends: person\nversion: 1\nsources:\n  shop:\n    format: debezium\n    table: shop.customer\n    key: [id]\n"
    "    histories:\n"
)
FIRST_LINE = 9


def errors_of(tmp_path, lines, start=START):
    """Return line and text of each error."""
    path = tmp_path / "rules.yaml"
    path.write_text(start + "".join(f"      {line}\n" for line in lines))
    return [(each.line, each.message) for each in check_file(path) if each.severity == "error"]


def test_histories_compile_in_their_order(tmp_path):
    """A day is midnight in UTC; a GTID source is compared in small letters."""
    uuid = "9C22FA47-71CA-11E1-9E33-C80AA9429999"
    declared = (
        f"[{{server_id: 7}}, {{gtid_source: {uuid}}}, {{timeline: 2}}, {{gtid_source: 0-1}}, {{from: 2026-02-01}}]"
    )
    assert rules_of(tmp_path, shop=declared).sources["shop"].histories == (
        History(server_id="7"),
        History(gtid_source=uuid.lower()),
        History(timeline="2"),
        History(gtid_source="0-1"),
        History(from_us=parse_time_us("2026-02-01T00:00:00Z")),
    )


@pytest.mark.parametrize(
    ("lines", "line", "said"),
    [
        (["- {}"], 9, "does not say what began it"),
        (["- {server_id: 7}", "- {server_id: seven}"], 10, "wrong type"),
        (["- {server_id: 0}"], 9, "out of range"),
        (["- {server: 7}"], 9, "did you mean 'server_id'"),
        (["- {form: 2026-02-01}"], 9, "did you mean 'from'"),
        (["- server_id: 7", "  timeline: 2"], 9, "not several"),
        (["- gtid_source: 9c22"], 9, "UUID of a server"),
        (["- server_id: 7", "  from: 2026-02-30"], 10, "'from' is no time"),
        (["- {from: 2026-02-01T09:30:00}"], 9, "'from' is no time"),
        (["- {server_id: 7}", "- {server_id: 8}", "- {server_id: 7}"], 11, "holds wherever history 1"),
        (["- {from: 2026-03-01}", "- {from: 2026-02-01}"], 10, "holds wherever history 1"),
        (["- {server_id: 7, from: 2026-03-01}", "- {server_id: 7}"], 10, "holds wherever history 1"),
    ],
)
def test_what_is_wrong_is_told_by_line(tmp_path, lines, line, said):
    """With what is expected instead."""
    ((found, message), *_) = errors_of(tmp_path, lines)
    assert found == line
    assert said in message


def test_a_format_that_does_not_name_its_log_has_histories_by_time_alone(tmp_path):
    """Who declares a server for DMS would declare nothing."""
    start = START.replace("debezium", "dms")
    ((line, message),) = errors_of(tmp_path, ["- server_id: 7"], start)
    assert (line, "do not name their 'server_id'" in message) == (FIRST_LINE, True)
    assert errors_of(tmp_path, ["- from: 2026-02-01"], start) == []


def test_a_thousand_histories_are_refused(tmp_path):
    """Versions have three digits for them."""
    lines = [f"- {{server_id: {n}}}" for n in range(1, 1_001)]
    assert errors_of(tmp_path, lines[:999]) == []
    assert errors_of(tmp_path, lines)[0][0] == FIRST_LINE - 1


def test_a_rule_set_that_is_wrong_cannot_be_loaded(tmp_path):
    """As with every other error."""
    with pytest.raises(RulesError, match="does not say what began it"):
        rules_of(tmp_path, shop="[{}]")
