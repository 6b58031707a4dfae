"""Rows that a column of their own dates: a suspected history goes by the log's time, as a declared one does."""

from __future__ import annotations

import orjson
import pytest

from mdm_stream.core.fold import EMPTY, fold
from mdm_stream.core.position_fall import PositionFall
from mdm_stream.core.times import parse_time_us
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.rebuild import archived_falls
from mdm_stream.rules import load_ruleset

RULES = """\
extends: person
version: 1
sources:
  crm:
    format: {format}
    table: {table}
    key: [id]
    event_time: changed
    attributes: {{city: city}}
"""
TOLERANCE_US = 300_000_000


class Archived:
    """An archive that holds deliveries, in their order."""

    def __init__(self, deliveries):
        self.deliveries = deliveries

    def read_new(self, _domain, _known):
        """Return them as they are."""
        return self.deliveries


def debezium(time, pos, changed):
    """A row of a MariaDB without GTIDs, which names its log by nothing but a server that stays the same."""
    source = {"db": "crm", "table": "t", "file": f"bin.{pos:06d}", "pos": 4, "row": 0}
    source["ts_ms"] = parse_time_us(time) // 1_000
    return {"op": "u", "after": {"id": 1, "city": "Bath", "changed": changed}, "source": source}


def dms(time, pos, changed):
    """The same of DMS."""
    names = {"record-type": "data", "operation": "update", "schema-name": "crm", "table-name": "t"}
    position = f"bin.{pos:06d}:4:1:4:0:bin.{pos:06d}"
    metadata = {**names, "timestamp": time, "commit-timestamp": time, "stream-position": position}
    return {"data": {"id": 1, "city": "Bath", "changed": changed}, "metadata": metadata}


def rules_with(folder, kind, histories=""):
    """The rules of one source."""
    path = folder / "rules.yaml"
    path.write_text(RULES.format(format=kind, table="crm.t") + histories)
    return load_ruleset(path)


def deliveries_of(*messages):
    """Messages as they arrived, one after the other."""
    arrived_us = parse_time_us("2026-03-01T00:00:00Z")
    return [Delivery(orjson.dumps(each), str(n).zfill(64), arrived_us + n, "s/0:1") for n, each in enumerate(messages)]


@pytest.mark.parametrize(("kind", "message"), [("debezium", debezium), ("dms", dms)])
def test_what_is_told_of_dated_rows_can_be_declared(tmp_path, monkeypatch, kind, message):
    """The line begins the history where the log did, not where the row says that it was last changed."""
    monkeypatch.setattr(archived_falls, "delivery_of", lambda row: row)
    old = message("2026-01-10T00:00:00Z", 812, "2026-01-02T00:00:00Z")
    new = message("2026-02-01T00:00:00Z", 31, "2026-01-03T00:00:00Z")
    archive = Archived(deliveries_of(old, new))
    rules = rules_with(tmp_path, kind)
    (fall,), _ = archived_falls.falls_of(archive, rules, TOLERANCE_US)
    assert fall.line == "- {from: 2026-02-01T00:00:00Z}"
    events = [event for each in archive.deliveries for event in Decoder({"person": rules}).decode(each)]
    state = fold(EMPTY, events[0], "crm/1").state
    assert PositionFall.of("crm", fold(state, events[1], "crm/1").contradiction).line == fall.line
    declared = rules_with(tmp_path, kind, f"    histories:\n      {fall.line}\n")
    assert fall.is_declared(declared.sources["crm"].histories)
    assert archived_falls.falls_of(archive, declared, TOLERANCE_US)[0] == []
    state = EMPTY
    for each in archive.deliveries:
        (event,) = Decoder({"person": declared}).decode(each)
        state = fold(state, event, "crm/1").state
    assert state.base.event_time_us == parse_time_us("2026-01-03T00:00:00Z")


@pytest.mark.parametrize(("kind", "message"), [("debezium", debezium), ("dms", dms)])
def test_a_row_that_is_dated_back_is_no_fall_of_its_log(tmp_path, monkeypatch, kind, message):
    """And a log that began anew is found where the rows say nothing of it."""
    monkeypatch.setattr(archived_falls, "delivery_of", lambda row: row)
    rules = rules_with(tmp_path, kind)
    first = message("2026-01-10T00:00:00Z", 31, "2026-01-09T00:00:00Z")
    dated_back = message("2026-02-01T00:00:00Z", 812, "2025-01-03T00:00:00Z")
    for order in ((first, dated_back), (dated_back, first)):
        assert archived_falls.falls_of(Archived(deliveries_of(*order)), rules, TOLERANCE_US)[0] == []
    same = message("2026-02-02T00:00:00Z", 7, "2025-01-03T00:00:00Z")
    (fall,), _ = archived_falls.falls_of(Archived(deliveries_of(dated_back, same)), rules, TOLERANCE_US)
    assert fall.line == "- {from: 2026-02-02T00:00:00Z}"
