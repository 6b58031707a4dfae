"""``mdm-stream rules diff`` on an archive: what one process says of the same events, of one state of the archive."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import orjson
import pytest

from mdm_stream.archive import open_archive
from mdm_stream.archive.rows import rows_of
from mdm_stream.cli.commands import rules_diff
from mdm_stream.cli.main import run
from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.deployment import ARCHIVE_FOLDER
from mdm_stream.reconcile.folded_states import FOLDED
from mdm_stream.reconcile.recompute import read_all
from mdm_stream.reconcile.workspace import Workspace
from mdm_stream.rules import load_ruleset

OLD = "extends: person\nversion: 1\nsources: {crm: {}, erp: {}}\n"
NEW = OLD + "match:\n  prior: 0.0000001\n  thresholds: {link: 0.97, review: 0.1}\n"
FAMILIES = ("Quackenbush", "Vanderbilt", "Okonkwo", "Fitzgerald", "Ibsen", "Tanaka")


def event(number: int, source: str, **attributes: object) -> bytes:
    """A change event in canonical form; every second person has an email."""
    said = {"domain": "person", "source": source, "record_id": str(number), "op": "upsert", "version": 1}
    known = {"given_name": "Theodora", "family_name": FAMILIES[number], "birth_date": f"19{50 + number}-03-1{number}"}
    email = {"email": f"p{number}@mail.example"} if number % 2 else {}
    values = {**known, **email, **attributes}
    return orjson.dumps({**said, "event_time": "2026-01-01T00:00:00Z", "attributes": values})


EVENTS = [event(number, source) for number in range(len(FAMILIES)) for source in ("crm", "erp")]


@pytest.fixture
def folder(tmp_path):
    """Rules, events as lines, and a stack's folder whose archive has the same events."""
    (tmp_path / "old.yaml").write_text(OLD)
    (tmp_path / "new.yaml").write_text(NEW)
    (tmp_path / "events.jsonl").write_bytes(b"\n".join(EVENTS))
    decoder = Decoder({"person": load_ruleset(tmp_path / "old.yaml")})
    archive = open_archive((tmp_path / "state" / ARCHIVE_FOLDER).as_uri())
    for number, raw in enumerate(EVENTS):
        delivery = Delivery(raw, f"{number:08}", 1, f"changes/shard-0:{number}")
        archive.append("person", rows_of("person", decoder.decode(delivery), delivery), EpochPosition(1, number, 0))
    return tmp_path


@pytest.mark.timeout(900)  # a job on a machine that has other work
def test_archive_and_file_give_one_document(spark, folder, monkeypatch, capsys):
    """Figures, samples and what is said of the rules: Spark and one process are one comparison."""

    @contextmanager
    def ours(_how, command):
        yield spark, folder / f"mdm-{command}"

    monkeypatch.setattr(rules_diff, "spark_here", ours)
    documents = []
    for on in (["archive", "--state", folder / "state"], [folder / "events.jsonl"]):
        arguments = ["rules", "diff", folder / "old.yaml", folder / "new.yaml", "--json", "--on", *on]
        assert run([str(each) for each in arguments]) == 0
        documents.append(orjson.loads(capsys.readouterr().out))
    assert documents[0] == documents[1]
    assert documents[0]["clusters"]["split"] == {"before": 3, "after": 6, "records": 6}


def test_an_object_that_one_side_found_replaced_is_looked_for_again(spark, tmp_path):
    """Compaction comes between the two readings: what took the object's place is read for both sides."""
    listings = [["first", "second"], ["second-part"]]
    compacted = SimpleNamespace(objects=lambda _domain: [SimpleNamespace(name=name) for name in listings.pop(0)])
    rows = {
        "first": [("crm/1", b"1", None, None, None, "old"), (None, None, "first", True, None, "old"),
                  (None, None, "first", True, None, "new")],
        "second": [(None, None, "second", True, None, "old"), (None, None, "second", False, None, "new")],
        "second-part": [(None, None, "second-part", True, None, side) for side in ("old", "new")],
    }  # fmt: skip
    asked = []

    def fold(objects):
        names = [each.name for each in objects]
        asked.append(names)
        return spark.createDataFrame([row for name in names for row in rows[name]], f"{FOLDED}, side string")

    workspace = Workspace(spark, Path(tmp_path / "read").as_uri())
    folded, objects = read_all(workspace, compacted, "person", fold)
    assert asked == [["first", "second"], ["second-part"]]
    assert objects == ("first", "second-part")
    assert folded.where("ref IS NOT NULL").count() == 1
