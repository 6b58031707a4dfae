"""The counts of a column, the slow and obvious way: what DuckDB's are compared with, and what pure tests start from."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

from mdm_stream.profile.columns.counted import MOST_SHOWN, SAMPLE_MAX, ColumnCounts


def counts_of(name: str, cells: Sequence[str]) -> ColumnCounts:
    """The counts of cells; an empty one is no value."""
    values = [cell for cell in cells if cell]
    found = Counter(values)
    lengths = sorted(map(len, values)) or [0]

    def quantile(share: float) -> int:
        return lengths[max(0, -int(-share * len(lengths) // 1) - 1)] if len(lengths) > 1 else lengths[0]

    low, middle, high = quantile(0.25), quantile(0.5), quantile(0.75)
    fence = 1.5 * (high - low)
    outliers = sum(not low - fence <= len(value) <= high + fence for value in values) if high > low else 0
    present = len(values)
    return ColumnCounts(
        name=name,
        rows=len(cells),
        present=present,
        distinct=len(found),
        unique=sum(count == 1 for count in found.values()),
        most=tuple(sorted(found.items(), key=lambda each: (-each[1], each[0].encode()))[:MOST_SHOWN]),
        lengths=(lengths[0], low, middle, high, lengths[-1]),
        outliers=outliers,
        agreement=sum(n * (n - 1) for n in found.values()) / (present * (present - 1)) if present > 1 else 0.0,
        values_by_records=dict(sorted(Counter(found.values()).items())),
        sample=tuple(sorted(found, key=lambda text: (hashlib.md5(text.encode()).hexdigest(), text))[:SAMPLE_MAX]),
    )
