"""Which values are shared by suspiciously many records: by the type of the attribute, and by its other values.

That thousands share a first name or a city is ordinary, and no count tells a placeholder among them. A phone number, an
identifier or a date of birth belongs to one person, or to a household: what many records share there is most likely
written where there was nothing to write.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import floor
from types import MappingProxyType

SHARED_BY_MIN: Mapping[str, int] = MappingProxyType(
    {"identifier": 10, "email": 20, "phone": 20, "url": 50, "date": 50, "address": 50}
)
"""Records that have to share a value of a type before it is suspicious; values of other types never are. A household
shares its phone and its mailbox, and each of its members has a record in several systems; a house has many flats."""

TIMES_TYPICAL = 10
"""How many times as many records as a typical value of the attribute has must share a suspicious one."""

TYPICAL_QUANTILE = 0.9
"""The typical value: nine in ten of the attribute's values have no more records. Of values and not of records, so that
a placeholder of most records does not make itself typical."""


def suspicious_from(type_name: str, values_by_records: Mapping[int, int]) -> int:
    """Return how many records make a value of a type in ``SHARED_BY_MIN`` suspicious.

    ``values_by_records`` says of how many records there are how many values.
    """
    return max(SHARED_BY_MIN[type_name], TIMES_TYPICAL * typical(values_by_records))


def typical(values_by_records: Mapping[int, int]) -> int:
    """Return how many records a typical value has: 1 where there is but one value, which is no measure of itself."""
    values = sum(values_by_records.values())
    if values <= 1:
        return 1
    left = floor(TYPICAL_QUANTILE * (values - 1))
    for records in sorted(values_by_records):
        left -= values_by_records[records]
        if left < 0:
            return records
    return 1
