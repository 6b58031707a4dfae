"""How commands send a steward's decision: the options that say where to, and the steward stream and index they name."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from mdm_stream.aws.clients import aws_client
from mdm_stream.aws.signing_keys import read_signing_key
from mdm_stream.cli.index_options import chosen_ruleset, index_on
from mdm_stream.cli.options import deployment_options
from mdm_stream.cli.output import json_option, print_json, say
from mdm_stream.deployment import running_stack
from mdm_stream.errors import ConfigurationError, RejectedEventError

if TYPE_CHECKING:
    from mdm_stream.core.fold import RecordState
    from mdm_stream.core.model import OverrideEvent, VerdictEvent, Version
    from mdm_stream.core.ruleset import Ruleset


def steward_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``steward``, ``as_json`` and all that :class:`ChannelAddress` has."""
    named = deployment_options(
        "state", "stream", "endpoint", "region", "redis_url", "namespace", "rules", "domain",
        stream="The steward stream; that of the local stack if left out.",
        region="The AWS region of the stream; that of the environment if left out.",
    )  # fmt: skip
    steward = click.option(
        "--steward", required=True, metavar="NAME", help="Who decides; it is kept with the decision."
    )
    version = click.option(
        "--version",
        "given_version",
        metavar="VERSION",
        type=int,
        help="A version of your own (microseconds since 1970); the index is not asked.",
    )
    signing_key = click.option(
        "--signing-key", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
        help="Sign the decision with the key in this file, whose name is the key's id.",
    )  # fmt: skip
    return steward(version(signing_key(named(json_option(command)))))


@dataclass(frozen=True, slots=True)
class ChannelAddress:
    """What the options said about where to send a decision."""

    given_version: int | None
    signing_key: Path | None
    state: Path
    stream: str | None
    endpoint: str | None
    region: str | None
    redis_url: str | None
    namespace: str
    rules: tuple[str, ...]
    domain: str | None


class StewardChannel:
    """The steward stream and the index of one domain."""

    def __init__(self, address: ChannelAddress) -> None:
        """Find both; ``ConfigurationError`` or ``click.UsageError`` if the options do not name them."""
        from mdm_stream.rules import load_rulesets  # noqa: PLC0415 - --help does without

        stream, endpoint, redis_url, rules = address.stream, address.endpoint, address.redis_url, address.rules
        self._keys = None
        if stream is None:
            if endpoint is not None or address.region is not None:
                raise click.UsageError("--endpoint and --region need --stream")
            stack = running_stack(address.state)
            endpoint, stream = stack.kinesis_endpoint_url, stack.steward_stream
            redis_url, rules = redis_url or stack.redis_url, rules or stack.rules
            self._keys = stack.keys
        if not rules:
            raise click.UsageError("--stream needs --rules: they say which records and attributes there are")
        if redis_url is None and address.given_version is None:
            raise click.UsageError("--stream needs --redis, where the decisions that stand are, or --version")
        self.rules: Ruleset = chosen_ruleset(load_rulesets(rules), address.domain)
        self.stream, self._endpoint, self._region = stream, endpoint, address.region
        self._redis_url, self._namespace = redis_url, address.namespace
        self._given_version = address.given_version
        self._signing_key = None if address.signing_key is None else read_signing_key(address.signing_key)

    @property
    def now_us(self) -> int:
        """The time, in microseconds since 1970."""
        return time.time_ns() // 1000

    def version(self, refs: Sequence[str], versions_to_beat: Callable[[RecordState], Iterable[Version]]) -> Version:
        """Return the version for a decision on records: the one given, or the one after those that it has to beat.

        ``versions_to_beat`` tells these by the state of the first record. A record that the index does not know may yet
        come, and may be a slip: it is noted on stderr.
        """
        from mdm_stream.core.fold import EMPTY  # noqa: PLC0415
        from mdm_stream.steward.decide import next_version  # noqa: PLC0415

        given = self._given_version
        if given is not None:
            return given
        assert self._redis_url is not None, "the constructor has seen to it"
        known = index_on(self._redis_url, self.rules, self._namespace).read_records(refs)
        for ref in refs:
            if ref not in known:
                say(f"note: the index knows no record {ref}; the decision counts from when it comes", err=True)
        return next_version(versions_to_beat(known[refs[0]].state if refs[0] in known else EMPTY), self.now_us)

    def send(self, event: VerdictEvent | OverrideEvent, *, as_json: bool) -> None:
        """Put a decision on the stream (``put``), and say so; its values are not said again."""
        wire = self.put(event)
        if "attributes" in wire:
            wire["attributes"] = sorted(wire["attributes"])
        if as_json:
            print_json({"stream": self.stream, "sent": wire})
        else:
            say(f"{wire['op']} of version {wire['version']} sent to {self.stream}")

    def put(self, event: VerdictEvent | OverrideEvent) -> dict[str, Any]:
        """Put a decision on the stream once it has been found valid, and return it as it was sent.

        ``ConfigurationError`` with every reason why the consumer would reject it.
        """
        from mdm_stream.contracts.change import encode_event  # noqa: PLC0415
        from mdm_stream.decode import Decoder, Delivery  # noqa: PLC0415
        from producers.publisher import Publisher  # noqa: PLC0415

        raw = encode_event(event)
        try:
            Decoder({self.rules.domain: self.rules}).decode(Delivery.unplaced(raw))
        except RejectedEventError as error:
            said = "; ".join(f"{reason.path or 'the decision'} {reason.message}" for reason in error.reasons)
            raise ConfigurationError(f"the decision was not sent: {said}") from error
        wire: dict[str, Any] = orjson.loads(raw)
        client = aws_client("kinesis", self._endpoint, self._region, keys=self._keys)
        with Publisher(client, self.stream, signing_key=self._signing_key) as publisher:
            publisher.put(wire)
            publisher.flush()
        return wire


def record_reference(name: str) -> str:
    """Return a reference that was written as SOURCE/ID; ``click.UsageError`` if it was not."""
    source, _, record_id = name.partition("/")
    if not source or not record_id:
        raise click.UsageError(f"{name!r} is not SOURCE/ID")
    return name
