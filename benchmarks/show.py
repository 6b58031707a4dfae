"""What a ``make show-NAME`` prints: a line a figure with its floor, and an exit code that says whether all were met."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager


class Show:
    """Collects figures. ``figure`` has a floor that may be missed; ``fact`` is for the reader alone."""

    def __init__(self) -> None:
        self.missed: list[str] = []
        self.only: Sequence[str] = ()

    def figure(self, what: str, value: object, *, floor: str, holds: bool) -> None:
        """Print a figure with its floor and whether it holds."""
        print(f"  {'ok    ' if holds else 'MISSED'} {what}: {value} (floor: {floor})", flush=True)
        if not holds:
            self.missed.append(what)

    def fact(self, what: str, value: object) -> None:
        """Print a figure that has no floor."""
        print(f"         {what}: {value}", flush=True)

    @contextmanager
    def section(self, name: str) -> Iterator[None]:
        """Run a section; one that raises counts as missed, and the next ones run all the same."""
        print(f"{name}", flush=True)
        began_s = time.monotonic()
        try:
            yield
        except Exception:  # noqa: BLE001 - a section that fails is a figure that is missed
            traceback.print_exc()
            self.figure(name, "failed, see the traceback on stderr", floor="it runs", holds=False)
        print(f"         {time.monotonic() - began_s:.0f} s", flush=True)

    def run(self, sections: dict[str, Callable[[Show], None]], only: Sequence[str]) -> int:
        """Run the sections named, or all; return the exit code. A section may ask ``only`` whether it was named."""
        self.only = only
        for name, section in sections.items():
            if not only or name in only:
                with self.section(name):
                    section(self)
        print(f"{len(self.missed)} missed" + "".join(f"\n  {what}" for what in self.missed), flush=True)
        return 1 if self.missed else 0
