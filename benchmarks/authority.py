"""Who may say what: attempts to write as another source, to decide and to erase, by each way in, refused or accepted.

``python benchmarks/authority.py [--json]`` makes them through the Lambda handler (an event with ``eventSourceARN``) and
through the local stack (a real Kinesis API, the publisher library), each under one policy: the change stream may bring
records of crm and erp, the steward stream everything, and three keys what their names say. After all of them the index
must be F of what was accepted alone. Then the same events are said in four ways, each with the right to it, and the
states must be equal to the last byte.
"""

from __future__ import annotations

import base64
import importlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol
from unittest import mock

import orjson

from mdm_stream.aws.loopback import loopback_environment
from mdm_stream.contracts.signature import SigningKey, signed
from mdm_stream.core.reference import resolve
from mdm_stream.core.times import format_time_us
from mdm_stream.dead_letters.quarantine import decode_entry
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.decode.redrive_envelope import wrap
from mdm_stream.deployment import QUARANTINE_FOLDER
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.local.event_source.mapping import FunctionContext
from mdm_stream.local.kinesis.server import KinesisServer
from mdm_stream.local.pipeline import Authorisation, start_consumers
from mdm_stream.local.servers.redis import RedisServer
from mdm_stream.local.stack import CHANGES_STREAM, GOLDEN_STREAM, STEWARD_STREAM, LocalStack
from mdm_stream.rules import load_ruleset
from producers.publisher import Publisher

RULES = load_ruleset("person")
HANDLER = "consumers.resolve.handler"
NOW_S = int(time.time())
FIRST_ARRIVAL_US = NOW_S * 1_000_000
"""When events happened and, of envelopes, arrived: hours before or after it a birth would be dated by the arrival."""
RECORD_OPS = ["upsert", "patch", "delete"]
KEYS = {name: SigningKey(name, name.encode().ljust(32, b"-")) for name in ("shop-key", "crm-key", "steward-key")}
STRANGER = SigningKey("shop-key", b"guessed".ljust(32, b"-"))
POLICY = {
    "streams": {CHANGES_STREAM: {"allowed_sources": ["crm", "erp"], "allowed_ops": RECORD_OPS}},
    "keys": {
        "shop-key": {"allowed_sources": ["shop"], "allowed_ops": RECORD_OPS},
        "crm-key": {"allowed_sources": ["crm"], "allowed_ops": RECORD_OPS},
        "steward-key": {"allowed_ops": ["verdict", "override", "erase"]},
    },
}
WAIT_S = 120.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """Something that is put on a stream, and whether it has to count."""

    name: str
    stream: str
    data: bytes
    counts: bool
    event: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Outcome:
    """What became of an attempt; ``code`` is why it was refused."""

    form: str
    name: str
    wanted: str
    found: str
    code: str = ""


@dataclass(slots=True)
class Figures:
    """All attempts, whether each form ended in F of what was accepted, and how many states four ways of saying made."""

    outcomes: list[Outcome] = field(default_factory=list)
    state_is_f: dict[str, bool] = field(default_factory=dict)
    states_of_four_ways: int = 0

    @property
    def wrong(self) -> list[Outcome]:
        """The attempts that did not end as they must."""
        return [each for each in self.outcomes if each.found != each.wanted]


class Form(Protocol):
    """A way in, with its consumers behind it."""

    quarantine: Path

    def send(self, stream: str, items: Sequence[bytes]) -> None:
        """Put records on a stream."""
        ...

    def index(self) -> RedisIndex:
        """Return the index, once everything that was sent is done."""
        ...


class LambdaForm:
    """The handler, invoked as Lambda's event source mappings invoke it."""

    def __init__(self, handler: Any, redis: RedisServer, quarantine: Path, namespace: str) -> None:
        self._handler, self._redis, self._namespace = handler, redis, namespace
        self.quarantine = quarantine
        self._sent = 0

    def send(self, stream: str, items: Sequence[bytes]) -> None:
        """Invoke the function with a batch of the stream."""
        answer = self._handler({"Records": [self._record(stream, item) for item in items]}, FunctionContext("resolve"))
        if answer["batchItemFailures"]:
            raise RuntimeError("the function did not get through its batch")

    def index(self) -> RedisIndex:
        """Return the index that it wrote."""
        return RedisIndex(self._redis.client(), RULES, self._namespace)

    def _record(self, stream: str, data: bytes) -> dict[str, Any]:
        self._sent += 1
        kinesis = {
            "sequenceNumber": str(self._sent),
            "partitionKey": "key",
            "data": base64.b64encode(data).decode(),
            "approximateArrivalTimestamp": FIRST_ARRIVAL_US / 1e6 + self._sent,
        }
        arn = f"arn:aws:kinesis:eu-central-1:123456789012:stream/{stream}"
        return {
            "eventSource": "aws:kinesis",
            "kinesis": kinesis,
            "eventID": f"shardId-0:{self._sent}",
            "eventSourceARN": arn,
        }


