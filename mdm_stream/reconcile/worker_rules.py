"""The rule set on Spark's workers: sent with each task, and unpacked once in a process."""

from __future__ import annotations

import pickle
from dataclasses import dataclass

from mdm_stream.core.ruleset import Ruleset

_UNPACKED: dict[bytes, Ruleset] = {}


@dataclass(frozen=True, slots=True)
class WorkerRules:
    """A rule set as bytes. ``rules`` is one object in each process, so that what is compiled from it is kept."""

    content: bytes

    @classmethod
    def of(cls, rules: Ruleset) -> WorkerRules:
        """Pack a rule set."""
        return cls(pickle.dumps(rules))

    @property
    def rules(self) -> Ruleset:
        """Unpack it, or return what was unpacked before."""
        held = _UNPACKED.get(self.content)
        if held is None:
            _UNPACKED.clear()
            held = _UNPACKED[self.content] = pickle.loads(self.content)  # noqa: S301 - packed by the driver
        return held
