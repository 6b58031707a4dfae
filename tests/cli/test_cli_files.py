"""``mdm-stream files`` without a stack: what it asks for, what it refuses, and what it shows of a store."""

from __future__ import annotations

import orjson
import pytest

from mdm_stream.cli.file_window import notice_line
from mdm_stream.cli.main import run
from mdm_stream.contracts.file_manifest import FileObject
from mdm_stream.contracts.file_notice import FileNotice
from mdm_stream.contracts.reason import QuarantineReason
from mdm_stream.objects.folder import FolderObjects
from producers.files.loads import LoadStore
from producers.files.records import LoadRecord, LoadVerdictRecord

LOAD = "0123456789abcdef" * 2


@pytest.fixture
def store(tmp_path):
    """A folder with a load that has failed and one that is being received."""
    loads = LoadStore(FolderObjects(tmp_path / "files"))
    for load_id, source in ((LOAD, "crm"), (LOAD[::-1], "shop")):
        loads.begin(
            LoadRecord(
                load_id=load_id,
                domain="person",
                source=source,
                object=FileObject(bucket="b", key=f"person/{source}/a.csv", etag="e", size_bytes=3),
                as_of="2026-01-01T00:00:00Z",
                as_of_declared=True,
                received_at="2026-01-02T00:00:00Z",
            )
        )
    reason = QuarantineReason(code="tags", path="tags.owner", message="is missing, and the rules demand it")
    verdict = LoadVerdictRecord(decision="failed", decided_at="2026-01-02T00:00:00Z", reasons=[reason])
    loads.objects.create(loads.attempt(LOAD).name("verdict.json"), verdict.encode())
    return tmp_path / "files"


def listed(capsys, *argv: str):
    """The loads that a listing has, by source and state."""
    assert run(["files", "list", "--json", *argv]) == 0
    found = orjson.loads(capsys.readouterr().out)
    return [(each["source"], each["state"]) for each in found["loads"]], found["more"]


def test_a_listing_is_of_what_was_asked(store, capsys):
    """By source, by state, so many; and a table for people."""
    place = ("--files", str(store))
    assert listed(capsys, *place) == ([("crm", "failed"), ("shop", "received")], False)
    assert listed(capsys, *place, "--source", "shop") == ([("shop", "received")], False)
    assert listed(capsys, *place, "--in", "failed") == ([("crm", "failed")], False)
    assert listed(capsys, *place, "--limit", "1") == ([("crm", "failed")], True)
    assert run(["files", "list", *place]) == 0
    assert "2 loads" in capsys.readouterr().out
    assert run(["files", "show", LOAD, *place]) == 0
    assert "failed: tags at tags.owner" in capsys.readouterr().out


def test_a_state_without_loads_has_none(tmp_path, capsys):
    """A stack that never had a file is not an error; one that is not there is."""
    assert listed(capsys, "--state", str(tmp_path)) == ([], False)
    assert run(["files", "list", "--state", str(tmp_path / "none")]) == 2
    assert "--state" in capsys.readouterr().err


def test_a_deployment_without_a_store_is_told_what_to_set(monkeypatch, capsys):
    """The error names the variable and the option."""
    monkeypatch.delenv("MDM_FILES_URL", raising=False)
    assert run(["files", "list", "--environment"]) == 2
    said = capsys.readouterr().err
    assert "MDM_FILES_URL" in said
    assert "--files" in said


def test_a_store_of_the_environment_is_listed(store, monkeypatch, capsys):
    """The functions' own setting is enough to look at loads."""
    monkeypatch.setenv("MDM_FILES_URL", store.as_uri())
    assert listed(capsys, "--environment")[0] == [("crm", "failed"), ("shop", "received")]


def test_a_decision_needs_the_deployment(store, tmp_path, capsys):
    """To release is to send, so a folder alone is not enough."""
    assert run(["files", "release", LOAD, "--files", str(store), "--state", str(tmp_path)]) == 2
    assert "no local stack runs" in capsys.readouterr().err


def test_a_decision_asks_for_what_the_functions_have(store, monkeypatch, capsys):
    """With --environment the settings are those of the gatekeeper, and none that it has not."""
    for name in ("RULES", "CHANGES_STREAM", "QUARANTINE_URL", "ARCHIVE_URL"):
        monkeypatch.delenv(f"MDM_{name}", raising=False)
    monkeypatch.setenv("MDM_FILES_URL", store.as_uri())
    assert run(["files", "release", LOAD, "--environment"]) == 2
    said = capsys.readouterr().err
    assert "MDM_RULES, MDM_CHANGES_STREAM, MDM_QUARANTINE_URL: the gatekeeper of files" in said


def test_a_decision_on_what_is_not_held_is_refused(store, monkeypatch, capsys):
    """In the environment of the functions a load is found in their store; one that failed takes no decision."""
    for name, value in {"FILES_URL": store.as_uri(), "RULES": "person", "CHANGES_STREAM": "c",
                        "QUARANTINE_URL": (store / "q").as_uri(), "KINESIS_ENDPOINT_URL": "http://127.0.0.1:9",
                        "FILES_ENDPOINT_URL": "http://127.0.0.1:9"}.items():  # fmt: skip
        monkeypatch.setenv(f"MDM_{name}", value)
    for command in ("release", "fail"):
        assert run(["files", command, LOAD, "--environment", "--by", "ann"]) == 2
        assert "is failed; only a load that is held" in capsys.readouterr().err


def test_the_window_says_what_to_do_about_a_held_file():
    """State, counts, the first reasons, and the command; nothing of any row."""
    reasons = [QuarantineReason(code="rows", path=f"rows{n}", message="are too few") for n in range(5)]
    notice = FileNotice(
        id="1", load_id=LOAD, state="held", domain="person", source="crm", bucket="b", key="person/crm/a.csv",
        rows=1000, accepted=900, rejected=90, skipped=10, sent=0, deleted=0, reasons=reasons, warnings=[], manifest="m",
    )  # fmt: skip
    line = notice_line(notice)
    assert line.startswith("file person/crm/a.csv: held; 1,000 rows, 900 accepted, 90 rejected, 10 skipped; load ")
    assert "rows2 are too few; and 2 more" in line
    assert line.endswith(f"mdm-stream files release {LOAD}")
