"""The time that an invocation has left: what cannot end in it is not begun, so that the answer is given in time.

Lambda ends a function whose time is up, without an answer: the whole batch counts as failed then, and costs an attempt
of each record. A function that stops by itself names the first record that is not done. What calls a server is given
the deadline by ``until``, and asks before each call whether that might end too late: a call may last as long as its
time-out says, so a server that does not answer takes no more of the time than there is.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mdm_stream.errors import TransientError

_SDK_BACKOFF_S = 1.0
"""The SDK's first wait between two attempts of a call at its longest; each next one may be twice as long."""


class OutOfTimeError(TransientError):
    """A call was not begun, since it might not have ended in the time that is left."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment by a clock that never goes back."""

    at_s: float
    clock_s: Callable[[], float] = time.monotonic

    @classmethod
    def after(cls, left_s: float, clock_s: Callable[[], float] = time.monotonic) -> Deadline:
        """Return the moment in so many seconds."""
        return cls(clock_s() + left_s, clock_s)

    def left_s(self) -> float:
        """Return the seconds until then, never below 0."""
        return max(0.0, self.at_s - self.clock_s())

    def earlier(self, by_s: float) -> Deadline:
        """Return the moment that many seconds before."""
        return Deadline(self.at_s - by_s, self.clock_s)

    def require(self, call_s: float, server: str) -> None:
        """``OutOfTimeError`` unless a call that lasts up to ``call_s`` ends before."""
        left_s = self.left_s()
        if left_s <= call_s:
            raise OutOfTimeError(
                f"the function had {left_s:.1f} s left for a call to {server}, which may last {call_s:g} s: it was not "
                "begun; where batches end so again and again, raise the function's time-out, or lower "
                "MDM_REDIS_TIMEOUT_S and MDM_AWS_TIMEOUT_S"
            )


NEVER = Deadline(math.inf)
"""The deadline of what may take as long as it needs."""


def call_s_of(client: Any) -> float:
    """Return how long one call of an AWS client may last, with the attempts that its SDK makes of it.

    Connecting and waiting for the answer have one time-out each, of which the longer one counts: what takes its time to
    connect is seldom one that answers late as well.
    """
    config = client.meta.config
    attempts = int((config.retries or {}).get("total_max_attempts", 1))
    waits_s = _SDK_BACKOFF_S * (2.0 ** (attempts - 1) - 1)
    one_s: float = max(float(config.connect_timeout), float(config.read_timeout))
    return attempts * one_s + waits_s