class StackForm:
    """The local stack: records go through its Kinesis API, those of keys through the publisher library."""

    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack
        self.quarantine = stack.state_dir / QUARANTINE_FOLDER

    def send(self, stream: str, items: Sequence[bytes]) -> None:
        """Publish, and wait until the consumers have done it."""
        with Publisher(self._stack.kinesis.client("kinesis"), stream) as publisher:
            for number, item in enumerate(items):
                publisher.put(item, f"key-{number}")
        self._stack.wait_idle(WAIT_S)

    def send_signed(self, stream: str, events: Sequence[dict[str, Any]], key: SigningKey) -> None:
        """Publish events as a source does that has a key."""
        with Publisher(self._stack.kinesis.client("kinesis"), stream, signing_key=key) as publisher:
            for event in events:
                publisher.put(event)
        self._stack.wait_idle(WAIT_S)

    def index(self) -> RedisIndex:
        """Return the index of the stack."""
        return RedisIndex(self._stack.redis.client(), RULES)


def said(op: str, source: str, record_id: str, **members: Any) -> dict[str, Any]:
    """Return a canonical event."""
    event: dict[str, Any] = {"domain": "person", "op": op, "event_time": format_time_us(FIRST_ARRIVAL_US)}
    if op == "verdict":
        sides = {side: {"source": source, "record_id": f"{record_id}-{side}"} for side in ("a", "b")}
        return {**event, **sides, "version": 1, "verdict": "link", "steward": "s", **members}
    event |= {"source": source, "record_id": record_id} | ({} if op == "erase" else {"version": 1})
    if op in ("upsert", "patch"):
        event["attributes"] = {"given_name": "Ann", "family_name": "Okonkwo", "birth_date": "1980-01-02"}
    if op == "override":
        event |= {"attributes": {"city": "Leeds"}, "steward": "s"}
    if op == "override_expired":
        event["attributes"] = ["city"]
    return event | members


def attempts() -> Iterator[Attempt]:
    """Yield every attempt. Each is about records of its own."""

    def plain(name: str, stream: str, event: dict[str, Any], *, counts: bool) -> Attempt:
        return Attempt(name, stream, orjson.dumps(event), counts, event)

    def by(key: SigningKey, name: str, event: dict[str, Any], *, counts: bool) -> Attempt:
        return Attempt(name, CHANGES_STREAM, orjson.dumps(signed(event, key)), counts, event)

    yield plain("a source writes as itself", CHANGES_STREAM, said("upsert", "crm", "1"), counts=True)
    yield plain("a source writes as another", CHANGES_STREAM, said("upsert", "shop", "2"), counts=False)
    yield by(KEYS["shop-key"], "with that source's key", said("upsert", "shop", "3"), counts=True)
    yield by(KEYS["crm-key"], "with the key of a third", said("upsert", "shop", "4"), counts=False)
    yield by(STRANGER, "with a key that was guessed", said("upsert", "shop", "5"), counts=False)
    moved = {
        **said("upsert", "shop", "6"),
        "signature": signed(said("upsert", "shop", "3"), KEYS["shop-key"])["signature"],
    }
    yield plain("with the signature of another event", CHANGES_STREAM, moved, counts=False)
    placeless = {name: value for name, value in said("upsert", "shop", "7").items() if name != "version"}
    placeless["signature"] = {"key_id": "shop-key", "value": KEYS["shop-key"].signature_of(placeless)}
    yield plain("signed, and without a version of its own", CHANGES_STREAM, placeless, counts=False)
    yield by(KEYS["shop-key"], "a copy of a signed event", said("upsert", "shop", "3"), counts=True)
    for number, op in enumerate(("verdict", "override", "override_expired", "erase")):
        yield plain(f"a source sends: {op}", CHANGES_STREAM, said(op, "crm", f"1{number}"), counts=False)
        yield plain(f"a steward sends: {op}", STEWARD_STREAM, said(op, "crm", f"2{number}"), counts=True)
        if op != "override_expired":
            yield by(KEYS["shop-key"], f"a source's key signs: {op}", said(op, "shop", f"3{number}"), counts=False)
            yield by(KEYS["steward-key"], f"a steward's key signs: {op}", said(op, "crm", f"4{number}"), counts=True)
    yield from _redriven()


