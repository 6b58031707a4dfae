"""When a golden value was written: by the column that it really comes from."""

from __future__ import annotations

import pytest

from mdm_stream.core.fold import EMPTY, fold_record
from mdm_stream.core.model import RecordEvent
from mdm_stream.core.record import build_record, written_at
from mdm_stream.rules import load_ruleset

RULES = load_ruleset("person")


def written(attribute, *writes):
    """Return the version and time of an attribute of a record that was written so, upserted first and then patched."""
    state = EMPTY
    for version, attributes in enumerate(writes, 1):
        op = "upsert" if version == 1 else "patch"
        event = RecordEvent("person", "crm", "1", op, version, version * 10, attributes)
        state = fold_record(state, event).state
    record = build_record(RULES, "crm/1", state)
    position = RULES.index_of(attribute)
    assert record.values[position].value is not None
    return written_at(RULES, record, position)


@pytest.mark.parametrize("own", [{}, {"given_name": None}, {"given_name": "N/A"}, {"given_name": " - "}])
def test_a_filled_value_was_written_with_what_fills_it(own):
    """A given name that comes from the full name has its version and time; a placeholder does not."""
    assert written("given_name", {"full_name": "Ann Lee"}, own or {"city": "York"}) == (1, 10)
    assert written("given_name", own, {"full_name": "Ann Lee"}) == (2, 20)
    assert written("given_name", {"full_name": "Ann Lee"}, own or {"city": "York"}, {"given_name": "Eva"}) == (3, 30)
