"""No text costs more than its length: types, decoders, keys, comparisons, patterns on texts of 1 to 100 kB."""

import importlib.util
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

_PATH = Path(__file__).parents[2] / "benchmarks" / "text_growth.py"
_SPEC = importlib.util.spec_from_file_location("text_growth", _PATH)
text_growth = sys.modules["text_growth"] = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(text_growth)
SUBJECTS = text_growth.subjects()


@pytest.mark.slow
@pytest.mark.parametrize("subject", SUBJECTS)
def test_time_grows_at_most_as_the_text_does(subject):
    """From each size to the next, time grows by no larger factor than the text, give or take what caches do."""
    found = SUBJECTS[subject]()
    if found.growth > text_growth.LINEAR_MAX:  # once more, for a machine that was busy with something else
        found = min(found, SUBJECTS[subject](), key=lambda each: each.growth)
    assert found.growth <= text_growth.LINEAR_MAX, found


def test_work_that_grows_with_the_square_is_found():
    """The measure finds what it is for: a scan of the rest of the text from each of its characters."""

    def squared(text):
        return [text.count("x", place) for place in range(0, len(text), 4)]

    found = text_growth.worst("squared", squared, {"letters": text_growth.shapes()["letters"]})
    assert found.growth > text_growth.LINEAR_MAX


def test_every_type_key_and_comparison_is_measured():
    """A new type, key function or comparison is measured without being listed."""
    kinds = {name.split()[0] for name in SUBJECTS}
    assert kinds == {"type", "key", "comparison", "pattern", "decoder"}
    assert {f"type {name}" for name in text_growth.STANDARDISERS} <= SUBJECTS.keys()
    assert {f"key {name}" for name in text_growth.KEY_FUNCTIONS} <= SUBJECTS.keys()
    assert {f"comparison {name}" for name in text_growth.MEASURES} <= SUBJECTS.keys()
