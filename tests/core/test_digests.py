"""Digests that are stored, and so may never change."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm_stream.core.canonical import canonical_json, digest_of, digest_of_bytes
from mdm_stream.core.cluster.golden import digest_of_content, golden_id_of


def test_stored_digests_are_what_they_were():
    """Ids in indexes, quarantines and archives rest on these: another release must make the same."""
    assert digest_of_bytes(b"") == "cae66941d9efbd404e4d88758ea67670"
    assert digest_of_content(b"{}") == digest_of({}) == hashlib.blake2b(b"{}", digest_size=16).hexdigest()
    named = hashlib.blake2b(b'["person","crm","1"]', digest_size=12).hexdigest()
    assert golden_id_of("person", "crm/1") == f"g{named}"


@given(value=st.dictionaries(st.text(max_size=5), st.integers(0, 9)), size_bytes=st.integers(1, 32))
def test_equal_values_have_equal_digests(value, size_bytes):
    """The order of members does not matter; the size is that asked for."""
    turned = dict(reversed(value.items()))
    assert digest_of(value, size_bytes) == digest_of(turned, size_bytes)
    assert digest_of(value, size_bytes) == digest_of_bytes(canonical_json(value), size_bytes)
    assert len(digest_of(value, size_bytes)) == 2 * size_bytes


@pytest.mark.parametrize("size_bytes", [0, 65])
def test_a_size_that_the_hash_does_not_have_is_a_mistake(size_bytes):
    """It is refused, not rounded."""
    with pytest.raises(ValueError, match="digest_size"):
        digest_of_bytes(b"", size_bytes)
