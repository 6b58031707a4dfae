"""The epoch that an index on Redis, or a reader of one, has open: found when it is needed, and found anew after a call
which says that it is not what it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import msgpack
import redis

from mdm_stream.aws.deadline import Deadline
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.errors import TransientError
from mdm_stream.index.errors import EpochChangedError, IndexInDoubtError
from mdm_stream.index.port import Binding, IndexCounters
from mdm_stream.index.redis.client import in_portions, send_together
from mdm_stream.index.redis.epochs import Epochs, WitnessSource, epoch_prefix
from mdm_stream.index.redis.scripts import Scripts


class OpenEpoch:
    """One epoch of a domain, and the calls that are made to it.

    The live one; one that is not live yet with ``building``. ``create`` and ``witness`` are as ``RedisIndex`` has them.
    An index in doubt is refused with every call and not here, so that a process that starts early need not be started
    again once it has been rebuilt. With a witness nothing that may pass is raised here: a consumer that starts while
    its server is away fails its batches, in part, until it is back, and not its start.
    """

    def __init__(
        self,
        client: redis.Redis | redis.RedisCluster,
        rules: Ruleset,
        namespace: str,
        *,
        create: bool,
        witness: WitnessSource | None = None,
        building: int | None = None,
    ) -> None:
        self.client = client
        self.rules = rules
        self.counters = IndexCounters()
        self.scripts = Scripts(client)
        self.epochs = Epochs(client, rules, namespace)
        self.state = "live" if building is None else "building"
        self._namespace = namespace
        self._create = create
        self._witness = witness
        self._binding = Binding(building or 0, "")
        self._is_open = False
        self._require_time: Callable[[], None] = lambda: None
        with suppress(IndexInDoubtError if witness is None else TransientError):
            self.open()

    def until(self, deadline: Deadline, call_s: float) -> None:
        """Begin no call from now on that might last ``call_s`` and not end by then: ``OutOfTimeError`` instead."""
        self._require_time = lambda: deadline.require(call_s, "Redis")

    def open(self) -> None:
        """Find the epoch, as it is now. One round trip."""
        self._require_time()
        self.counters.round_trips += 1
        self.counters.commands += 1
        if self.state == "live":
            self._binding = self.epochs.open(create=self._create, witness=self._witness)
        else:
            self._binding = Binding(self.number, self.epochs.server_of(self.number))
        self._is_open = True

    @property
    def number(self) -> int:
        """The epoch that is open, or was the last time; 0 if none ever was."""
        return self._binding.epoch

    def bind(self) -> Binding:
        """Return what is open; opens it if that has to be done (anew)."""
        if not self._is_open:
            self.open()
        return self._binding

    def require_open(self, binding: Binding | None = None) -> Binding:
        """Return what is open; ``EpochChangedError`` if nothing is, or something else than ``binding``."""
        if not self._is_open or binding not in (None, self._binding):
            raise EpochChangedError("another epoch is live than was read, or another server is trusted with it")
        return self._binding

    def key(self, name: str) -> str:
        """Return the full name of a key of the epoch; opens it if that has to be done."""
        return epoch_prefix(self._namespace, self.rules.domain, self.bind().epoch) + name

    def script(self, name: str, *arguments: Any) -> Any:
        """Run a script on the epoch. One round trip."""
        return self.call(lambda: self.client.evalsha(self.scripts.sha(name), 1, self.key("meta"), *arguments))

    def values_of(self, name: str, fields: Sequence[str | bytes]) -> list[Any]:
        """Return the values that fields of one of the epoch's hashes have, in order. One round trip, however many."""
        key = self.key(name)
        commands = in_portions("HMGET", key, fields)
        found = self.call(lambda: send_together(self.client, key, commands), len(commands))
        return [value for each in found for value in each]

    def fenced_script(self, name: str, *arguments: Any) -> Any:
        """Run a script that asks the fence first: ``EpochChangedError`` if what is open may not be written any more."""
        return self.script(name, self.rules.digest, self.state, self.bind().server, *arguments)

    def payload(self, parts: dict[str, object]) -> bytes:
        """Return what ``commit.lua`` reads: the parts of a commit, and the fence that it has to pass."""
        fence = {
            "rules": self.rules.digest,
            "epoch": str(self.number),
            "server": self.bind().server,
            "state": self.state,
        }
        packed: bytes = msgpack.packb(fence | parts, use_bin_type=False)
        return packed

    def call(self, send: Callable[[], Any], commands: int = 1) -> Any:
        """Make a call of so many commands, with faults translated. One that finds another epoch closes this one.

        Nothing is assumed then: the caller starts afresh, on what is live by then.
        """
        self._require_time()
        self.bind()
        self.counters.round_trips += 1
        self.counters.commands += commands
        try:
            return self.scripts.attempt(send)
        except EpochChangedError:
            self._is_open = False
            raise
