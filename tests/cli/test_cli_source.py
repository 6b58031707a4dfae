"""The command source: holding and releasing, the forecast of a purge, and what it refuses."""

from __future__ import annotations

import pytest

from mdm_stream.archive import open_archive
from mdm_stream.archive.rows import rows_of
from mdm_stream.cli.main import run
from mdm_stream.contracts.change import encode_event
from mdm_stream.core.model import RecordEvent
from mdm_stream.decode import Delivery
from mdm_stream.engine.batch import Engine
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.rules import load_ruleset

pytestmark = pytest.mark.one_redis


@pytest.fixture
def rules_file(tmp_path):
    """The person pack with two sources."""
    file = tmp_path / "rules.yaml"
    file.write_text("extends: person\nversion: 1\nsources: {crm: {}, erp: {}}\n")
    return file


@pytest.fixture
def archive(redis_client, redis_url, tmp_path, rules_file, monkeypatch):
    """The archive of a deployment whose index has a record of the CRM; its settings are in the environment."""
    settings = {
        "RULES": str(rules_file),
        "REDIS_URL": redis_url,
        "CHANGES_STREAM": "changes",
        "GOLDEN_STREAM": "golden",
        "KINESIS_ENDPOINT_URL": "http://127.0.0.1:1",
        "QUARANTINE_URL": (tmp_path / "quarantine").as_uri(),
        "ARCHIVE_URL": (tmp_path / "archive").as_uri(),
        "WAREHOUSE_DUCKDB_PATH": str(tmp_path / "w.duckdb"),
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"MDM_{name}", value)
    rules = load_ruleset(str(rules_file))
    index = RedisIndex(redis_client, rules)
    attributes = {"given_name": "Ann", "family_name": "Okonkwo"}
    event = RecordEvent("person", "crm", "1", "upsert", 1, 0, attributes)
    assert not Engine(rules, index).process([event]).failed
    opened = open_archive((tmp_path / "archive").as_uri())
    opened.append("person", rows_of("person", [event], Delivery.from_row(encode_event(event), 1)), index.position())
    return opened


def said(capsys, *argv):
    """Run the command; return its exit code and all that it said."""
    code = run(["source", *argv, "--environment"])
    out, err = capsys.readouterr()
    return code, " ".join((out + err).split())


def test_hold_list_and_release(archive, capsys):
    """For people: since when, why, and how much is kept aside; released, it says what was sent again."""
    assert said(capsys, "list") == (0, "no source of domain person is held, and nothing is taken out")
    code, text = said(capsys, "hold", "crm", "--reason", "gone mad")
    assert (code, "source crm of domain person is held since" in text) == (0, True)
    assert archive.sources("person").read().held[0].reason == "gone mad"
    assert "gone mad" in said(capsys, "list")[1]
    code, text = said(capsys, "release", "crm", "--grace", "0")
    assert (code, text) == (0, "source crm of domain person goes on; 0 events sent again")
    assert (
        said(capsys, "release", "crm", "--grace", "0")[1]
        == "source crm of domain person was not held; 0 events sent again"
    )


def test_a_purge_without_yes_is_a_forecast(archive, capsys):
    """It says what would be different, and marks nothing."""
    times = ("--from", "1970-01-01T00:00:00Z", "--to", "1970-01-02T00:00:00Z", "--workers", "1")
    code, text = said(capsys, "purge", "crm", *times)
    assert code == 0
    assert "1 events would count as never sent" in text
    assert "1 source records would change, 1 of them would be gone" in text
    assert "0 golden records would change, 1 would be gone, 0 would be new" in text
    assert "Nothing was done; say --yes to do it" in text
    assert archive.sources("person").read().exclusions == ()
    assert "0 events would count" in said(capsys, "purge", "erp", *times)[1]


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (["hold", "crn", "--reason", "r"], "no source 'crn'; they have crm, erp"),
        (["hold", "crm", "--reason", " "], "--reason is one line"),
        (["hold", "crm", "--reason", "a\x1b[2J"], "--reason is one line"),
        (["purge", "crm", "--from", "yesterday", "--to", "2026-01-01T00:00:00Z"], "--from is"),
        (["purge", "crm", "--from", "2026-01-02T00:00:00Z", "--to", "2026-01-01T00:00:00Z"], "--from lies before --to"),
        (["purge", "crm", "--from", "2026-01-02T00:00:00Z", "--to", "9999-01-01T00:00:00Z"], "--to has passed"),
        (["readmit", "0123"], "no exclusion of that id"),
    ],
)
def test_slips_are_told_and_nothing_is_done(archive, argv, complaint, capsys):
    """A misspelt source, a time that is none: exit code 2, and no mark."""
    code, text = said(capsys, *argv)
    assert (code, complaint in text) == (2, True), text
    marks = archive.sources("person").read()
    assert (marks.held, marks.exclusions) == ((), ())
