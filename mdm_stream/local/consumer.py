"""One poller in a process of its own.

``python -m mdm_stream.local.consumer --handler consumers.resolve.handler:handler --stream NAME --endpoint URL
--checkpoints FILE`` polls until SIGTERM or SIGINT, then finishes what is under way. Its log goes to stderr; what the
handler prints goes there too, so that stdout stays empty. Exit codes: 0 stopped, 1 a fault (start it again),
2 what no restart can mend, such as a wrong setting or an index of other rules.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import math
import os
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import FrameType

import orjson

from mdm_stream.aws.loopback import loopback_client
from mdm_stream.errors import ConfigurationError, TerminalError, TransientError
from mdm_stream.files import write_atomically
from mdm_stream.local.event_source.checkpoints import Checkpoints
from mdm_stream.local.event_source.mapping import EventSource
from mdm_stream.local.event_source.on_failure import OnFailure, put_into
from mdm_stream.local.event_source.poller import LambdaHandler, Poller, PollerOptions
from mdm_stream.local.event_source.shard_feed import KinesisFeed

EXIT_FAULT = 1
EXIT_TERMINAL = 2

_STATUS_INTERVAL_S = 0.5
_LOG = logging.getLogger(__name__)


def load_handler(name: str) -> LambdaHandler:
    """Import ``package.module:function``; ``ConfigurationError`` if that is not possible."""
    module_name, _, attribute = name.partition(":")
    if not (module_name and attribute):
        raise ConfigurationError(f"the handler {name!r} is not of the form package.module:function")
    try:
        handler = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"the handler {name!r} cannot be imported: {error}") from error
    if not callable(handler):
        raise ConfigurationError(f"the handler {name!r} is not a function")
    return handler  # type: ignore[no-any-return]


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
    # Structured logs and metrics of a Lambda handler go to stdout; here they belong with the other logs.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        poller = build_poller(options)
        _stop_on_signals(poller, options.stop_timeout)
        if options.status is not None:
            threading.Thread(target=_write_status, args=(poller, options.status), daemon=True).start()
        _LOG.info("polling %s for %s", options.stream, options.handler)
        poller.run()
    except TerminalError as error:
        _LOG.error("%s", error)
        return EXIT_TERMINAL
    except TransientError as error:
        _LOG.error("%s", error)
        return EXIT_FAULT
    _LOG.info("stopped: %s", orjson.dumps(asdict(poller.counters())).decode())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m mdm_stream.local.consumer", description=__doc__)
    parser.add_argument("--handler", required=True, help="package.module:function")
    parser.add_argument("--stream", required=True)
    parser.add_argument("--endpoint", required=True, help="URL of the Kinesis API")
    parser.add_argument("--checkpoints", required=True, type=Path, help="JSON file that keeps the positions")
    parser.add_argument("--event-source", default="{}", help="JSON object of event source settings")
    parser.add_argument("--function-name", default="local")
    parser.add_argument("--function-timeout", type=float, default=60.0, help="seconds told to the handler")
    parser.add_argument("--concurrency", type=int, default=1, help="invocations at a time")
    parser.add_argument("--poll-interval", type=float, default=0.1, help="seconds between reads of an idle shard")
    parser.add_argument("--tick", type=float, help="seconds without an invocation after which the handler is ticked")
    parser.add_argument("--status", type=Path, help="JSON file that is kept up to date with the counters")
    parser.add_argument("--stop-timeout", type=float, default=20.0, help="seconds that stopping may take")
    return parser


def _stop_on_signals(poller: Poller, stop_timeout_s: float) -> None:
    """Stop gracefully on SIGTERM and SIGINT, but not for longer than the time allowed: a handler may hang.

    The alarm's default action ends the process, whatever its threads hold.
    """

    def stop(_number: int, _frame: FrameType | None) -> None:
        poller.stop()
        signal.alarm(math.ceil(stop_timeout_s))

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


def _write_status(poller: Poller, path: Path) -> None:
    interval = threading.Event()
    while not interval.wait(_STATUS_INTERVAL_S):
        write_atomically(path, orjson.dumps(asdict(poller.counters())))


if __name__ == "__main__":
    sys.exit(main())
