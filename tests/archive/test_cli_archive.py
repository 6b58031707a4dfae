"""``mdm-stream archive``: what it shows, does and refuses."""

from __future__ import annotations

from dataclasses import replace
from shutil import copytree

import orjson
import pytest
from archived import DAY_US, record

from mdm_stream.archive import Archive, open_archive
from mdm_stream.cli.main import run
from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.objects.folder import FolderObjects


@pytest.fixture
def url(tmp_path):
    """The address of an archive with two domains."""
    for day in (1, 2):
        archive = Archive(FolderObjects(tmp_path), now_us=lambda day=day: day * DAY_US)
        archive.append("person", [record(day), record(9)], EpochPosition(1, day, 7))
        archive.append("person", [record(day), record(8)], EpochPosition(1, day, 8))
    archive.append("company", [replace(record(1), domain="company")], EpochPosition(2, 1, 1))
    return tmp_path.as_uri()


def test_list_tells_what_there_is(url, capsys, monkeypatch):
    """As a table, and as JSON with numbers and the witness of each domain; the address may be in the environment."""
    assert run(["archive", "list", "--archive", url]) == 0
    assert "company" in capsys.readouterr().out
    monkeypatch.setenv("MDM_ARCHIVE_URL", url)
    assert run(["archive", "list", "--domain", "person", "--json"]) == 0
    (found,) = orjson.loads(capsys.readouterr().out)
    assert (found["segments"], found["parts"], found["first_day"], found["last_day"]) == (
        4,
        0,
        "1970-01-02",
        "1970-01-03",
    )
    assert found["witness"] == {"epoch": 1, "clock": 2, "sequence": 8}


def test_compact_and_verify(url, capsys):
    """Compaction says what it did, and verification that all of it can be read."""
    assert run(["archive", "compact", "--archive", url, "--older-than-days", "1"]) == 0
    assert "person: 4 objects became 2 parts with 6 rows; 2 duplicates dropped" in capsys.readouterr().out
    assert run(["archive", "compact", "--archive", url, "--json"]) == 0
    assert orjson.loads(capsys.readouterr().out)["person"]["objects_replaced"] == 0
    assert run(["archive", "verify", "--archive", url]) == 0
    assert "person: 2 objects with 6 rows, 0 damaged" in capsys.readouterr().out


def test_verify_fails_on_damage(url, tmp_path, capsys):
    """A damaged object is named, and the exit code is not zero; the JSON document is whole all the same."""
    bad = next(tmp_path.rglob("domain=company/**/segment-*"))
    bad.write_bytes(b"damaged beyond repair")
    assert run(["archive", "verify", "--archive", url, "--json"]) == 1
    said = capsys.readouterr()
    assert bad.name in said.err
    assert orjson.loads(said.out)["company"]["damaged"]
    assert open_archive(url).verify("person").damaged == ()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--archive", "ftp://kept"], "file:///folder or s3://bucket/prefix"),
        (["--domain", "product"], "it has: company, person"),
        (["--domain", "../etc"], "it has: company, person"),
    ],
)
def test_what_is_not_there_is_refused(url, arguments, said, capsys):
    """A wrong address or domain is a usage error that says what would be right."""
    assert run(["archive", "list", "--archive", url, *arguments]) == 2
    assert said in capsys.readouterr().err


def test_without_an_address_it_is_the_local_stacks(url, tmp_path, capsys, monkeypatch):
    """A state directory or a plain folder names an archive as an address does; one that is not there is an error."""
    monkeypatch.delenv("MDM_ARCHIVE_URL", raising=False)
    (tmp_path / "state").mkdir()
    copytree(tmp_path, tmp_path / "state" / "archive", ignore=lambda *_: {"state"})
    for where in (("--state", tmp_path / "state"), ("--archive", tmp_path)):
        assert run(["archive", "verify", *map(str, where)]) == 0
        assert "person: 4 objects with 8 rows, 0 damaged" in capsys.readouterr().out
    for where in (("--state", tmp_path / "none"), ("--archive", tmp_path / "none")):
        assert run(["archive", "verify", *map(str, where)]) == 2
        said = capsys.readouterr()
        assert "there is no" in said.err
        assert said.out == ""
