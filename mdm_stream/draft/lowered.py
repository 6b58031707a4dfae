"""A pack's weights for what a file's records share more often than those of a large population do. Pure.

A pack gives an equal given name 6 bits because two strangers of a large population share one once in 80 pairs. Of 600
members with ten given names, strangers share one once in ten, and it is worth log2(m / u) = 3 bits (Fellegi and Sunter
1969); so is a city where everyone lives, or a birth date in one year of a school. ``u`` is measured
(:mod:`mdm_stream.draft.strangers`). A level that leans on the same value (a slip, a short form, another spelling, names
exchanged) cannot say more than the value itself: among records that write a name with a slip, as many are strangers'.

Weights are lowered and never raised: that values are rarer here than elsewhere may be what a small file looks like.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import log2
from types import MappingProxyType
from typing import Any

from mdm_stream.draft.rule_text import DraftComparison, quoted
from mdm_stream.draft.strangers import StrangerPairs
from mdm_stream.draft.weights import DraftLevel

LOWERED_BITS_MIN = 1.0
"""A weight that would fall by less stays as the pack has it."""
MEASURED_TYPES = frozenset({"name", "date", "city", "postcode"})
"""Types whose values many strangers share: of others, a file has too few of a pack's chance to measure."""
_M: Mapping[str, float] = MappingProxyType({"name": 0.8, "date": 0.93, "city": 0.8, "postcode": 0.8})
"""How often two records of one thing agree, as the packs assume."""


def lowered_comparisons(
    comparisons: Mapping[str, Any], types: Mapping[str, str], strangers: Mapping[str, StrangerPairs]
) -> list[DraftComparison]:
    """Return the pack's comparisons whose weights are too high here, with all of their levels.

    ``comparisons`` is that part of a pack's tree, ``types`` the type of each attribute, ``strangers`` what was counted.
    """
    found = []
    for name, comparison in comparisons.items():
        once_in, caps = {}, {}
        for each in comparison["attributes"]:
            written = _weight_of(each, comparison)
            if each in strangers and types[each] in _M and written:
                m = _M[types[each]]
                once_in[each] = 1 / strangers[each].chance(m / 2**written)
                caps[each] = max(0.0, round(2 * log2(m * once_in[each])) / 2)
                if written - caps[each] < LOWERED_BITS_MIN:
                    del caps[each]
        if caps:
            said = "; ".join(f"strangers share a {each} once in {_shown(once_in[each])} pairs here" for each in caps)
            levels = tuple(_lowered(level, comparison, caps) for level in comparison["levels"])
            found.append(DraftComparison(name, levels, said, is_packs=True))
    return found


def _shown(count: float) -> str:
    return f"{count:,.0f}" if count >= 10 else f"{count:.2g}"


def _weight_of(name: str, comparison: Any) -> float:
    """Return the greatest weight that a comparison gives to this attribute alone; 0 if it gives none."""
    return max((float(level["bits"]) for level in comparison["levels"] if _rests_on(level, comparison) == name),
               default=0.0)  # fmt: skip


def _rests_on(level: Any, comparison: Any) -> str:
    """Return the one attribute that a level asks something of; ``""`` where it is several, or none."""
    when, compared = level["when"], comparison["attributes"]
    if when is None or when == "else":
        return ""
    if not isinstance(when, dict) or not set(when) & {*compared}:
        return str(compared[0]) if len(compared) == 1 else ""
    asked = [name for name, condition in when.items() if condition is not None]
    return str(asked[0]) if len(asked) == 1 and asked[0] in compared else ""


def _lowered(level: Any, comparison: Any, caps: Mapping[str, float]) -> DraftLevel:
    bits = float(level["bits"])
    cap = caps.get(_rests_on(level, comparison), bits)
    rest = "".join(f", {key}: {_flow(value)}" for key, value in level.items() if key not in ("when", "bits"))
    said = f"{bits:g} in the pack" if bits > cap else ""
    return DraftLevel(_flow(level["when"]), min(bits, cap), said, rest)


def _flow(value: Any) -> str:
    """Return a value of a tree as YAML has it on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if value is None:
        return "null"
    return f"{value:g}" if isinstance(value, int | float) else quoted(str(value))
