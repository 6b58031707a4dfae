"""The records of an archive, folded in this process: for commands that learn from them and write nothing."""

from __future__ import annotations

from collections import Counter

from mdm_stream.core.fold import EMPTY, RecordState, join_states
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.decode import Decoder
from mdm_stream.deployment import Deployment
from mdm_stream.rebuild.load import LoadCounters, states_of

STATES_AT_ONCE = 100_000
"""Record keys that are folded before they are joined with those of before; the result is the same with any number."""


def archived_states(url: str, rules: Ruleset, rejected: Counter[str]) -> dict[str, RecordState]:
    """Return the state of each record key of a domain in an archive; count what these rules refuse by reason.

    Everything is held in memory: some 2 kB a record.
    """
    archive = Deployment(archive_url=url).archive()
    counters = LoadCounters()
    decoder = Decoder({rules.domain: rules}, archived=True)
    states: dict[str, RecordState] = {}
    rows = archive.read_new(rules.domain, set())
    for portion in states_of(rows, rules.domain, decoder, counters, STATES_AT_ONCE):
        for each in portion:
            states[each.ref] = join_states(states.get(each.ref, EMPTY), each.state)
    rejected.update(counters.rejected)
    return states