def _redriven() -> Iterator[Attempt]:
    def enveloped(name: str, lies_on: str, first: str, event: dict[str, Any], *, counts: bool) -> Attempt:
        delivery = Delivery(orjson.dumps(event), "7".zfill(64), FIRST_ARRIVAL_US, f"{first}/shardId-0:7")
        return Attempt(name, lies_on, wrap(delivery), counts, event)

    erase, upsert = said("erase", "crm", "51"), said("upsert", "crm", "52")
    yield enveloped("an erasure in an envelope", CHANGES_STREAM, STEWARD_STREAM, erase, counts=False)
    yield enveloped(
        "a position of one's own choice in an envelope", CHANGES_STREAM, CHANGES_STREAM, upsert, counts=False
    )
    refused = said("erase", "crm", "53")
    yield enveloped("a refused erasure, redriven by an operator", STEWARD_STREAM, CHANGES_STREAM, refused, counts=False)
    again = said("upsert", "erp", "54")
    yield enveloped("a source's record, redriven by an operator", STEWARD_STREAM, CHANGES_STREAM, again, counts=True)
    as_steward = said("upsert", "steward", "55")
    yield Attempt("a source called steward", STEWARD_STREAM, orjson.dumps(as_steward), counts=False, event=as_steward)


def make_attempts(name: str, form: Form, figures: Figures) -> None:
    """Make every attempt by one form, and note what became of each and whether the state is F of what counts."""
    made = list(attempts())
    for each in made:
        form.send(each.stream, [each.data])
    why = _refused(form.quarantine)
    for each in made:
        code = why.get(orjson.dumps(each.event), why.get(each.data, ""))
        found = "refused" if code else "accepted"
        figures.outcomes.append(Outcome(name, each.name, "accepted" if each.counts else "refused", found, code))
    figures.state_is_f[name] = form.index().snapshot() == _f_of([each.event for each in made if each.counts])


def publish_with_keys(form: StackForm, figures: Figures) -> None:
    """Write as a source through the publisher library, with its key, with a third's and with one that was guessed."""
    ways = (
        ("its key", KEYS["shop-key"], True),
        ("a third's key", KEYS["crm-key"], False),
        ("a guess", STRANGER, False),
    )
    for number, (what, key, counts) in enumerate(ways, 61):
        form.send_signed(CHANGES_STREAM, [said("upsert", "shop", str(number))], key)
        found = "accepted" if f"shop/{number}" in form.index().snapshot().crosswalk else "refused"
        figures.outcomes.append(Outcome("publisher", f"signs with {what}", "accepted" if counts else "refused", found))


def _refused(quarantine: Path) -> dict[bytes, str]:
    found = {}
    for path in quarantine.rglob("*.json"):
        entry = decode_entry(path.read_bytes())
        found[entry.delivery.raw] = found[_unsigned(entry.delivery.raw)] = entry.reasons[0].code
    return found


def _unsigned(raw: bytes) -> bytes:
    event = orjson.loads(raw)
    return orjson.dumps({name: value for name, value in event.items() if name != "signature"})


def _f_of(events: Sequence[dict[str, Any]]) -> Any:
    decoder = Decoder({"person": RULES})
    return resolve(RULES, [one for each in events for one in decoder.decode(Delivery.unplaced(orjson.dumps(each)))])


