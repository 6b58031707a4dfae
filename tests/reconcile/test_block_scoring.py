"""What a Spark worker makes of blocks is what the reference makes of them; no Spark is needed to say so."""

from __future__ import annotations

import random
from collections import defaultdict

import pyarrow as pa
import pytest
from small_world import small_rules

from mdm_stream.core.blocking.generic_values import value_keys
from mdm_stream.core.blocking.limits import block_limit
from mdm_stream.core.model import RecordEvent
from mdm_stream.core.record import build_record
from mdm_stream.core.reference import _edges, fold_events
from mdm_stream.reconcile.edges import _scored
from mdm_stream.reconcile.records import encode_match
from mdm_stream.reconcile.worker_rules import WorkerRules

COLUMNS = {"key": pa.string(), "rid": pa.int64(), "ref": pa.string(), "match": pa.binary(),
           "generic": pa.list_(pa.string())}  # fmt: skip


def people(seed: int) -> list[RecordEvent]:
    """Records that share names, birth years and addresses, some of them with far too many others."""
    chance = random.Random(seed)
    return [
        RecordEvent("person", "crm", str(number), "upsert", 1, number, {
            "given_name": chance.choice(["Ann", "Anna", "Bob", "Rob"]),
            "family_name": chance.choice(["Lee", "Leigh", "Kim"]),
            "birth_date": f"19{chance.randrange(60, 99)}-01-02",
            "email": tuple(chance.sample(["info@x.org", "a@x.org", f"{number // 2}@x.org"], chance.randint(0, 2))),
        })
        for number in range(80)
    ]  # fmt: skip


@pytest.mark.parametrize("refined_above", [None, 4])
def test_blocks_are_scored_as_the_reference_scores_them(refined_above):
    """Each pair once, over open keys, and without the values that both share with too many others."""
    rules = small_rules(max_block_size=8, refined_above=refined_above)
    states = sorted(fold_events(people(1)).items())
    records = {ref: build_record(rules, ref, state) for ref, state in states}
    blocks = defaultdict(list)
    for ref, record in records.items():
        for key in record.keys:
            blocks[key].append(ref)
    closed = {key for key, members in blocks.items() if len(members) > block_limit(rules, key)}
    generic = {ref: value_keys(rules, closed.intersection(record.keys)) for ref, record in records.items()}
    assert sum(map(bool, generic.values())) > len(records) / 4
    rows = [
        (key, 7 * int(ref.removeprefix("crm/")), ref, encode_match(records[ref].match), generic[ref] or None)
        for key in sorted(blocks.keys() - closed)
        for ref in blocks[key]
    ]
    columns = [pa.array(values, kind) for values, kind in zip(zip(*rows, strict=True), COLUMNS.values(), strict=True)]
    batch = pa.RecordBatch.from_arrays(columns, names=list(COLUMNS))
    found = {(a, b): said for a, b, _, _, *said in _scored(WorkerRules.of(rules), iter([batch]))}
    expected = {e.pair: [e.link, e.weight, e.confidence, e.rule, e.levels] for e in _edges(rules, records)}
    assert found == expected
    assert len(found) > len(records) / 4
