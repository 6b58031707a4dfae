"""The epochs of a domain: one is live, another may be being built, and the switch from one to the other is one step.

An epoch is a whole state of the domain with a golden feed of its own numbering. A new one is made when the state must
be computed afresh: the old one was lost, is not to be trusted, or rests on other rules or another F. ``root``
is a hash:

===========  ==========================================================================================
field        holds
===========  ==========================================================================================
``live``     the epoch that is read and written
``last``     the greatest epoch ever begun here
``held``     why writing to the domain is held back (absent: it is not)
``told_us``  the latest ``committed_at`` that was given out, of any epoch: none given later is before it
===========  ==========================================================================================

**What is trusted.** An epoch names the server through which all its writes went, and every commit compares: the process
(Redis' ``run_id``), since a restart may have lost the last writes, and the history that it serves (``master_replid``),
since a failover may have, also one to a process that was the master before. Another server is taken over only if the
epoch's clock has come at least as far as was *witnessed*, outside of Redis, for every batch that counts as done. A
replica and an append-only file both lose only an end of the writes, each commit wholly, so this is exact for what was
witnessed. What was committed and not witnessed yet may be lost, so the time at which a server came to be trusted is
kept beside its name: a writer that was bound to the epoch before that is refused, and does its batch again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import redis

from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.core.f_version import f_identity, mismatch
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.errors import TerminalError
from mdm_stream.index.errors import IndexInDoubtError, NoIndexError
from mdm_stream.index.port import Binding
from mdm_stream.index.redis.scripts import Scripts, translated

WitnessSource = Callable[[], EpochPosition | None]
"""Returns the greatest position that was ever witnessed of a domain (``None``: nothing was)."""

ADOPTING = "adopting:"
"""Begins the digest of an index that is being taken up for rules with more histories: no writer has such a digest."""
_NAMES_PER_CALL = 1000
_NO_EPOCH = 2**63
_DOUBTFUL = ("absent", "doubt")


def domain_prefix(namespace: str, domain: str) -> str:
    """Return what every key of a domain starts with. The braces are Redis Cluster's hash tag."""
    return f"mdm:{{{namespace}:{domain}}}:"


def epoch_prefix(namespace: str, domain: str, epoch: int) -> str:
    """Return what every key of one epoch of a domain starts with."""
    return f"{domain_prefix(namespace, domain)}{epoch}:"


def drop_namespace(client: redis.Redis, namespace: str) -> None:
    """Delete every key of a namespace. For tests and replays: nothing else may be writing to it."""
    with translated():
        _unlink(client, client.scan_iter(f"mdm:{{{namespace}:*", count=_NAMES_PER_CALL))


def hold(client: redis.Redis, namespace: str, domain: str, reason: str) -> None:
    """Hold back every write to a domain until ``release``: consumers fail their batches, which Lambda redelivers."""
    with translated():
        client.hset(domain_prefix(namespace, domain) + "root", "held", reason)


def release(client: redis.Redis, namespace: str, domain: str) -> bool:
    """Let writing to a domain go on; return whether it was held."""
    with translated():
        return bool(client.hdel(domain_prefix(namespace, domain) + "root", "held"))


def lift_fence(client: redis.Redis, namespace: str, domain: str) -> bool:
    """Let the live epoch be written again that a rebuild has fenced; return whether one was fenced.

    For a rebuild that was killed while it held writers. It rests on no clock and no owner: the epoch that was being
    built is abandoned in the same step, so that a rebuild which does still run fails, and cannot switch to it any more.
    """
    root = domain_prefix(namespace, domain) + "root"
    return bool(Scripts(client).run("switch", [root], "lift", 0))


def is_fenced(client: redis.Redis, namespace: str, domain: str) -> bool:
    """Return whether a rebuild holds writers: it has fenced the live epoch, to put another one in its place, or builds
    the first one.
    """
    with translated():
        live, last = client.hmget(domain_prefix(namespace, domain) + "root", ["live", "last"])
        epoch, fenced = (live, b"retired") if live else (last, b"building")
        return client.hget(epoch_prefix(namespace, domain, int(epoch or 0)) + "meta", "state") == fenced


