"""What a deployment is doing now, put together from its index, streams, archive and dead letters."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from mdm_stream.aws.read_shards import RECORDS_PER_READ_MAX
from mdm_stream.core.f_version import F_VERSION, f_part, rules_part
from mdm_stream.core.position_fall import told
from mdm_stream.core.times import format_time_us
from mdm_stream.dead_letters import DeadLetters
from mdm_stream.deployment import Deployment
from mdm_stream.errors import MdmError
from mdm_stream.index.redis.client import replicas_of
from mdm_stream.index.redis.depths import read_depths
from mdm_stream.index.redis.epochs import Epochs, epoch_prefix
from mdm_stream.index.redis.progress import ConsumerProgress, ShardProgress, read_progress
from mdm_stream.index.redis.scripts import translated

if TYPE_CHECKING:
    from mdm_stream.archive import Archive
    from mdm_stream.core.ruleset import Ruleset

LETTERS_READ_MAX = 1_000
"""Dead letters of a kind that are read to be counted by reason; there may be more."""
LOADS_READ_MAX = 1_000
"""Loads of files that have not ended and are looked at; there may be more."""
TOLD_AHEAD_S_MAX = 60.0
"""How far the times of golden changes may be ahead of the clock before it is reported: servers differ by less."""
LIVE_LINE_S = 5.0
"""Between two live lines."""
_COUNTS = {"records": "rec", "golden": "gold"}
_SUMMED = (*_COUNTS, "review")
_SECOND_US = 1_000_000


class DeploymentStatus:
    """Looks at one deployment. Each look asks anew; between two of them rates can be told."""

    def __init__(self, deployment: Deployment) -> None:
        """Take the deployment; its rules are read once."""
        self._deployment = deployment
        self._client = deployment.redis()
        self._rulesets = deployment.rulesets()
        self._archive: Archive = deployment.archive()
        self._kinesis: Any = None

    def document(self, seconds: float, age_max_s: float) -> dict[str, Any]:
        """Return everything, with the rates of ``seconds``; ``attention`` lists what an operator should see."""
        before, began_s = self.counts(), time.monotonic()
        time.sleep(seconds)
        after, took_s = self.counts(), time.monotonic() - began_s
        domains = [self._domain(rules, after["domains"][domain]) for domain, rules in sorted(self._rulesets.items())]
        shards = list(self._shards())
        found = {
            "f_version": F_VERSION,
            "domains": domains,
            "shards": shards,
            "rates": {
                "events_per_s": round((after["events"] - before["events"]) / took_s, 1),
                "golden_changes_per_s": round((after["changes"] - before["changes"]) / took_s, 1),
            },
            "dead_letters": self._dead_letters(),
            "files": self._files(),
        }
        return {**found, "attention": list(attention(found, age_max_s))}

    def counts(self) -> dict[str, Any]:
        """Return what the index counts: in three round trips a domain, and no look at streams or stores."""
        domains = {domain: self._counts_of(rules) for domain, rules in self._rulesets.items()}
        return {
            "events": self._progress().events,
            "changes": sum(each["sequence"] for each in domains.values()),
            "domains": domains,
        }

    def _counts_of(self, rules: Ruleset) -> dict[str, int]:
        epoch = Epochs(self._client, rules, self._deployment.namespace).live()
        prefix = epoch_prefix(self._deployment.namespace, rules.domain, epoch)
        with translated():
            pipe = self._client.pipeline(transaction=False)
            pipe.hget(f"{prefix}meta", "sequence")
            for key in _COUNTS.values():
                pipe.hlen(prefix + key)
            sequence, *lengths = pipe.execute()
        depths = read_depths(self._client, self._deployment.namespace, rules.domain, epoch)
        return {
            "epoch": epoch,
            "sequence": int(sequence or 0),
            **dict(zip(_COUNTS, lengths, strict=True)),
            "review": depths.review,
            "waiting_for_reevaluation": depths.reevaluation,
            "waiting_for_publication": depths.outbox,
        }

    def _domain(self, rules: Ruleset, counts: Mapping[str, int]) -> dict[str, Any]:
        epochs = Epochs(self._client, rules, self._deployment.namespace)
        held, building = epochs.digest() or "", epochs.building()
        falls = self._archive.falls(rules.domain).undeclared(rules, time.time_ns() // 1_000)
        sources = self._archive.sources(rules.domain).read()
        depths = read_depths(self._client, self._deployment.namespace, rules.domain, counts["epoch"])
        return {
            "domain": rules.domain,
            **counts,
            "oldest_review_s": round(depths.review_age_s, 1),
            "oldest_publication_s": round(depths.outbox_age_s, 1),
            "rules_digest": rules_part(held),
            "f_digest": f_part(held),
            "of_these_rules": held == rules.digest,
            "held": epochs.held_because(),
            "replicas": self._replicas(epochs.root),
            "told_ahead_s": round(epochs.told_ahead_us() / _SECOND_US, 1),
            "obstacle": epochs.obstacle(partial(self._archive.witness, rules.domain)) if held or building else None,
            "rebuilding": building and building.epoch,
            "sources_held": sorted(each.source for each in sources.held),
            "suspected_histories": [
                {**asdict(fall), "line": fall.line, "message": told(fall, rules.domain)} for fall in falls
            ],
        }

    def _replicas(self, key: str) -> int:
        with translated():
            return replicas_of(self._client, key)

    def _progress(self) -> ConsumerProgress:
        return read_progress(self._client, self._deployment.namespace)

    def _shards(self) -> Iterator[dict[str, Any]]:
        """Yield how far the consumers are behind, shard by shard of the streams that they read."""
        deployment, done = self._deployment, self._progress().shards
        self._kinesis = self._kinesis or deployment.kinesis()
        for stream in dict.fromkeys((deployment.changes_stream, deployment.steward_stream)):
            for shard_id in _shard_ids(self._kinesis, stream):
                progress = done.get(f"{stream}/{shard_id}")
                last_done = None if progress is None else format_time_us(progress.done_us)
                try:
                    waiting = self._waiting(stream, shard_id, progress)
                except ClientError as error:  # such as a position that the stream does not hold any more
                    code = error.response.get("Error", {}).get("Code", "unknown")
                    waiting = {"backlog": None, "more": False, "age_s": None, "problem": code}
                yield {"stream": stream, "shard": shard_id, "last_done": last_done, **waiting}

    def _waiting(self, stream: str, shard_id: str, done: ShardProgress | None) -> dict[str, Any]:
        """Return what waits behind the last record done, as far as one read sees, and how old the oldest is."""
        place: dict[str, Any] = {"ShardIteratorType": "TRIM_HORIZON"}
        if done is not None:
            place = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": done.sequence_number}
        answer = self._kinesis.get_shard_iterator(StreamName=stream, ShardId=shard_id, **place)
        page = self._kinesis.get_records(ShardIterator=answer["ShardIterator"], Limit=RECORDS_PER_READ_MAX)
        records, behind_s = page["Records"], page.get("MillisBehindLatest", 0) / 1_000
        age_s = time.time() - records[0]["ApproximateArrivalTimestamp"].timestamp() if records else behind_s
        return {"backlog": len(records), "more": behind_s > 0, "age_s": round(max(0.0, age_s), 1), "problem": ""}

    def _dead_letters(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        places = (("quarantine", self._deployment.quarantine_url), ("on_failure", self._deployment.on_failure_url))
        for kind, url in places:
            if url:
                letters = DeadLetters(self._deployment.store(url), kind)  # type: ignore[arg-type]
                count, causes = letters.causes(LETTERS_READ_MAX)
                more = count == LETTERS_READ_MAX
                found[kind] = {"letters": count, "more": more, "reasons": dict(causes.most_common())}
        return found

    def _files(self) -> dict[str, Any]:
        """Return the loads of files that have not ended, by state, and which are held."""
        from producers.files.loads import LoadStore  # noqa: PLC0415 - most deployments have none
        from producers.files.manifest import view_of  # noqa: PLC0415

        states: Counter[str] = Counter()
        held: list[dict[str, str]] = []
        if not self._deployment.files_url:
            return {"open": {}, "held": held, "more": False}
        store = LoadStore(self._deployment.store(self._deployment.files_url))
        open_loads = list(islice(store.open_loads(), LOADS_READ_MAX + 1))
        for load_id in open_loads[:LOADS_READ_MAX]:
            if store.find(load_id) is None:  # it is being received
                continue
            view = view_of(store.attempt(load_id))
            states[view.state] += not view.ended
            if view.state == "held":
                source = f"{view.record.domain}/{view.record.source}"
                held.append({"load": load_id, "source": source, "since": view.record.received_at})
        open_states = {state: count for state, count in sorted(states.items()) if count}
        return {"open": open_states, "held": held, "more": len(open_loads) > LOADS_READ_MAX}


def attention(found: Mapping[str, Any], age_max_s: float) -> Iterator[str]:
    """Yield a line for each thing that keeps writes or meaning from going on; nothing of these is ordinary."""
    for domain in found["domains"]:
        name = domain["domain"]
        if domain["obstacle"]:
            yield domain["obstacle"]
        if domain["told_ahead_s"] > TOLD_AHEAD_S_MAX:
            yield (
                f"golden changes of domain {name!r} are {domain['told_ahead_s']:,.0f} s in the future: the clock "
                "of Redis was ahead, and committed_at stands still until that time; check that the clock is right now"
            )
        for source in domain["sources_held"]:
            yield f"source {source} of domain {name!r} is held; its events are kept until: mdm-stream source release"
        for suspected in domain["suspected_histories"]:
            yield suspected["message"]
    for load in found["files"]["held"]:
        yield f"a file of {load['source']} is held since {load['since']}: mdm-stream files show {load['load']}"
    for shard in found["shards"]:
        if shard["problem"]:
            yield f"{shard['stream']}/{shard['shard']}: what waits there cannot be read ({shard['problem']})"
        elif shard["age_s"] > age_max_s:
            yield (
                f"{shard['stream']}/{shard['shard']}: the oldest record that waits is {shard['age_s']:,.0f} s old, "
                f"more than {age_max_s:,.0f}"
            )


def _shard_ids(kinesis: Any, stream: str) -> Iterator[str]:
    request: dict[str, Any] = {"StreamName": stream}
    while True:
        page = kinesis.list_shards(**request)
        yield from (shard["ShardId"] for shard in page["Shards"])
        if not page.get("NextToken"):
            return
        request = {"NextToken": page["NextToken"]}


class LiveLine:
    """Says what a deployment does, in one line every few seconds, while it does something."""

    def __init__(
        self, status: DeploymentStatus, say: Callable[[str], None], clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._status = status
        self._say = say
        self._clock_s = clock_s
        self._counts: dict[str, Any] | None = None
        self._looked_s = 0.0

    def look(self) -> None:
        """Say a line if one is due and something has changed since the last look; nothing of passing faults."""
        now_s = self._clock_s()
        if self._counts is not None and now_s - self._looked_s < LIVE_LINE_S:
            return
        with suppress(MdmError):
            before, self._counts = self._counts, self._status.counts()
            if before is not None and before != self._counts:
                self._say(live_line(before, self._counts, now_s - self._looked_s))
            self._looked_s = now_s


def live_line(before: Mapping[str, Any], after: Mapping[str, Any], seconds: float) -> str:
    """Return one line about what ``DeploymentStatus.counts`` said at two moments, ``seconds`` apart."""
    events = (after["events"] - before["events"]) / seconds
    sums = {name: sum(each[name] for each in after["domains"].values()) for name in _SUMMED}
    return (
        f"{events:,.0f} events/s; {after['events']:,} events, {sums['records']:,} records, {sums['golden']:,} golden "
        f"records, {sums['review']:,} to review"
    )
