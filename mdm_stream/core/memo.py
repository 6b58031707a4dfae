"""Functions that remember what they gave for a value, and how to make all of them forget.

What is remembered of a value is the value. A process that must not know it any more (its record was erased) calls
``forget_values``; that changes no result, since only pure functions remember.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar, cast
from weakref import WeakSet

P = ParamSpec("P")
R = TypeVar("R")

TEXT_REMEMBERED_CHARS_MAX = 256
"""Longer texts are worked out each time, so that a stream of huge values cannot fill memory through what is remembered.
"""

_MEMORIES: WeakSet[Any] = WeakSet()
"""All of them: filled while modules are imported and rules compiled; those of rules that are gone go by themselves."""


def remembered(maxsize: int) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Have a pure function of values remember its ``maxsize`` latest results, until ``forget_values``."""

    def remembering(function: Callable[P, R]) -> Callable[P, R]:
        cached = lru_cache(maxsize=maxsize)(function)
        _MEMORIES.add(cached)
        return cast("Callable[P, R]", cached)

    return remembering


def remembered_text(maxsize: int) -> Callable[[Callable[[str], R]], Callable[[str], R]]:
    """Have a pure function of one text remember its ``maxsize`` latest results for texts of ordinary length."""

    def remembering(function: Callable[[str], R]) -> Callable[[str], R]:
        cached = remembered(maxsize)(function)

        @wraps(function)
        def look_up(text: str) -> R:
            return cached(text) if len(text) <= TEXT_REMEMBERED_CHARS_MAX else function(text)

        return look_up

    return remembering


def forget_values() -> None:
    """Empty all memories of values in this process: some tens of megabytes that fill again as events come."""
    for memory in list(_MEMORIES):
        memory.cache_clear()
