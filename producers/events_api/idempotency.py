"""``Idempotency-Key``: a request that is sent again under its key gets the answer of the first one, and does nothing.

Powertools' idempotency, on the Redis that the index is on: the same on AWS and on a laptop. Keys are of their caller,
are kept as digests, and expire. Answers that a repetition should change (throttled, unavailable) are not kept.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.utilities.idempotency import IdempotencyConfig, idempotent_function
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
    IdempotencyInconsistentStateError,
    IdempotencyPersistenceLayerError,
)
from aws_lambda_powertools.utilities.idempotency.persistence.base import BasePersistenceLayer
from aws_lambda_powertools.utilities.idempotency.persistence.cache import CachePersistenceLayer

from producers.events_api.problems import ProblemError

KEY_CHARS_MAX = 255
IN_PROGRESS_MS_MAX = 30_000
"""After so long a request under way counts as one that has died, and its key is free again."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: its status and JSON body. ``final`` says that a repetition would get the same one."""

    status: int
    body: dict[str, Any]
    final: bool = True


class _NotKeptError(Exception):
    """Carries an answer past the store."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


@dataclass(frozen=True, slots=True)
class _Clock:
    """What Powertools asks of a Lambda context: how long the request may still take."""

    remaining_ms: int

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms


class Idempotency:
    """Runs requests once a key. Thread safe."""

    def __init__(self, store: BasePersistenceLayer, namespace: str, hours: int) -> None:
        """Take where answers are kept, the deployment's namespace, and for how long."""
        self._store = store
        self._prefix = f"mdm:{{{namespace}:}}:events-api"
        self._expires_s = hours * 3600

    @classmethod
    def on_redis(cls, client: Any, namespace: str, hours: int) -> Idempotency:
        """Return it on a Redis or Valkey."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the class it is an alias of today
            return cls(CachePersistenceLayer(client=client), namespace, hours)

    def once(self, key: str, caller: str, body: bytes, run: Callable[[], Answer]) -> Answer:
        """Return the answer of ``run``, or the one that it gave to the same key, caller and body before.

        ``ProblemError`` where the key is in use, was used with another body, or cannot be looked up.
        """
        digest = hashlib.blake2b(body, digest_size=16).hexdigest()
        given: list[Answer] = []

        def kept(*, request: list[str]) -> dict[str, Any]:  # noqa: ARG001 - what its key is made of
            answer = run()
            given.append(answer)
            if not answer.final:
                raise _NotKeptError(answer)
            return {"body": digest, "status": answer.status, "answer": answer.body}

        config = IdempotencyConfig(
            expires_after_seconds=self._expires_s, hash_function="sha256", lambda_context=_Clock(IN_PROGRESS_MS_MAX)  # type: ignore[arg-type]
        )  # fmt: skip
        once = idempotent_function(
            kept, data_keyword_argument="request", persistence_store=self._store, config=config, key_prefix=self._prefix
        )
        try:
            found = once(request=[caller, key])
        except _NotKeptError as passed:
            return passed.answer
        except (IdempotencyAlreadyInProgressError, IdempotencyInconsistentStateError):
            raise ProblemError("idempotency_key_in_use", "a request with this key is under way; wait for it") from None
        except IdempotencyPersistenceLayerError:
            if given:  # the events are on the stream: to say anything else would have them sent again
                return given[0]
            raise ProblemError("unavailable", "Idempotency-Keys cannot be looked up at present; come later") from None
        if found["body"] != digest:
            raise ProblemError("idempotency_key_reused", "use another key for another body")
        return Answer(found["status"], found["answer"])


def checked_key(header: str) -> str:
    """Return the key in a header, quoted or not; ``ProblemError`` if it is empty, too long or not printable ASCII."""
    key = header.strip()
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not 1 <= len(key) <= KEY_CHARS_MAX or not (key.isascii() and key.isprintable()):
        raise ProblemError(
            "malformed_request", f"an Idempotency-Key has 1 to {KEY_CHARS_MAX} printable ASCII characters"
        )
    return key
