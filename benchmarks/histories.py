"""Histories that the proofs deliver, and the digest by which they compare what came out."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import orjson

from mdm_stream.core.model import ChangeEvent, RecordEvent, VerdictEvent, split_ref
from mdm_stream.core.reference import Resolution
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.replay.schedule import Rejected, read_files
from mdm_stream.simulate import generate

ROOT = Path(__file__).resolve().parent.parent
RULES_DEFAULT = ROOT / "examples" / "rules" / "demo.yaml"
POPULATION_SEED = 20260101

CHANGED_FRACTION = 0.3
DELETED_FRACTION = 0.1
VERDICTS_PER_RECORD = 0.05
STEPS = 10
"""Versions of a file's rows are spread by this factor, which leaves room for what happened before and after each."""


def history(rules: Ruleset, files: Sequence[Path], records_max: int | None, people: int) -> list[ChangeEvent]:
    """Return the events of files, or without any of a population of ``people``.

    Of files that say no more than one thing of each record at most ``records_max`` records are taken, in the order of
    their keys, which keeps duplicates together.
    """
    if not files:
        return population(rules, people)
    events = [
        event for event in read_files(files, None, None, {rules.domain: rules}) if not isinstance(event, Rejected)
    ]
    refs = sorted({event.refs[0] for event in events}, key=split_ref)
    kept = set(refs[:records_max])
    return [event for event in events if event.refs[0] in kept]


def population(rules: Ruleset, people: int, events_max: int | None = None) -> list[ChangeEvent]:
    """Return the first deliveries of a population, decoded: with changes, deletes, late and repeated events."""
    decoder = Decoder({rules.domain: rules})
    deliveries = islice(generate(people, POPULATION_SEED).events(), events_max)
    return [
        event
        for number, delivery in enumerate(deliveries, start=1)
        for event in decoder.decode(Delivery.from_row(delivery.raw, number))
    ]


def eventful(events: Iterable[ChangeEvent], seed: int) -> list[ChangeEvent]:
    """Return a history with more happening in it, which ends for most records as it did.

    Some records had another record's values first, and so may have bridged two clusters; some are deleted, and half of
    these come back; stewards link and separate pairs. Events whose versions are texts stay as they are.
    """
    randomness = random.Random(seed)
    said = list(events)
    numbered = [each for each in said if isinstance(each, RecordEvent) and isinstance(each.version, int)]
    lived: list[ChangeEvent] = [each for each in said if each not in numbered]
    for event in numbered:
        version = int(event.version) * STEPS
        lived.append(replace(event, version=version))
        if randomness.random() < CHANGED_FRACTION:
            other = randomness.choice(numbered)
            lived.append(replace(event, version=version - 1, op="upsert", attributes=other.attributes))
        if randomness.random() < DELETED_FRACTION:
            lived.append(replace(event, version=version + 1, op="delete", attributes={}))
            if randomness.random() < 0.5:
                lived.append(replace(event, version=version + 2))
    refs = sorted({ref for event in said for ref in event.refs})
    for number in range(round(len(refs) * VERDICTS_PER_RECORD)):
        near = randomness.randrange(len(refs) - 1)
        far = min(len(refs) - 1, near + randomness.randint(1, 3))
        verdict = randomness.choice(["link", "separate"])
        lived.append(VerdictEvent(said[0].domain, refs[near], refs[far], verdict, number, number, "proof"))
    return lived


def digest_of(resolution: Resolution) -> str:
    """Return the first 16 characters of the SHA-256 of crosswalk, golden records and review queue."""
    hashed = hashlib.sha256()
    review = {"\n".join(pair): item for pair, item in resolution.review.items()}
    for part in (resolution.crosswalk, resolution.golden, review):
        hashed.update(orjson.dumps(part, option=orjson.OPT_SORT_KEYS))
        hashed.update(b"\0")
    return hashed.hexdigest()[:16]
