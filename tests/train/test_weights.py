"""The weight of a level: that of the counts where they are many, that of the author where there are none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm_stream.train.weights import WEIGHT_MAX, level_weights

COUNTS = st.floats(0, 1e6)


def test_many_pairs_speak_for_themselves():
    """With many pairs a weight is log2(m / u), whatever was written."""
    found = level_weights(np.array([9e5, 1e5]), np.array([1e5, 9e5]), np.array([-9.0, 9.0]))
    assert found.bits == pytest.approx([np.log2(9), -np.log2(9)], abs=0.01)
    assert found.m == pytest.approx([0.9, 0.1], abs=0.01)
    assert found.u == pytest.approx([0.1, 0.9], abs=0.01)


def test_no_pairs_leave_what_was_written():
    """A level that no pair is at keeps its weight, beside levels that are learned."""
    found = level_weights(np.array([0.0, 50.0]), np.array([0.0, 5_000.0]), np.array([7.5, -2.0]))
    assert found.bits[0] == pytest.approx(7.5)


def test_a_level_no_other_was_seen_at_is_not_infinitely_sure():
    """Of 300 matches and none of 400,000 random pairs a weight follows that is great and finite."""
    found = level_weights(np.array([300.0, 100.0]), np.array([0.0, 4e5]), np.array([12.0, -1.0]))
    assert 12.0 < found.bits[0] < 25.0


@given(st.lists(st.tuples(COUNTS, COUNTS, st.floats(-20, 20)), min_size=1, max_size=6))
def test_weights_are_finite(levels: list[tuple[float, float, float]]):
    """Every weight is finite, whatever the counts are."""
    matches, others, written = (np.array(column) for column in zip(*levels, strict=True))
    found = level_weights(matches, others, written)
    assert np.isfinite(found.bits).all()
    assert (np.abs(found.bits) <= WEIGHT_MAX).all()
