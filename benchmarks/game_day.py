"""A game day on one machine: each exercise kills or refuses something, waits until all is well, and compares with F.

    python benchmarks/game_day.py [--list] [--only redis-killed,clock-skew]

The exercises are tests; ``docs/operate/game-day.md`` says of each what is done, what alarms say, and how to do the same
on AWS. Exits with 1 if one fails or is not known.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping

from show import Show
from trees import ROOT

EXERCISE_S_MAX = 1_800

RESOLVE_ALARMS = "tests/local/alarms/test_resolve_alarms_fire.py"
FUNCTION_ALARMS = "tests/local/alarms/test_function_alarms_fire.py"

EXERCISES: Mapping[str, tuple[str, ...]] = {
    "redis-killed": (
        "tests/index/redis/test_replicated_witness.py::test_a_primary_that_is_killed_under_load_leaves_no_index_in_doubt",
        "tests/index/redis/test_cluster_client.py::test_a_killed_primary_is_followed_once_its_replica_has_taken_over",
        f"{RESOLVE_ALARMS}::test_batches_fail_while_redis_is_away",
    ),
    "replica-promoted": (
        "tests/index/redis/test_failover_under_load.py::test_planned_failovers_under_load_fail_no_batch",
        f"{RESOLVE_ALARMS}::test_no_replica_follows",
    ),
    "consumer-killed": (
        "tests/end_to_end/test_killed_consumer.py",
        "tests/rebuild/test_rebuild_killed.py::test_the_next_rebuild_gives_f_wherever_one_ended",
        f"{RESOLVE_ALARMS}::test_a_consumer_without_ticks_is_missed",
    ),
    "stream-throttled": (
        "tests/end_to_end/test_kinesis_pressure.py::test_a_closed_feed_lets_no_later_batch_pass",
        "tests/end_to_end/test_kinesis_pressure.py::test_a_throttled_feed_is_complete_in_the_end",
        f"{FUNCTION_ALARMS}::test_readers_of_a_stream_are_refused",
    ),
    "archive-denied": (
        "tests/resolve/test_archive_denied.py",
        "tests/end_to_end/test_time_left.py::test_a_silent_archive_on_s3_is_answered_in_time",
    ),
    "snowflake-away": (
        "tests/warehouse/test_warehouse_handler.py::test_a_warehouse_that_fails_fails_the_whole_batch",
        "tests/warehouse/snowflake/test_warehouse_snowflake.py::test_a_session_that_the_server_forgot_is_replaced",
        "tests/local/alarms/test_warehouse_alarms_fire.py::test_changes_come_late",
    ),
    "poison-batch": (
        "tests/end_to_end/test_bad_input.py",
        "tests/resolve/test_resolver_faults.py::test_a_fault_that_meets_every_event_stops_the_stream",
        f"{RESOLVE_ALARMS}::test_a_source_that_sends_what_is_no_event",
        f"{FUNCTION_ALARMS}::test_records_are_discarded",
    ),
    "hot-key": (
        "tests/engine/test_poison_storm.py",
        "tests/engine/test_blocks.py::test_one_record_too_many_dissolves_what_the_key_had_linked",
        f"{RESOLVE_ALARMS}::test_a_key_is_suspended",
        f"{RESOLVE_ALARMS}::test_a_key_becomes_common",
    ),
    "clock-skew": (
        "tests/index/test_told_times.py::test_times_in_redis_do_not_step_back",
        "tests/index/test_told_times.py::test_times_ahead_of_the_clock_are_reported",
        "tests/decode/test_versions.py::test_a_version_may_lie_a_day_ahead_of_its_arrival_and_no_further",
    ),
    "wrong-rules": (
        "tests/rebuild/test_rules_switch.py::test_going_back_restores_what_was_there",
        "tests/rebuild/test_rules_switch.py::test_what_came_since_is_in_the_state_that_is_gone_back_to",
        f"{RESOLVE_ALARMS}::test_merges_storm",
    ),
    "stream-resharded": (
        "tests/local/event_source/test_poller.py::test_children_of_a_split_wait_for_their_parent",
        "tests/local/event_source/test_poller.py::test_split_of_a_real_stream_is_followed",
    ),
    "index-lost": (
        "tests/end_to_end/test_lost_index.py",
        f"{RESOLVE_ALARMS}::test_an_index_in_doubt_is_rebuilt",
    ),
}
"""Tests by exercise: that the fault does no harm, and that its alarm fires and clears."""


def run_exercise(show: Show, name: str) -> None:
    """Run the tests of an exercise, and show how many passed and how long it took."""
    words = ("-m", "pytest", "-q", "-m", "", "-p", "no:cacheprovider", *EXERCISES[name])
    began_s = time.monotonic()
    done = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=EXERCISE_S_MAX,
        check=False,
    )
    said = re.sub(r" in [0-9.]+s.*|=", "", done.stdout.strip().rpartition("\n")[2]).strip()
    took = f"{said or 'no test ran'}, {time.monotonic() - began_s:.0f} s"
    show.figure(name, took, floor="no failure", holds=done.returncode == 0)
    if done.returncode:
        print(done.stdout[-4_000:] + done.stderr[-2_000:], file=sys.stderr)


def main() -> int:
    """Run what the command line names; 1 if an exercise fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="names of exercises, with commas between")
    parser.add_argument("--list", action="store_true", help="show the exercises, and run none")
    options = parser.parse_args()
    names = options.only.split(",") if options.only else list(EXERCISES)
    unknown = sorted(set(names) - set(EXERCISES))
    if unknown:
        parser.error(f"there is no exercise {', '.join(unknown)}; there are {', '.join(EXERCISES)}")
    if options.list:
        print("\n".join(names))
        return 0
    show = Show()
    for name in names:
        run_exercise(show, name)
    print(f"{len(show.missed)} failed")
    return 1 if show.missed else 0


if __name__ == "__main__":
    sys.exit(main())
