"""A backend of spans that writes down what it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from mdm_stream.telemetry.spans import Fact


class Notebook:
    """Has the path of each span that was opened, all facts and figures, and the errors that spans met."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.path: list[str] = []
        self.facts: dict[str, Fact] = {}
        self.figures: dict[str, int] = {}
        self.faults: list[str] = []

    def open(self, name: str) -> AbstractContextManager[Notebook | None]:
        """Open a span."""
        return self._opened(name)

    @contextmanager
    def _opened(self, name: str) -> Iterator[Notebook]:
        self.path.append(name)
        self.opened.append("/".join(self.path))
        try:
            yield self
        except Exception as error:
            self.faults.append(f"{name}: {type(error).__name__}")
            raise
        finally:
            self.path.pop()

    def within(self, left_s: Callable[[], float]) -> None:
        """Nothing is sent."""

    def note(self, facts: Mapping[str, Fact]) -> None:
        """Keep facts."""
        self.facts |= facts

    def measured(self, figures: Mapping[str, int]) -> None:
        """Keep figures."""
        self.figures |= figures
