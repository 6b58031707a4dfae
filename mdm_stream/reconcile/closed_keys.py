"""Which blocking keys make no candidates, in Spark's SQL: see :mod:`mdm_stream.core.blocking.limits`."""

from __future__ import annotations

from mdm_stream.core.blocking.limits import block_limits
from mdm_stream.core.ruleset import Ruleset

TAG = "substring_index({key}, ':', 1)"
"""The tag of a key, in SQL."""


def limit_sql(rules: Ruleset, key: str = "key") -> str:
    """Return the SQL expression of how many live records may share a key: that of the column ``key``."""
    own = {tag: limit for tag, limit in block_limits(rules).items() if limit != rules.max_block_size}
    if not own:
        return str(rules.max_block_size)
    cases = " ".join(f"WHEN '{tag}' THEN {limit}" for tag, limit in sorted(own.items()))
    return f"CASE {TAG.format(key=key)} {cases} ELSE {rules.max_block_size} END"