def four_ways(folder: Path, redis: RedisServer, kinesis: KinesisServer) -> int:
    """Say the same in four ways, each with the right to it; return how many different states come of it (1)."""
    records = [
        said("upsert", source, "1", attributes=said("upsert", source, "1")["attributes"]) for source in ("crm", "shop")
    ]
    decisions = [said("override", "crm", "1"), said("verdict", "crm", "1"), said("erase", "shop", "9")]
    everything = {"allowed_ops": [*RECORD_OPS, "verdict", "override", "override_expired", "erase", "redrive"]}
    open_key = {"keys": {"shop-key": everything}, "streams": {CHANGES_STREAM: {"allowed_ops": []}}}
    sign = [orjson.dumps(signed(event, KEYS["shop-key"])) for event in [*records, *decisions]]
    raw = [orjson.dumps(event) for event in [*records, *decisions]]
    again = [
        wrap(Delivery(each, str(n).zfill(64), FIRST_ARRIVAL_US + n, f"{STEWARD_STREAM}/s:{n}"))
        for n, each in enumerate(raw, 1)
    ]
    ways: list[tuple[dict[str, Any], list[tuple[str, list[bytes]]]]] = [
        ({}, [(CHANGES_STREAM, raw[:2]), (STEWARD_STREAM, raw[2:])]),
        ({"streams": {CHANGES_STREAM: everything}}, [(CHANGES_STREAM, raw)]),
        (open_key, [(CHANGES_STREAM, sign)]),
        ({}, [(STEWARD_STREAM, again)]),
    ]
    states = set()
    for number, (policy, sent) in enumerate(ways):
        with lambda_form(folder / str(number), redis, kinesis, policy, f"way{number}") as form:
            for stream, items in sent:
                form.send(stream, items)
            if list(form.quarantine.rglob("*.json")):
                raise RuntimeError("something was refused that had the right")
            states.add(
                orjson.dumps(asdict(form.index().snapshot()), option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
            )
    return len(states)


@contextmanager
def lambda_form(
    folder: Path, redis: RedisServer, kinesis: KinesisServer, policy: dict[str, Any], namespace: str
) -> Iterator[LambdaForm]:
    """A cold start of the function with its own quarantine, archive and namespace."""
    settings = {
        "MDM_RULES": "person",
        "MDM_REDIS_URL": redis.url,
        "MDM_NAMESPACE": namespace,
        "MDM_CHANGES_STREAM": CHANGES_STREAM,
        "MDM_STEWARD_STREAM": STEWARD_STREAM,
        "MDM_GOLDEN_STREAM": GOLDEN_STREAM,
        "MDM_KINESIS_ENDPOINT_URL": kinesis.endpoint_url,
        "MDM_ARCHIVE_URL": (folder / "archive").absolute().as_uri(),
        "MDM_QUARANTINE_URL": (folder / "quarantine").absolute().as_uri(),
        "MDM_AUTHORITY": json.dumps(policy),
        "MDM_SIGNING_KEYS": str(write_keys(folder)),
    }
    with mock.patch.dict(os.environ, loopback_environment(kinesis.endpoint_url, kinesis.keys, {}) | settings):
        sys.modules.pop(HANDLER, None)
        module = importlib.import_module(HANDLER)
        yield LambdaForm(module.handler, redis, folder / "quarantine", namespace)
        sys.modules.pop(HANDLER, None)


def write_keys(folder: Path) -> Path:
    """Write the keys into a folder, each for its owner alone; return it."""
    keys = folder / "keys"
    keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    for key in KEYS.values():
        path = keys / key.key_id
        path.touch(mode=0o600)
        path.write_bytes(base64.b64encode(key.secret))
    return keys


def run(folder: Path) -> Figures:
    """Make all attempts by both forms, and say the same in four ways."""
    figures = Figures()
    with RedisServer() as redis, KinesisServer() as kinesis:
        kinesis.client().create_stream(StreamName=GOLDEN_STREAM, ShardCount=1)
        with lambda_form(folder / "lambda", redis, kinesis, POLICY, "attempts") as form:
            make_attempts("Lambda handler", form, figures)
        figures.states_of_four_ways = four_ways(folder / "ways", redis, kinesis)
    with LocalStack(folder / "state") as stack:
        start_consumers(stack, ["person"], Authorisation(json.dumps(POLICY), str(write_keys(folder))))
        make_attempts("local stack", StackForm(stack), figures)
        publish_with_keys(StackForm(stack), figures)
    return figures


def main(argv: Sequence[str]) -> int:
    """Run, print, and return 1 if an attempt did not end as it must."""
    with tempfile.TemporaryDirectory(prefix="mdm-") as folder, _quiet_stdout() as out:
        figures = run(Path(folder))
    right = not figures.wrong and all(figures.state_is_f.values()) and figures.states_of_four_ways == 1
    if "--json" in argv:
        print(json.dumps({**asdict(figures), "right": right}), file=out)
        return 0 if right else 1
    for each in figures.outcomes:
        mark = "ok    " if each.found == each.wanted else "WRONG "
        print(f"  {mark} {each.form}: {each.name}: {each.found} {each.code}".rstrip(), file=out)
    for form, is_f in figures.state_is_f.items():
        print(f"  {'ok    ' if is_f else 'WRONG '} {form}: the state is F of what was accepted", file=out)
    print(f"  states that four ways of saying the same made: {figures.states_of_four_ways} (1 is right)", file=out)
    return 0 if right else 1


@contextmanager
def _quiet_stdout() -> Iterator[Any]:
    """Keep the handler's log lines and metrics off the figures: they go to stderr."""
    out, sys.stdout = sys.stdout, sys.stderr
    try:
        yield out
    finally:
        sys.stdout = out


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
