"""The crosswalk of a replay: safe to open in a spreadsheet, and read back as it was."""

import csv

from mdm_stream.core.reference import Resolution
from mdm_stream.evaluate import evaluate_files
from mdm_stream.files import cell_text
from mdm_stream.replay.outputs import CROSSWALK_FILE, write_state

RECORD_IDS = [
    *('=HYPERLINK("http://x")', "=cmd|'/c calc'!A1", "@SUM(1;2)", "+1+1", "-2+3", "'=1", "a;=1+1", "\uff1d1+1"),
    *("-5", "+4915112345678", "1/2", 'say "hi"', "a,b", "\u202eexe"),
]


def test_record_ids_survive_and_run_nowhere(tmp_path):
    """No cell begins a formula, every record id is read back as it was, and its golden record is found by it."""
    crosswalk = {f"crm/{record_id}": f"g{number:024x}" for number, record_id in enumerate(RECORD_IDS)}
    write_state(tmp_path, {"person": Resolution(crosswalk, {}, {})})
    with (tmp_path / CROSSWALK_FILE).open(newline="", encoding="utf-8") as file:
        header, *rows = list(csv.reader(file, strict=True))
    assert header == ["domain", "source", "record_id", "golden_id"]
    assert {f"{cell_text(row[1])}/{cell_text(row[2])}": row[3] for row in rows} == crosswalk
    assert not any(cell[:1] in "=@\uff1d" for row in rows for cell in row)
    numbers = [cell for row in rows for cell in row if cell[:1] in "+-"]
    assert sorted(numbers) == ["+4915112345678", "-5"]
    truth = tmp_path / "truth.csv"
    with truth.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["source", "record_id", "entity_id"], *(row[1:] for row in rows)])
    found = evaluate_files(tmp_path / CROSSWALK_FILE, truth)
    assert (found.missing_from_crosswalk, found.missing_from_truth) == (0, 0)
