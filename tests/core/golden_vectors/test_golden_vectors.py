"""F gives what the golden vectors say: a change of F is seen, has a number, and is released by a rebuild."""

from __future__ import annotations

import copy
import importlib.metadata
import re

import pytest
import vectors as v
import write
from source_tree import ROOT

from mdm_stream.core.f_version import F_VERSION, differences, f_digest, f_identity
from mdm_stream.core.standardise.registry import STANDARDISERS

COMMAND = "make vectors"
SHOWN_MAX = 5
STORED = v.stored()
WRITTEN_UNDER = v.stored_identity()


def unpinned() -> list[str]:
    """Return which of F's libraries are installed in another version than constraints.txt pins, or was written with."""
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text("ascii").lower(), re.MULTILINE))
    found = []
    for name, version in f_identity().libraries.items():
        wanted = WRITTEN_UNDER["f"]["unicode"] if name == "unicode" else pins[name]
        if version != wanted:
            found.append(f"{name} {version}, not {wanted}")
    return found


def advice(changed: list[v.Difference]) -> str:
    """Return what to do about changed vectors: it depends on what else has changed."""
    shown = "\n".join(map(str, changed[:SHOWN_MAX]))
    lines = [f"F gives something else than the golden vectors say, for {len(changed):,} inputs; the first:", shown]
    for domain in sorted({domain for each in changed if (domain := v.depends_on_rules(each))}):
        if v.rules_part(v.rules_of(domain).digest) != WRITTEN_UNDER["rules"][domain]:
            lines.append(f"The rules of {domain} have changed too. If nothing else has, F has not: run {COMMAND}.")
    if apart := unpinned():
        lines.append(f"Installed is {'; '.join(apart)}: install what constraints.txt pins, on Python 3.11, and see.")
    if WRITTEN_UNDER["f_digest"] == f_digest():
        lines.append(
            f"If it is not meant, revert it. If it is: raise F_VERSION ({F_VERSION}) in mdm_stream/core/f_version.py, "
            f"run {COMMAND}, and release by docs/operate/upgrading.md: every index needs a rebuild."
        )
    else:
        said = "; ".join(differences(WRITTEN_UNDER["f"], f_identity().parts()))
        lines.append(
            f"F's identity has changed since ({said}). If the values are meant, run {COMMAND}, and release by "
            "docs/operate/upgrading.md: every index needs a rebuild."
        )
    return "\n".join(lines)


def test_f_gives_what_the_vectors_say():
    """Every value, key, score, golden record and review item is the one that is committed."""
    changed = v.changed(STORED)
    assert changed == [], "\n" + advice(changed)


def test_the_vectors_were_written_under_this_f():
    """Another library or word table is another F, also where no vector shows it: who upgrades one is told so here."""
    if apart := unpinned():
        pytest.skip(f"the vectors are of the pinned versions; installed is {'; '.join(apart)}")
    said = "; ".join(differences(WRITTEN_UNDER["f"], f_identity().parts()))
    assert WRITTEN_UNDER["f_digest"] == f_digest(), (
        f"\nF's identity is another one than that of the golden vectors: {said}. Releasing it means a rebuild of every "
        f"index (docs/operate/upgrading.md). If that is meant, run {COMMAND}; if not, revert it."
    )


def test_the_files_are_as_they_were_written():
    """Vectors are made by the command alone: it refuses to change them under an F that has them already."""
    digests = {file: v.digest(sections) for file, sections in STORED.items()}
    assert digests == WRITTEN_UNDER["files"], f"changed by hand; restore it, or raise F_VERSION and {COMMAND}"


def test_the_inputs_are_those_of_the_generator():
    """The same inputs come out on every machine and in every process, whatever its hash seed."""
    if apart := unpinned():
        pytest.skip(f"some inputs are made with Unicode's tables; installed is {'; '.join(apart)}")
    inputs = {file: {s: [given for given, _ in e] for s, e in sections.items()} for file, sections in STORED.items()}
    assert v.made_inputs() == inputs, f"the inputs have changed: run {COMMAND}"


def test_the_vectors_are_many_and_of_every_kind():
    """Each attribute type has a few hundred values, each pack a few hundred pairs, of every decision."""
    assert STANDARDISERS.keys() <= STORED["standardised"].keys()
    assert min(len(entries) for entries in STORED["standardised"].values()) >= 200
    for domain in v.DOMAINS:
        decisions = [output[0] for _, output in STORED["pairs"][domain]]
        assert all(decisions.count(decision) >= 8 for decision in ("LINK", "REVIEW", "NO_LINK")), domain
    results = [entry[1] for entries in STORED["golden"].values() for entry in entries]
    assert sum(len(result["review"]) for result in results) >= 10
    assert any(len(golden["members"]) > 2 for result in results for golden in result["golden"].values())
    reasons = {item["reason"] for result in results for *_, item in result["review"]}
    assert {"score", "separated"} <= reasons


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The committed vectors in a folder of their own, so that the command may write to it."""
    for name in (*(f"{file}.json" for file in v.COMPUTE), "identity.json", *(f"{domain}.yaml" for domain in v.DOMAINS)):
        (tmp_path / name).write_bytes((v.FOLDER / name).read_bytes())
    monkeypatch.setattr(v, "FOLDER", tmp_path)
    return tmp_path


def files_in(folder):
    """Return the content of every file."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.slow
def test_the_command_refuses_another_output_under_the_same_f(folder, monkeypatch, capsys):
    """Without a new F version nothing is written, and the first difference is shown; with one, all is."""
    before = files_in(folder)
    compute = {**v.COMPUTE, "keys": lambda section, given: ["another key"]}
    monkeypatch.setattr(v, "COMPUTE", compute)
    assert write.main() == 1
    assert "raise F_VERSION" in capsys.readouterr().out
    assert files_in(folder) == before
    monkeypatch.setattr(v, "f_digest", lambda: "99.1.0")
    assert write.main() == 0
    now = files_in(folder)
    assert {name for name in now if now[name] != before[name]} == {"keys.json", "identity.json"}


@pytest.mark.slow
def test_the_command_changes_nothing_where_nothing_has_changed(folder):
    """Run again, under whatever hash seed, it writes the same bytes."""
    if apart := unpinned():
        pytest.skip(f"the vectors are of the pinned versions; installed is {'; '.join(apart)}")
    before = files_in(folder)
    assert write.main() == 0
    assert files_in(folder) == before


def test_a_changed_vector_says_what_to_do():
    """The failure names the value, the file to change, the command and the page."""
    wrong = copy.deepcopy(STORED["standardised"]["date"][:1])
    wrong[0][1] = "1980-01-03"
    (found,) = v.changed({"standardised": {"date": wrong}})
    assert (found.stored, found.now) == ("1980-01-03", "1980-01-02")
    said = advice([found])
    assert "1980-01-03" in said
    assert all(text in said for text in (COMMAND, "docs/operate/upgrading.md"))
    if WRITTEN_UNDER["f_digest"] == f_digest():
        assert "raise F_VERSION" in said
    assert all(importlib.metadata.version(name) for name in f_identity().libraries if name != "unicode")
