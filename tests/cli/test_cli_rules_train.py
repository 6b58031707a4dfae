"""``rules train`` and ``rules import-splink``: files in, a model beside the rules, and what it says of it."""

from __future__ import annotations

import stat

import orjson
import pytest
from source_tree import ROOT

from mdm_stream.cli.main import run
from mdm_stream.rules import load_ruleset

RULES = """extends: person
version: 1
sources: {crm: {attributes: {given_name: first, family_name: last, birth_date: born, city: town}}}
"""
NAMES = ["ba", "co", "di", "fe", "gu", "ka", "lo", "mi", "ne", "pu", "ra", "so"]


@pytest.fixture
def work(tmp_path):
    """A rule set, and a CSV file with two records of each of 60 persons."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES, "utf-8")
    lines = ["record_id,first,last,born,town"]
    for person in range(60):
        first = NAMES[person % 12] + NAMES[person % 7] + "na"
        last = NAMES[person % 5] + NAMES[(person * 5) % 12] + "son"
        rest = f"{first},{last},19{40 + person % 50}-03-{10 + person % 18},{NAMES[person % 6]}ville"
        lines += [f"{person}-{copy},{rest}" for copy in range(2)]
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n", "utf-8")
    return tmp_path


def train(work, *options):
    """Run the command on the fixture's files."""
    return run(["rules", "train", str(work / "rules.yaml"), str(work / "rows.csv"), "--source", "crm",
                "--random-pairs", "5000", *options])  # fmt: skip


def test_it_writes_a_model_and_names_it(work, capsys):
    """The table of levels and what was found are printed; with --use the rules score with the model from then on."""
    before = load_ruleset(work / "rules.yaml").digest
    assert train(work) == 0
    said = capsys.readouterr().out
    assert "bits before" in said
    assert "matches found" in said
    assert "match: {model: rules.model.json}" in said
    assert load_ruleset(work / "rules.yaml").digest == before
    assert train(work, "--use") == 0
    assert "model: rules.model.json" in (work / "rules.yaml").read_text("utf-8")
    assert load_ruleset(work / "rules.yaml").digest != before


def test_a_model_is_of_its_owner_alone(work):
    """It holds values that many records have; one that others could read before is not any more."""
    model = work / "rules.model.json"
    model.write_text("{}", "utf-8")
    model.chmod(0o644)
    assert train(work) == 0
    assert stat.S_IMODE(model.stat().st_mode) == 0o600
    assert [path.name for path in work.iterdir() if path.name.endswith(".new")] == []


def test_json_says_all_of_it(work, capsys):
    """Levels with m, u and bits before and after, warnings, and where the model is."""
    assert train(work, "--json") == 0
    found = orjson.loads(capsys.readouterr().out)
    assert {"domain", "prior", "levels", "warnings", "dependences", "terms", "about", "file"} <= set(found)
    assert {"comparison", "level", "m", "u", "bits_before", "bits"} <= set(found["levels"][0])


def test_it_says_which_pairs_would_be_something_else(work, capsys):
    """Against the rules in use: a model that is in use already changes nothing."""
    assert train(work, "--use", "--json") == 0
    effect = orjson.loads(capsys.readouterr().out)["effect"]
    assert effect["by_verdicts"] is None
    assert sum(effect["by_model"]["before"].values()) == sum(effect["by_model"]["after"].values()) > 0
    assert train(work) == 0
    said = capsys.readouterr().out
    assert "something else, against the rules in use" in said
    assert "\n  none" in said


def test_verdicts_that_contradict_the_model_show_what_falls(work, capsys):
    """Stewards separate most of what the rules link: so many links would be questions or fall away, and which."""
    lines = []
    for person in range(24):
        ends = {end: {"source": "crm", "record_id": f"{person}-{copy}"} for end, copy in (("a", 0), ("b", 1))}
        verdict = "separate" if person % 6 else "link"
        lines.append(orjson.dumps({"domain": "person", "op": "verdict", **ends, "verdict": verdict, "steward": "anna",
                                   "version": 1, "event_time": "2026-01-01T00:00:00Z"}))  # fmt: skip
    (work / "verdicts.jsonl").write_bytes(b"\n".join(lines))
    rules, rows, said = (str(work / name) for name in ("rules.yaml", "rows.csv", "verdicts.jsonl"))
    options = ["--source", "crm", "--random-pairs", "5000", "--verdicts"]
    assert run(["rules", "train", rules, rows, said, *options, "--json"]) == 0
    effect = orjson.loads(capsys.readouterr().out)["effect"]
    by_verdicts = effect["by_verdicts"]
    assert by_verdicts["after"]["link"] < by_verdicts["before"]["link"] <= 60 - 24
    assert effect["link_bits"]["with"] > effect["link_bits"]["without"]
    assert {each["before"] for each in by_verdicts["changes"]} == {"link"}
    assert all(each["examples"] for each in by_verdicts["changes"])
    assert run(["rules", "train", rules, rows, said, *options]) == 0
    printed = capsys.readouterr().out
    assert "Of that, by the verdicts alone" in printed
    assert "20 SEPARATE verdicts: the rules in use agree with 0, the new ones with" in printed
    assert run(["rules", "train", rules, rows, said, *options[:-1]]) == 0
    assert "was calibrated by verdicts and is not any more" in capsys.readouterr().err


def test_training_again_begins_with_what_is_written(work):
    """A model that the rules name already is no part of what is learned: the second one is the first, byte for byte."""
    assert train(work, "--use") == 0
    first = (work / "rules.model.json").read_bytes()
    assert train(work, "--use") == 0
    assert (work / "rules.model.json").read_bytes() == first


def test_a_pack_has_no_place_for_a_model(work, capsys):
    """Nothing is written into the package."""
    assert run(["rules", "train", "person", str(work / "rows.csv")]) == 2
    assert "--out" in capsys.readouterr().err


def test_a_splink_model_becomes_rules(work, capsys):
    """Two files that load; the notes say what is not as in Splink."""
    folder = ROOT / "tests" / "fixtures" / "splink"
    terms = [f"--terms={name}={folder / f'tf_{name}.csv'}" for name in ("given", "family", "city")]
    out = work / "splink.yaml"
    assert run(["rules", "import-splink", str(folder / "model.json"), "--out", str(out), *terms, "--json"]) == 0
    found = orjson.loads(capsys.readouterr().out)
    assert found["digest"] == load_ruleset(out).digest
    assert run(["rules", "import-splink", str(folder / "model.json"), "--out", str(work / "other.yaml")]) == 2
    assert "--terms given=FILE" in capsys.readouterr().err
    assert not (work / "other.yaml").exists()


@pytest.mark.parametrize(("out", "said"), [
    ("rules.yaml", "a file that is read"), ("rows.csv", "a file that is read"),
    ("absent/m.json", "no folder"), ("folder", "is a directory"),
])  # fmt: skip
def test_a_slip_in_out_costs_neither_rules_nor_data(work, capsys, out, said):
    """The model is never written over the rules or the records, and a place that is none is said before learning."""
    (work / "folder").mkdir()
    before = {path.name: path.read_bytes() for path in work.iterdir() if path.is_file()}
    assert train(work, "--out", str(work / out)) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "learning" not in error
    assert {path.name: path.read_bytes() for path in work.iterdir() if path.is_file()} == before
