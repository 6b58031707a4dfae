"""Draw schedules from a seed and run them until one of them shows a violation."""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

import redis
from hypothesis import HealthCheck, Phase, given, seed, settings
from torture.machine import Schedule, Tally, run, schedules


@dataclass(slots=True)
class Hunt:
    """What a hunt came to. ``schedule`` is the least one that was found to fail, ``violation`` how it does.

    ``None`` in both: everything held. ``tried`` counts schedules, those that shrinking ran too.
    """

    seed: int
    by_processes: bool = False
    tally: Tally = field(default_factory=Tally)
    tried: int = 0
    schedule: Schedule | None = None
    violation: str | None = None


def hunt(
    client: redis.Redis,
    seed_number: int,
    examples: int,
    *,
    running: Callable[[Schedule, redis.Redis], Tally] = run,
    shrink: bool = True,
    over: Callable[[], bool] = lambda: False,
) -> Hunt:
    """Run ``examples`` schedules that a seed decides, or fewer, if it is ``over`` before.

    The same seed draws the same schedules. A failing one is shrunk if asked for, which runs many more.
    """
    result = Hunt(seed_number, by_processes=running is not run)

    @seed(seed_number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink) if shrink else (Phase.generate,),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
    )
    @given(schedules())
    def every_schedule_ends_in_f(schedule: Schedule) -> None:
        if result.violation is None and over():
            return
        result.tried += 1
        try:
            result.tally.add(running(schedule, client))
        except Exception as failure:
            if shrink and result.violation is None:
                sys.stderr.write(f"seed {seed_number}: a violation; looking for the least schedule that shows it\n")
            # The last that fails is the least one: Hypothesis runs that again at its end.
            result.schedule, result.violation = schedule, "".join(traceback.format_exception(failure, chain=False))
            raise

    # Whatever is raised is a violation: an engine that breaks down is no less wrong.
    with contextlib.suppress(Exception):
        every_schedule_ends_in_f()
    return result
