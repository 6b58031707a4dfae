"""Reference and engine agree with a second F that was written from the documents and shares no code with them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from oracle import plain_fold, plain_worlds
from oracle.oracle_engine import compare
from oracle.run_oracle import main

HERE = Path(__file__).resolve().parent
CHUNKS = 8
HISTORIES_A_CHUNK = 40
"""Some hundreds, the same in each run; ``make oracle`` runs thousands."""
ORACLE = sorted(HERE.glob("plain_*.py"))
THEIRS = {"ast", "collections", "datetime", "fractions", "hashlib", "itertools", "json", "math", "random", "re"}
"""The standard library's modules that the oracle may use."""


@pytest.mark.parametrize("path", ORACLE, ids=lambda path: path.stem)
def test_the_oracle_shares_no_code(path):
    """Its modules import each other, a few of the standard library, and nothing else, by no way at all."""
    tree = ast.parse(path.read_text("utf-8"))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            own = node.module == "oracle" or node.module.startswith("oracle.")
            imported |= {f"oracle.{alias.name}" if node.module == "oracle" else node.module for alias in node.names}
            assert not own or all(name.startswith("oracle.plain_") for name in imported if name.startswith("oracle"))
    assert {name for name in imported if not name.startswith("oracle.plain_")} <= THEIRS | {"__future__"}
    called = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert called.isdisjoint({"__import__", "eval", "exec", "importlib"})


def test_there_is_an_oracle():
    """The check above looks at all of its modules."""
    parts = ("clusters", "f", "fold", "scores", "survivorship", "values", "worlds")
    assert {f"plain_{part}" for part in parts} == {p.stem for p in ORACLE}


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_histories_resolve_as_the_oracle_has_them(chunk):
    """Crosswalk, golden records with provenance, and review queue are equal, whatever the order and the batches."""
    seeds = range(chunk * HISTORIES_A_CHUNK, (chunk + 1) * HISTORIES_A_CHUNK)
    wrong = {each.seed: each.differences[:3] for each in map(compare, seeds) if each.differences}
    assert wrong == {}


def test_the_histories_hold_what_belongs_to_a_source():
    """Writes of later histories that win, cells of several values, and values that rules list as placeholders."""
    later, cells, listed = 0, 0, 0
    for seed in range(HISTORIES_A_CHUNK):
        rules = plain_worlds.rules_of(seed)
        events = plain_worlds.history_of(seed, rules)
        states = plain_fold.live_states(events, rules["sources"])
        written = [cell for state in states.values() for cell in state["columns"].values()]
        later += sum(str(cell["version"]).startswith(plain_fold.LAST_CHARACTER) for cell in written)
        cells += sum(isinstance(cell["value"], str) and ";" in cell["value"] for cell in written)
        values = {value.lower() for each in rules["attributes"] for value in each.get("placeholders", ())}
        listed += sum(isinstance(cell["value"], str) and cell["value"].lower() in values for cell in written)
    assert min(later, cells, listed) > HISTORIES_A_CHUNK / 8


def test_the_histories_hold_everything():
    """What is compared is not empty: golden records of several members, review items, and refused links are many."""
    found = [compare(seed) for seed in range(HISTORIES_A_CHUNK)]
    assert sum(each.golden for each in found) > HISTORIES_A_CHUNK
    assert sum(each.review for each in found) > HISTORIES_A_CHUNK
    assert sum(each.refused for each in found) > HISTORIES_A_CHUNK / 8


def test_the_histories_hold_all_ways_of_matching_at_once():
    """Learned models, clusters by evidence, refined keys and attributes compared as others meet in many rule sets."""
    found = []
    for seed in range(HISTORIES_A_CHUNK * CHUNKS):
        rules = plain_worlds.rules_of(seed)
        terms = any(level.get("terms") for each in rules["comparisons"] for level in each.get("levels", ()))
        also = any("also" in each for each in rules["attributes"])
        refined = any(key["refine"] for key in rules["blocking"])
        alone = any(len(key["parts"]) == 1 and key["parts"][0][0] == "exact" for key in rules["blocking"])
        generic = alone and rules["max_block_size"] < len(plain_worlds.SOURCES) * len(plain_worlds.IDS)
        found.append((terms, bool(rules["together"]), rules["clustering"] == "evidence", refined, also, generic))
    assert all(sum(each) > HISTORIES_A_CHUNK for each in zip(*found, strict=True))
    assert any(map(all, found))


def test_the_command_says_what_it_compared(capsys):
    """``make oracle`` ends with 0 where nothing differs, and says how many histories there were."""
    assert main(["--histories", "3", "--seed", "7", "--processes", "1"]) == 0
    assert "3 histories (seeds 7 to 9)" in capsys.readouterr().out
