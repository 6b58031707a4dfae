"""One poller in a process of its own.

``python -m mdm_stream.local.consumer --handler consumers.resolve.handler:handler --stream NAME --endpoint URL
--checkpoints FILE`` polls until SIGTERM or SIGINT, then finishes what is under way. Its log goes to stderr; what the
handler prints goes there too, so that stdout stays empty. Exit codes: 0 stopped, 1 a fault (start it again),
2 what no restart can mend, such as a wrong setting or an index of other rules.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mdm_stream.aws.loopback import loopback_client
from mdm_stream.local.event_source.checkpoints import Checkpoints
from mdm_stream.local.event_source.mapping import EventSource
from mdm_stream.local.event_source.on_failure import OnFailure, put_into
from mdm_stream.local.event_source.poller import Poller, PollerOptions
from mdm_stream.local.event_source.process import load_handler, run_polling
from mdm_stream.local.event_source.shard_feed import KinesisFeed


def build_poller(options: argparse.Namespace) -> Poller:
    """Connect everything that a poller needs. ``ConfigurationError`` or ``TransientError`` if that fails."""
    source = EventSource.from_json(options.event_source)
    handler = load_handler(options.handler)
    feed = KinesisFeed(loopback_client("kinesis", options.endpoint), options.stream)
    on_failure = None
    if source.on_failure is not None:
        put = put_into(source.on_failure, lambda: loopback_client("s3", options.endpoint))
        on_failure = OnFailure(put, function_name=options.function_name, stream_arn=feed.stream_arn)
    return Poller(
        feed,
        handler,
        source,
        Checkpoints(options.checkpoints, options.stream),
        on_failure=on_failure,
        options=PollerOptions(
            function_name=options.function_name,
            function_timeout_s=options.function_timeout,
            concurrency=options.concurrency,
            poll_interval_s=options.poll_interval,
            tick_s=options.tick,
        ),
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    options = _parser().parse_args(argv)
    what = f"{options.stream} for {options.handler}"
    return run_polling(lambda: build_poller(options), what, options.stop_timeout, options.status)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m mdm_stream.local.consumer", description=__doc__)
    parser.add_argument("--handler", required=True, help="package.module:function")
    parser.add_argument("--stream", required=True)
    parser.add_argument("--endpoint", required=True, help="URL of the Kinesis API")
    parser.add_argument("--checkpoints", required=True, type=Path, help="JSON file that keeps the positions")
    parser.add_argument("--event-source", default="{}", help="JSON object of event source settings")
    parser.add_argument("--function-name", default="local")
    parser.add_argument("--function-timeout", type=float, default=60.0, help="seconds that the handler is given")
    parser.add_argument("--concurrency", type=int, default=1, help="invocations at a time")
    parser.add_argument("--poll-interval", type=float, default=0.1, help="seconds between reads of an idle shard")
    parser.add_argument("--tick", type=float, help="seconds without an invocation after which the handler is ticked")
    parser.add_argument("--status", type=Path, help="JSON file that is kept up to date with the counters")
    parser.add_argument("--stop-timeout", type=float, default=20.0, help="seconds that stopping may take")
    return parser


if __name__ == "__main__":
    sys.exit(main())
