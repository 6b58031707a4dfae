"""The engine's rate with a trained model over its rate without one: the same events under each in turn."""

from __future__ import annotations

from pathlib import Path

from engine_rates import in_turn, population_events, show_rate
from histories import RULES_DEFAULT
from labelled_sets import FOLDER, SETS
from show import Show

from mdm_stream.core.model import ChangeEvent
from mdm_stream.core.record import build_record
from mdm_stream.core.reference import fold_events
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.frame import frame_events
from mdm_stream.rules import load_ruleset
from mdm_stream.train.learn import in_use, learn

PEOPLE = 100_000
EVENTS = 8_000
SET = "febrl4"


def figures(show: Show, scratch: Path) -> None:  # noqa: ARG001 - as all sections
    """Train on the events, and resolve them with the model and without it."""
    rules = load_ruleset(RULES_DEFAULT)
    _both(show, f"{EVENTS:,} events of generated people", rules, population_events(PEOPLE, EVENTS, rules))
    if (FOLDER / f"{SET}.records.csv.gz").is_file():
        labelled = SETS[SET]
        rules = labelled.rules()
        _both(show, SET, rules, list(frame_events(labelled.rows(), rules)))


def _both(show: Show, what: str, rules: Ruleset, events: list[ChangeEvent]) -> None:
    records = {ref: build_record(rules, ref, state) for ref, state in fold_events(events).items()}
    trained = in_use(rules, learn(rules, records).model)
    show_rate(show, what, in_turn({"trained": trained, "untrained": rules}, events), "trained", "untrained")
