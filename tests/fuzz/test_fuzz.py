"""The small form of ``make fuzz``: some thousand inputs, and Hypothesis where a generator finds little."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections import Counter

import pytest
from fuzz.decoders_under_fuzz import DECODER, WrongAnswerError, check
from fuzz.fuzzed_inputs import INPUT_BYTES_MAX, FuzzedInputs
from hypothesis import given
from hypothesis import strategies as st
from source_tree import ROOT

from mdm_stream.contracts.kpl import MARKER as AGGREGATE_MARKER
from mdm_stream.decode.redrive_envelope import MARKER as ENVELOPE_MARKER

INPUTS = 4_000
COMMAND = (sys.executable, str(ROOT / "tests" / "fuzz" / "run_fuzz.py"))


def test_nothing_but_events_and_reasons_comes_out():
    """Mutated samples of every format, plain and wrapped, reach acceptance and most reasons, and no fault."""
    drawn, counts = FuzzedInputs(1), Counter[str]()
    for number in range(INPUTS):
        raw = drawn.draw()
        assert len(raw) <= INPUT_BYTES_MAX
        check(raw, counts, as_file=number % 16 == 0)
    reached = {"accepted", "nothing to do", "bad_aggregate", "bad_envelope", "missing", "wrong_type", "ambiguous_shape"}
    assert reached <= counts.keys()
    assert {"file broken_file", "file header"} & counts.keys()
    assert counts["accepted"] > INPUTS / 20


@given(message=st.binary(max_size=80))
def test_any_message_under_a_right_checksum_is_read_or_refused(message: bytes):
    """What lies behind the checksum of an aggregate is as untrusted as anything else."""
    check(AGGREGATE_MARKER + message + hashlib.md5(message).digest(), Counter())


@given(head=st.binary(max_size=60), declared=st.integers(0, 2**16 - 1))
def test_any_head_of_an_envelope_is_read_or_refused(head: bytes, declared: int):
    """Whatever length it claims, and whatever stands there."""
    check(ENVELOPE_MARKER + declared.to_bytes(2, "big") + head, Counter())


def test_the_same_seed_draws_the_same_inputs():
    """A wrong answer can be looked at again by its seed."""
    one, two = FuzzedInputs(7), FuzzedInputs(7)
    assert [one.draw() for _ in range(300)] == [two.draw() for _ in range(300)]


def test_a_fault_is_a_wrong_answer(monkeypatch):
    """The decoder makes a rejection of every fault, so the check looks for its reason."""
    monkeypatch.setattr(DECODER, "_decode", lambda _: 1 / 0)
    with pytest.raises(WrongAnswerError, match="ZeroDivisionError"):
        check(b"{}", Counter())


@pytest.mark.slow
def test_the_command_tells_what_came_of_the_inputs():
    """It counts, names the peak of memory, and ends with 0 as nothing was wrong."""
    done = subprocess.run(
        [*COMMAND, "--inputs", "500", "--processes", "1"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "500 inputs" in done.stdout
    assert "0 wrong" in done.stdout
