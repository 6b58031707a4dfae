"""The table that a replay prints for people."""

from __future__ import annotations

import orjson

from mdm_stream.cli.main import run


def test_a_replay_prints_what_was_absorbed_and_what_was_set_aside(tmp_path, capsys):
    """One row a figure: also of counts by source, and by attribute and reason."""
    attributes = {"given_name": "Ann", "family_name": "Lee", "birth_date": "1970-01-01"}
    event = {"domain": "person", "source": "crm", "record_id": "1", "op": "upsert", "version": 1}
    events = tmp_path / "events.jsonl"
    events.write_bytes(orjson.dumps({**event, "attributes": attributes}) + b"\n{}\n")
    assert run(["replay", str(events), "--rules", "person", "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "set aside, birth_date: placeholder" in printed
    assert "quarantined" in printed
