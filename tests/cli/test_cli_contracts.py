"""The command contracts: list, show, check against a folder, a file or a commit."""

from __future__ import annotations

import os
import subprocess

import orjson
import pytest
import yaml
from click.testing import CliRunner
from contract_documents import released_folder, write
from deliberate_changes import BREAKING, SAFE

from mdm_stream.cli.contract_sources import DOCUMENT_BYTES_MAX, IN_CHECKOUT
from mdm_stream.cli.main import cli, run
from mdm_stream.contracts.packaged import packaged_documents

DOCUMENTS = packaged_documents()


def invoke(*argv):
    """Run a command in this process; its result has stdout and the exit code."""
    return CliRunner().invoke(cli, ["contracts", *map(str, argv)])


def test_every_document_is_listed_and_shown():
    """Names of the list are what `show` takes; JSON and YAML say the same."""
    listed = orjson.loads(invoke("list", "--json").stdout)["contracts"]
    assert [each["name"] for each in listed] == list(DOCUMENTS)
    assert {each["direction"] for each in listed} == {"consumed", "produced", "both"}
    table = invoke("list").stdout
    for name, document in DOCUMENTS.items():
        assert name in table
        assert orjson.loads(invoke("show", name).stdout) == document
        assert yaml.safe_load(invoke("show", name, "--yaml").stdout) == document


def test_an_unknown_name_is_refused(capsys):
    """The error lists the names that there are."""
    assert run(["contracts", "show", "nonsense"]) == 2
    assert "asyncapi, change" in capsys.readouterr().err


def test_this_release_is_compatible_with_the_last_one():
    """What `make check` runs."""
    result = invoke("check", "--against", released_folder())
    assert result.exit_code == 0, result.stdout


@pytest.mark.parametrize("change", [BREAKING[2], BREAKING[14], SAFE[0]], ids=lambda change: change.name)
def test_changes_are_told_and_give_the_exit_code(change, tmp_path):
    """Lines for people, one document for programs; 1 where something breaks."""
    write(tmp_path / "old", DOCUMENTS)
    write(tmp_path / "new", change.applied(DOCUMENTS))
    arguments = ("check", "--against", tmp_path / "old", "--documents", tmp_path / "new")
    result = invoke(*arguments)
    assert result.exit_code == (1 if change.breaks else 0)
    assert (change.breaks.replace("_", " a ") or "safe") in result.stdout
    told = orjson.loads(invoke(*arguments, "--json").stdout)
    assert bool(told["breaks"]) == bool(change.breaks)
    assert any(change.said in f"{each['where']} {each['what']}" for each in told["changes"])


def test_one_file_is_compared_with_the_document_of_its_name(tmp_path, capsys):
    """Others are left out; a file of another name has nothing to be compared with."""
    write(tmp_path, {"change": BREAKING[2].applied(DOCUMENTS)["change"], "other": {}})
    result = invoke("check", "--against", tmp_path / "change.json")
    assert result.exit_code == 0
    assert "maxLength 100 -> 256" in result.stdout
    assert run(["contracts", "check", "--against", str(tmp_path / "other.json")]) == 2
    assert "no present document" in capsys.readouterr().err


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A git checkout of two commits, without documents and with earlier ones; it is the working directory."""
    for name in [each for each in os.environ if each.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def git(*arguments):
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)

    git("init", "--quiet")
    git("commit", "--quiet", "--allow-empty", "-m", "nothing")
    git("tag", "before")
    write(tmp_path / IN_CHECKOUT, SAFE[0].applied(DOCUMENTS))
    git("add", ".")
    git("commit", "--quiet", "-m", "documents")
    (tmp_path / "below").mkdir()
    return tmp_path


def test_a_commit_is_compared(checkout, monkeypatch):
    """Its documents are read from git, from any folder of the checkout: the working tree does not count."""
    (checkout / IN_CHECKOUT / "change.json").unlink()
    monkeypatch.chdir(checkout / "below")
    result = invoke("check", "--against", "HEAD")
    assert result.exit_code == 1
    assert "breaks a producer: change: <RecordWrite>.batch: is removed (unknown fields are refused)" in result.stdout


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("before", "has no documents"),
        ("nonsense", "no commit here"),
        ("--output=x", "no folder, file or commit"),
        ("HEAD:a", "no folder, file or commit"),
        ("below", "holds 0 files"),
        ("broken", "no JSON"),
        ("list", "no JSON object"),
        ("large", "larger than"),
        ("damaged", "is no document of its kind"),
    ],
)
def test_what_cannot_be_compared_is_an_error(checkout, capsys, reference, said):
    """Neither safe nor breaking: exit code 2, and what to do."""
    contents = {
        "broken": b"{",
        "list": b"[]",
        "large": b" " * (DOCUMENT_BYTES_MAX + 1),
        "damaged": b'{"properties": 7}',
    }
    for name, content in contents.items():
        (checkout / name).mkdir()
        (checkout / name / "change.json").write_bytes(content)
    assert run(["contracts", "check", f"--against={reference}"]) == 2
    assert said in capsys.readouterr().err
