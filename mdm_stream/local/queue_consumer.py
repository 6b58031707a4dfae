"""One poller of a queue in a process of its own, and in it one invocation at a time.

``python -m mdm_stream.local.queue_consumer --handler PACKAGE.MODULE:FUNCTION --queue URL --endpoint URL`` polls
until SIGTERM or SIGINT, then finishes what is under way. As many processes as a source's maximum concurrency are what
Lambda calls its concurrent execution environments. Log and exit codes are those of
:mod:`mdm_stream.local.event_source.process`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mdm_stream.aws.loopback import loopback_client
from mdm_stream.local.event_source.process import load_handler, run_polling
from mdm_stream.local.event_source.queue import QueuePoller, QueueSource


def build_poller(options: argparse.Namespace) -> QueuePoller:
    """Connect everything that a poller needs. ``ConfigurationError`` if that fails."""
    source = QueueSource.from_json(options.event_source)
    handler = load_handler(options.handler)
    return QueuePoller(
        loopback_client("sqs", options.endpoint),
        options.queue,
        handler,
        source,
        function_name=options.function_name,
        function_timeout_s=options.function_timeout,
        slots=1,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    options = _parser().parse_args(argv)
    what = f"{options.queue} for {options.handler}"
    return run_polling(lambda: build_poller(options), what, options.stop_timeout, options.status)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m mdm_stream.local.queue_consumer", description=__doc__)
    parser.add_argument("--handler", required=True, help="package.module:function")
    parser.add_argument("--queue", required=True, help="URL of the queue")
    parser.add_argument("--endpoint", required=True, help="URL of the SQS API")
    parser.add_argument("--event-source", default="{}", help="JSON object of event source settings")
    parser.add_argument("--function-name", default="local")
    parser.add_argument("--function-timeout", type=float, default=60.0, help="seconds that the handler is given")
    parser.add_argument("--status", type=Path, help="JSON file that is kept up to date with the counters")
    parser.add_argument("--stop-timeout", type=float, default=20.0, help="seconds that stopping may take")
    return parser


if __name__ == "__main__":
    sys.exit(main())
