"""The oracle finds what a comparison of reference and engine cannot: faults in the code that the two share."""

from __future__ import annotations

import random

import pytest
from oracle import plain_worlds
from oracle.f_mutants import MUTANTS
from oracle.oracle_engine import delivered, differing, event_of, ruleset
from oracle.run_oracle import main

from mdm_stream.core.reference import resolve

SEEDS = range(1_000)
"""A mutant must be caught by one of these histories; the tests of the oracle show that F itself passes the same."""
AGREEING = range(20)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_caught(monkeypatch, name):
    """Each fault in the shared code is a difference to the oracle, in one of a fixed number of histories."""
    MUTANTS[name](monkeypatch)
    assert differing(SEEDS) is not None, "the oracle did not notice"


@pytest.mark.parametrize("name", MUTANTS)
def test_reference_and_engine_do_not_notice_a_mutant(monkeypatch, name):
    """Both are broken alike and in a lawful way, so that they go on agreeing: the mutants are of the kind meant."""
    MUTANTS[name](monkeypatch)
    for seed in AGREEING:
        rules = plain_worlds.rules_of(seed)
        compiled = ruleset(rules, seed)
        events = [event_of(event, compiled) for event in plain_worlds.history_of(seed, rules)]
        shuffled = random.Random(seed).sample(events, len(events))
        assert resolve(compiled, events) == resolve(compiled, shuffled) == delivered(compiled, events, seed)


def test_the_command_ends_with_an_error_on_a_difference(monkeypatch, capsys):
    """``make oracle`` names the seed of a difference and ends with 1."""
    monkeypatch.setattr("oracle.plain_f.plain_survivorship.survive", lambda *_: {})
    monkeypatch.setattr("oracle.run_oracle.ProcessPoolExecutor", _InThisProcess)
    assert main(["--histories", "2", "--seed", "5"]) == 1
    assert "DIFFERENCE in history 5; again: make oracle HISTORIES=1 ARGS='--seed 5'" in capsys.readouterr().out


class _InThisProcess:
    """A pool of no processes, so that what was patched here is seen."""

    def __init__(self, _):
        """Take the number of processes, and start none."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def map(self, function, items, chunksize):
        """Do it here."""
        assert chunksize > 0
        return map(function, items)
