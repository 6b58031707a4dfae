"""A function of Lambda, or a shard's process of the KCL, as its runtime starts it, that fails where a test wants it.

    canary_process.py MODULE     a handler: lines of JSON on stdin are invocations, those on stdout what came of each
    canary_process.py kcl        the process of a shard, which the daemon talks to over the same pipes

All that code prints goes to stderr, and logging's records with it, as Lambda gathers both.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
import time
import traceback
from typing import Any

import canary_faults

KCL = "kcl"
TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"


def invocation_error(error: BaseException) -> dict[str, Any]:
    """Return what Lambda's runtime reports of an exception, to the log and to whoever invoked."""
    return {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "stackTrace": traceback.format_list(traceback.extract_tb(error.__traceback__)),
    }


def run_function(name: str) -> int:
    """Answer invocations until stdin ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    logging.basicConfig(level=logging.INFO, format="[%(levelname)s]\t%(message)s", stream=sys.stderr)
    from mdm_stream.local.event_source.mapping import FunctionContext  # noqa: PLC0415

    module = importlib.import_module(name)
    for line in sys.stdin:
        asked = json.loads(line)
        os.environ["_X_AMZN_TRACE_ID"] = TRACE
        try:
            told = {"answer": module.handler(asked["event"], FunctionContext(name, asked["left_s"]))}
        except Exception as error:  # noqa: BLE001 - as Lambda's runtime does
            told = {"error": invocation_error(error)}
            print(f"[ERROR] {told['error']}")  # noqa: T201
        print(json.dumps(told, default=str), file=answers, flush=True)
    return 0


def main() -> int:
    """Run what the command line names."""
    canary_faults.install()
    if sys.argv[1] == KCL:
        from consumers.resolve.kcl import main as run_shard  # noqa: PLC0415

        return run_shard()
    began_s = time.monotonic()
    code = run_function(sys.argv[1])
    logging.getLogger(__name__).info("ended after %.0f s", time.monotonic() - began_s)
    return code


if __name__ == "__main__":
    sys.exit(main())
