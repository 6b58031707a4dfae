"""Print, as JSON, what F gives for all that is on a stack's change stream: run under the release whose F is meant.

``python f_of_stream.py ENDPOINT_URL RULES``
"""

from __future__ import annotations

import sys

import orjson
from end_state import change_events

import mdm_stream
from mdm_stream.aws.loopback import loopback_client
from mdm_stream.core.f_version import f_identity
from mdm_stream.core.reference import resolve
from mdm_stream.rules import load_ruleset


def main(endpoint_url: str, rules_file: str) -> None:
    """Write the digests, where the code lies, and the state by the slow reference."""
    rules = load_ruleset(rules_file)
    events = change_events(loopback_client("kinesis", endpoint_url), rules)
    state = resolve(rules, events)
    document = {
        "code": mdm_stream.__file__,
        "f_version": f_identity().f_version,
        "rules_digest": rules.digest,
        "delivered": len(events),
        "crosswalk": state.crosswalk,
        "golden": state.golden,
        "review": [[*pair, item] for pair, item in state.review.items()],
    }
    sys.stdout.buffer.write(orjson.dumps(document))


if __name__ == "__main__":
    main(*sys.argv[1:])
