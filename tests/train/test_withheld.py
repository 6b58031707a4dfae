"""Promises about what training does not believe: what makes one of things that a number of their own tells apart."""

from __future__ import annotations

import random

import pytest

from mdm_stream.core.model import RecordEvent
from mdm_stream.core.record import build_record
from mdm_stream.core.reference import fold_events
from mdm_stream.rules import load_ruleset
from mdm_stream.train.gather import PairLimits
from mdm_stream.train.learn import learn

RULES = """domain: firm
version: 1
attributes:
  name: {type: organisation}
  mailbox: {type: email}
  phone: {type: phone, options: {region: DE}}
  tax_id: {type: identifier}
blocking:
  keys: {name: name, mailbox: mailbox, phone: phone, tax_id: tax_id}
match:
  prior: 0.001
  comparisons:
    name: {attributes: [name], levels: [{when: null, bits: 0}, {when: exact, bits: 8}, {when: else, bits: -4}]}
    mailbox: {attributes: [mailbox], levels: [{when: null, bits: 0}, {when: exact, bits: 6}, {when: else, bits: -0.5}]}
    phone: {attributes: [phone], levels: [{when: null, bits: 0}, {when: exact, bits: 9}, {when: else, bits: -0.5}]}
    tax_id: {attributes: [tax_id], levels: [{when: null, bits: 0}, {when: exact, bits: 14}, {when: else, bits: -5}]}
"""


def firms(count: int, related: int) -> list[RecordEvent]:
    """Two records a firm; some have a branch of the same name and mailbox with a tax number and phone of its own."""
    randomness = random.Random(7)
    found = []

    def add(firm: int, name: str, mailbox: str, tax_id: str, records: int) -> None:
        for copy in range(records):
            values = {"name": name, "mailbox": mailbox, "tax_id": tax_id}
            values["phone"] = f"+4930{20000000 + 10 * firm + copy * randomness.randrange(2)}"
            found.append(RecordEvent("firm", "erp", f"{firm}.{copy}", "upsert", 1, 0, values))

    for firm in range(count):
        name = "".join(randomness.choices("abdefgiklmnoprstu", k=9))
        add(firm, name, f"info@{name}.example", f"DE{811000000 + firm * 7919}", 2)
        if firm < related:
            add(count + firm, name, f"info@{name}.example", f"DE{914000000 + firm * 6131}", 1)
    return found


@pytest.fixture
def rules(tmp_path):
    """The rules above."""
    path = tmp_path / "rules.yaml"
    path.write_text(RULES, "utf-8")
    return load_ruleset(path)


@pytest.mark.parametrize("related", [0, 40])
def test_what_numbers_of_their_own_tell_apart_is_not_learned_as_one(rules, related):
    """Branches of one name and mailbox look like matches with a wrong tax number: what links them is not used, and that
    is said. Without branches there is nothing to be said.
    """
    records = {ref: build_record(rules, ref, state) for ref, state in fold_events(firms(300, related)).items()}
    learned = learn(rules, records, PairLimits(candidates_max=50_000, random_pairs_max=60_000))
    said = [each for each in learned.warnings if "look like one" in each]
    assert len(said) == bool(related)
    if related:
        assert "differ in tax_id" in said[0]
        given = learned.model.comparisons["tax_id"].levels
        assert [each.bits for each in given] == [0.0, 14.0, -5.0]