def held_because(client: redis.Redis | redis.RedisCluster, namespace: str, domain: str) -> str | None:
    """Return why writing to a domain is held back, ``None`` if it is not."""
    with translated():
        reason: Any = client.hget(domain_prefix(namespace, domain) + "root", "held")
        return None if reason is None else str(reason, "utf-8")


def has_index(client: redis.Redis, namespace: str, domain: str) -> bool:
    """Return whether a domain has a live epoch."""
    with translated():
        return bool(client.hexists(domain_prefix(namespace, domain) + "root", "live"))


class Epochs:
    """The life of one domain's epochs under one rule set."""

    def __init__(self, client: redis.Redis | redis.RedisCluster, rules: Ruleset, namespace: str) -> None:
        self._client = client
        self._rules = rules
        self._namespace = namespace
        self._scripts = Scripts(client)
        self.root = domain_prefix(namespace, rules.domain) + "root"

    def open(self, *, create: bool, witness: WitnessSource | None) -> Binding:
        """Return the live epoch, and the server that is trusted with it; see ``RedisIndex`` for what is raised."""
        trusting = create and witness is None
        status, epoch, clock, server, held = self._find(write=trusting, witnessed=None)
        if create and witness is not None and status in _DOUBTFUL:
            witnessed = witness()
            status, epoch, clock, server, held = self._find(write=True, witnessed=witnessed)
            if status in _DOUBTFUL:
                raise IndexInDoubtError(self._doubt(status, epoch, clock, witnessed))
        domain = self._rules.domain
        if create and status == "fenced":
            raise IndexInDoubtError(self._fenced())
        if status == "absent":
            raise NoIndexError(
                f"there is no index of domain {domain!r} here; check the address and the namespace, or send it a first "
                "event; if there was one, make it anew from the archive: mdm-stream rebuild"
            )
        if status == "rules":
            # A consumer that was deployed with new rules, or a new F, waits for the rebuild that puts them to use.
            refusal = TerminalError if witness is None else IndexInDoubtError
            raise refusal(self._other_rules(*held))
        return Binding(epoch, server)

    def obstacle(self, witness: WitnessSource) -> str | None:
        """Return why a consumer with these rules can write nothing to the domain now; ``None`` if it can.

        Changes nothing: a server that a consumer would take over, because it lost nothing, is no obstacle.
        """
        status, epoch, clock, _, held = self._find(write=False, witnessed=None)
        if status == "rules":
            return self._other_rules(*held)
        if status == "fenced" or (status == "absent" and self.building() is not None):
            return self._fenced()
        if status in _DOUBTFUL and self.has_lost(witnessed := witness()):
            return self._doubt(status, epoch, clock, witnessed)
        reason = self.held_because()
        domain = self._rules.domain
        return None if reason is None else f"domain {domain!r} is held ({reason}) until: mdm-stream release {domain}"

    def digest(self) -> str | None:
        """Return the digest of the rules and F that the live epoch is of; ``None`` if there is none."""
        with translated():
            meta = epoch_prefix(self._namespace, self._rules.domain, self.live()) + "meta"
            digest: Any = self._client.hget(meta, "rules")
            return None if digest is None else str(digest, "utf-8")

    def replace_digest(self, held: str, new: str) -> bool:
        """Say of the live epoch that it is of the rules of ``new``; ``False`` unless it was of those of ``held``.

        For whoever has shown that both give the same for all that it holds, or fences it to find out.
        """
        return bool(self._scripts.run("adopt", [self.root], held, new))

    def begin(self, above: int = 0) -> int:
        """Make a new epoch, which is being built, above ``above`` and every epoch known here; return it.

        No epoch begun before it can go live any more, so a fence that was put up for one is lifted.
        """
        return int(self._scripts.run("switch", [self.root], "begin", above, self._rules.digest, f_identity().to_json()))

    def begin_job(self, job: str, above: int, now_us: int) -> tuple[int, int]:
        """Return the epoch that a job of this name is building, and when it was begun: the same ones when it is run
        again, unless another epoch was begun since, or a server answers that may not have all of it.
        """
        with translated():
            found = self._job(job)
            if found is not None:
                return found
            epoch = self.begin(above)
            meta = epoch_prefix(self._namespace, self._rules.domain, epoch) + "meta"
            begun: dict[Any, Any] = {"job": job, "job_us": now_us}
            self._client.hset(meta, mapping=begun)
            return epoch, now_us

    def is_of_job(self, job: str) -> bool:
        """Return whether the epoch that is being built is one that a job of this name has begun, and can go on with."""
        with translated():
            return self._job(job) is not None

    def _job(self, job: str) -> tuple[int, int] | None:
        last = int(self._client.hget(self.root, "last") or 0)
        meta = epoch_prefix(self._namespace, self._rules.domain, last) + "meta"
        held: list[Any] = self._client.hmget(meta, ["job", "state", "rules", "server", "job_us"])
        is_own = held[:3] == [job.encode(), b"building", self._rules.digest.encode()]
        return (last, int(held[4])) if is_own and self._is_served(held[3]) else None

    def _is_served(self, server: bytes) -> bool:
        """Tell whether a server that is trusted with an epoch answers now, and has not been another since."""
        now: bytes = self._scripts.run("server", [self.root])
        return server.startswith(now)

    def fence(self, epoch: int) -> int | None:
        """Let nobody write to the live epoch any more, in whose place ``epoch`` is put; return it, 0 if there is none.

        ``None``, and nothing is fenced, if ``epoch`` can go live no more: a newer one was begun, or it was abandoned.
        Idempotent.
        """
        fenced = int(self._scripts.run("switch", [self.root], "fence", epoch))
        return None if fenced < 0 else fenced

    def abandon(self, epoch: int) -> bool:
        """Give up an epoch that was being built, and let a fenced one be written again; return whether one may be.

        It stays fenced where a newer epoch is being built: its fence is that one's now. Idempotent.
        """
        return bool(self._scripts.run("switch", [self.root], "abandon", epoch))

    def server_of(self, epoch: int) -> str:
        """Return the server that is trusted with an epoch, of whatever state; nothing if there is no such epoch."""
        with translated():
            server: Any = self._client.hget(epoch_prefix(self._namespace, self._rules.domain, epoch) + "meta", "server")
            return "" if server is None else str(server, "utf-8")

    def reached(self, epoch: int) -> EpochPosition:
        """Return how far an epoch has come, of whatever state."""
        with translated():
            meta = epoch_prefix(self._namespace, self._rules.domain, epoch) + "meta"
            clock, sequence = self._client.hmget(meta, ["clock", "sequence"])
            return EpochPosition(epoch, int(clock or 0), int(sequence or 0))

    def go_live(self, epoch: int, told_us: int = 0) -> bool:
        """Put an epoch that was being built in the place of the live one, in one step.

        ``told_us`` is the latest time that anything was told, as far as is known outside of Redis, which may have lost
        it: what the new epoch tells is not before it.
        ``False`` if a newer one was begun meanwhile, or the server that has all its writes does not answer any more.
        """
        return bool(self._scripts.run("switch", [self.root], "live", epoch, told_us))

    def has_lost(self, witnessed: EpochPosition | None) -> bool:
        """Return whether the live epoch is gone, or does not have all that was witnessed.

        An epoch that another server process serves, of whatever rules, has lost nothing if it has come that far: a
        replica and an append-only file lose only an end of the writes.
        """
        if witnessed is None:
            return False
        reached = self.reached(self.live())
        behind = witnessed.clock > reached.clock or witnessed.sequence > reached.sequence
        return witnessed.epoch > reached.epoch or (witnessed.epoch == reached.epoch and behind)

    def building(self) -> EpochPosition | None:
        """Return how far the epoch has come that a rebuild fills; ``None`` if none is being built.

        A rebuild that was killed leaves one that comes no further.
        """
        with translated():
            last = int(self._client.hget(self.root, "last") or 0)
            prefix = epoch_prefix(self._namespace, self._rules.domain, last)
            return self.reached(last) if self._client.hget(prefix + "meta", "state") == b"building" else None

    def live(self) -> int:
        """Return the live epoch, 0 if there is none."""
        with translated():
            return int(self._client.hget(self.root, "live") or 0)

    def held_because(self) -> str | None:
        """Return why writing to the domain is held back, ``None`` if it is not."""
        return held_because(self._client, self._namespace, self._rules.domain)

    def told_ahead_us(self) -> int:
        """Return by how much the latest time that was told is ahead of the server's clock, 0 if it is not.

        Then a clock was wrong, and all that is told until that time has come is stamped with it.
        """
        told_us, now_us = self._scripts.run("told", [self.root])
        return max(0, int(told_us) - int(now_us))

    def drop(self, epoch: int) -> None:
        """Delete the keys of one epoch, which must be neither live nor being built any more."""
        pattern = _escaped(epoch_prefix(self._namespace, self._rules.domain, epoch)) + "*"
        with translated():
            _unlink(self._client, self._client.scan_iter(pattern, count=_NAMES_PER_CALL))

    def drop_before(self, epoch: int, but: int = 0) -> None:
        """Delete the keys of every epoch before this one, ``but`` one. A newer one may have been begun already."""
        self._drop(lambda number: number < epoch and number != but)

    def drop_past(self) -> None:
        """Delete the keys of every epoch that is neither live nor being built."""
        with translated():
            last = int(self._client.hget(self.root, "last") or 0)
        staying = {self.live(), last if self.building() is not None else 0}
        self._drop(lambda number: number <= last and number not in staying)

    def _drop(self, is_gone: Callable[[int], bool]) -> None:
        """Delete the keys of some epochs; first what says of one that it is kept, so that a part of it is not."""
        base = domain_prefix(self._namespace, self._rules.domain)
        with translated():
            for pattern in ("*:kept", "*"):
                names = self._client.scan_iter(_escaped(base) + pattern, count=_NAMES_PER_CALL)
                _unlink(self._client, (name for name in names if is_gone(_number_in(name.decode().removeprefix(base)))))

    def _find(self, *, write: bool, witnessed: EpochPosition | None) -> tuple[str, int, int, str, tuple[str, str]]:
        """Run the script that finds the live epoch. With ``write`` it may make one, or take one over, if nothing that
        was witnessed speaks against it. Whoever only reads may read an epoch in doubt. The last of what is returned
        are digest and F of an epoch of other rules.
        """
        known = witnessed or EpochPosition(0, 0, 0)
        position = (known.epoch, known.clock, known.sequence)
        arguments = (self._rules.digest, int(write), int(write), *position, f_identity().to_json())
        status, found, reached, server, *held = self._scripts.run("open", [self.root], *arguments)
        digest, identity = (text.decode() for text in held or (b"", b""))
        return status.decode(), int(found), int(reached), server.decode(), (digest, identity)

    def _fenced(self) -> str:
        domain = self._rules.domain
        return (
            f"a rebuild of domain {domain!r} holds writers back, to put a new epoch in the place of this one, or to "
            "make the first one; if none is running any more, run it again: mdm-stream rebuild; or go on without it: "
            f"mdm-stream release {domain} --abandon-rebuild"
        )

    def _other_rules(self, digest: str, identity: str) -> str:
        if digest.startswith(ADOPTING):
            return (
                f"the index of domain {self._rules.domain!r} is compared with its archive, to take it up for rules "
                "with more histories; if that was cut short, run it again: mdm-stream rules adopt; or make a new "
                "epoch: mdm-stream rebuild"
            )
        return f"the index of domain {self._rules.domain!r} {mismatch(digest, identity, self._rules.digest)}"

    def _doubt(self, status: str, epoch: int, clock: int, witnessed: EpochPosition | None) -> str:
        known = "nothing" if witnessed is None else f"epoch {witnessed.epoch}, commit {witnessed.clock:,}"
        found = "it is gone" if status == "absent" else f"it has come to epoch {epoch}, commit {clock:,}"
        return (
            f"the index of domain {self._rules.domain!r} is not to be trusted: the archive knows {known}, and {found}; "
            "make a new epoch from the archive: mdm-stream rebuild"
        )


def _unlink(client: redis.Redis | redis.RedisCluster, names: Iterable[bytes]) -> None:
    batch: list[bytes] = []
    for name in names:
        batch.append(name)
        if len(batch) >= _NAMES_PER_CALL:
            client.unlink(*batch)
            batch.clear()
    if batch:
        client.unlink(*batch)


def _number_in(name: str) -> int:
    """Return the epoch of a key that is named without the domain's prefix; one beyond all of a key that has none."""
    number = name.partition(":")[0]
    return int(number) if number.isdecimal() else _NO_EPOCH


def _escaped(text: str) -> str:
    """Return a text as a pattern that only itself matches."""
    return "".join(f"\\{character}" if character in "*?[]\\" else character for character in text)
