"""The id of a component: that of its members whose reference has the least hash. Pure.

If it were the least reference, records that arrive in descending order would rename their component each time, and each
time all of its members would be told. The least hash changes once in as many arrivals as there are members.
"""

from __future__ import annotations

from collections.abc import Sequence

from mdm_stream.core.reference_hash import reference_hash


def component_id_of(members: Sequence[str]) -> str:
    """Return the id of the component with these members, which are sorted: of equal hashes the first counts."""
    return members[0] if len(members) == 1 else min(members, key=reference_hash)
