"""``mdm-stream init`` and ``profile FILE``: from a file to rules that the other commands take."""

from __future__ import annotations

import re

import orjson
import pytest
from language_samples import GERMAN, GERMAN_MAKE, persons, products, write_csv, write_json

from mdm_stream.cli.main import run

NASTY = '<script>alert("x")</script>'


@pytest.fixture
def file(tmp_path):
    """A German file of persons."""
    return write_csv(tmp_path / "kunden.csv", persons("de", GERMAN, GERMAN_MAKE), ";", "cp1252", "\r\n")


def test_init_writes_rules_that_check_and_replay_take(file, tmp_path, capsys):
    """The folder has rules, a page and notes; `rules check` finds nothing wrong, and `replay` makes golden records."""
    out = tmp_path / "out"
    assert run(["init", str(file), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "golden record" in said
    assert {path.name for path in out.iterdir()} == {"rules.yaml", "profile.html", "README.md"}
    assert run(["rules", "check", str(out / "rules.yaml")]) == 0
    command = next(line for line in said.splitlines() if line.strip().startswith("mdm-stream replay"))
    capsys.readouterr()
    assert run([*command.split()[1:], "--json"]) == 0
    rows = (out / "result" / "crosswalk.csv").read_text().splitlines()
    assert len(rows) - 1 == len(persons("de", GERMAN, GERMAN_MAKE).rows)


def test_what_replay_cannot_read_gets_a_copy(tmp_path, capsys):
    """Rows of JSON come with a CSV copy that the rules are about, and the command that is shown reads it."""
    file = write_json(
        tmp_path / "articoli.json", products(("codice", "descrizione articolo", "marca", "EAN", "prezzo"))
    )
    out = tmp_path / "out"
    assert run(["init", str(file), "--out", str(out), "--json"]) == 0
    document = orjson.loads(capsys.readouterr().out)
    assert document["inputs"] == [{"file": str(out / "articoli.csv"), "source": "articoli"}]
    assert document["pack"] is None
    assert document["resolved"]["of_several"] > 0
    assert any(each["used"] for each in document["keys"])


def test_rules_that_are_there_are_left_alone(file, tmp_path, capsys):
    """A second draft does not write over rules that may have been changed."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "rules.yaml").write_text("extends: person\n")
    assert run(["init", str(file), "--out", str(out)]) == 2
    assert "already" in capsys.readouterr().err
    assert (out / "rules.yaml").read_text() == "extends: person\n"


@pytest.mark.parametrize("name", ["README.md", "profile.html", "kunden.csv"])
def test_nothing_in_the_folder_is_written_over(tmp_path, capsys, name):
    """Notes and pages that are there stay, and so does a file that is read from the folder, of which a copy is due."""
    file = tmp_path / "kunden.csv"
    file.write_text("name,name\nAda,Abendroth\n")
    (tmp_path / name).touch()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert run(["init", str(file), "--out", str(tmp_path)]) == 2
    assert f"{name} is there already" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_folder_in_place_of_a_file_is_called_one(file, tmp_path, capsys):
    """A folder is not said to be missing: what to do about it is something else."""
    for command in (["init", str(tmp_path), "--out", str(tmp_path / "out")], ["profile", str(tmp_path)]):
        assert run(command) == 2
        assert "is a folder; name the files in it" in capsys.readouterr().err
    rules = tmp_path / "rules.yaml"
    rules.write_text("extends: person\nversion: 1\n")
    for command in (
        ["rules", "train", str(rules), str(tmp_path)],
        ["replay", str(tmp_path), "--rules", str(rules), "--out", str(tmp_path / "r")],
    ):
        assert run(command) == 2
        assert "is a folder; name the files in it" in capsys.readouterr().err


def test_the_page_is_not_written_over_the_file_that_it_is_about(file, capsys):
    """A slip in `--html` does not cost the data."""
    before = file.read_bytes()
    assert run(["profile", str(file), "--html", str(file)]) == 2
    assert "is a file that is read" in capsys.readouterr().err
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["absent.csv"], "no such file"),
        (["--source", "a", "--source", "b"], "--source"),
        (["--source", "a/b"], "no name of a source"),
        (["--domain", "A"], "no name of a domain"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(file, tmp_path, capsys, arguments, said):
    """What cannot be done is said in a sentence, with exit code 2."""
    files = [] if arguments[0].endswith(".csv") else [str(file)]
    assert run(["init", *files, *arguments, "--out", str(tmp_path / "out")]) == 2
    assert said in capsys.readouterr().err


def test_profile_reports_on_a_file_alone(file, tmp_path, capsys):
    """Without rules, `profile FILE` says what each column means and how well it is filled; values are masked."""
    page = tmp_path / "page.html"
    assert run(["profile", str(file), "--html", str(page)]) == 0
    said = capsys.readouterr().out
    assert "birth date" in said
    assert "day first" in said
    written = page.read_text("utf-8")
    assert "<svg" in written
    assert "Abendroth" not in said + written
    assert run(["profile", str(file), "--json", "--show-values"]) == 0
    (document,) = orjson.loads(capsys.readouterr().out)["files"]
    assert [each["meaning"] for each in document["columns"]][:4] == ["key", "given_name", "family_name", "birth_date"]
    assert document["rows"] == len(persons("de", GERMAN, GERMAN_MAKE).rows)


@pytest.mark.parametrize("arguments", [[], ["--shared", "--html", "x.html"], ["--on", "archive"]])
def test_profile_asks_which_report(arguments, capsys):
    """Without files, or with options of another report, the command says which reports there are."""
    assert run(["profile", *arguments]) == 2
    assert "which report" in (said := capsys.readouterr().err) or "--html" in said


def test_the_page_is_self_contained_and_escapes_what_files_hold(tmp_path):
    """Names and values of a file are text in the page, whatever they are; it loads nothing and runs nothing."""
    path = tmp_path / "rows.csv"
    path.write_text(
        f"id,{NASTY.replace(',', '')}\n" + "".join(f'{n},"{NASTY}"\n' for n in range(5)).replace('("x")', "(1)")
    )
    page = tmp_path / "page.html"
    assert run(["profile", str(path), "--html", str(page), "--show-values"]) == 0
    written = page.read_text("utf-8")
    assert "<script" not in written
    assert "&lt;script&gt;" in written
    assert re.findall(r'(?:src|href)="', written) == []
    assert "default-src 'none'" in written


def test_what_a_report_leaves_out_is_said(tmp_path, capsys):
    """Nested members and rows that cannot be read are in the table, the page and the document of `profile`."""
    path, page = tmp_path / "rows.ndjson", tmp_path / "page.html"
    path.write_text('{"id":1,"name":{"first":"Ada"},"town":"Ahaus"}\n{"id":2,\n{"id":3,"town":"Rhede"}\n')
    assert run(["profile", str(path), "--html", str(page)]) == 0
    said = capsys.readouterr().out
    assert "column 'name' has objects or lists, which are left out" in said
    assert "1 more rows cannot be read" in said
    assert "name: objects or lists" in page.read_text("utf-8")
    assert run(["profile", str(path), "--json"]) == 0
    assert orjson.loads(capsys.readouterr().out)["files"][0]["left_out"] == ["name"]


def test_files_of_different_things_are_told_apart(file, tmp_path, capsys):
    """Persons and articles in one call make one rule set, which is right for one of them alone, and that is said."""
    header = ("codice", "descrizione articolo", "marca", "EAN", "prezzo")
    articles = write_csv(tmp_path / "articoli.csv", products(header))
    assert run(["init", str(file), str(articles), "--out", str(tmp_path / "out"), "--json"]) == 0
    said = [each["said"] for each in orjson.loads(capsys.readouterr().out)["not_sure_of"] if each["file"] == "kunden"]
    assert any("look like persons, those of all files like products" in each for each in said)


def test_a_place_that_cannot_be_written_is_said_in_a_sentence(file, tmp_path, capsys):
    """A folder below a file, for one, is no unexpected error: its name and what the system says of it are shown."""
    for command in (["init", str(file), "--out", str(file / "out")],
                    ["profile", str(file), "--html", str(file / "page.html")]):  # fmt: skip
        assert run(command) == 1
        error = capsys.readouterr().err
        assert "kunden.csv" in error
        assert "unexpected" not in error
