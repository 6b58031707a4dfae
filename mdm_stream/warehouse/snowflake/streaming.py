"""A Snowflake session that loads batches through Snowpipe Streaming: no statement, no stage, no virtual warehouse.

The rows are those of the file of a batch, with the names of ``golden_event``'s columns. They are committed when
``load_events`` returns, as after a COPY; a batch that is delivered again adds them once more, and the fold passes over
those. The channel is the session's own, so the writer of each shard has one of its own. A row that is larger than a
request may be goes by COPY, with its batch.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from mdm_stream.errors import ConfigurationError, MdmError
from mdm_stream.warehouse.faults import LoginRefusedError, SessionLostError
from mdm_stream.warehouse.rows import timestamp_text
from mdm_stream.warehouse.snowflake.append import SnowflakeEventSession
from mdm_stream.warehouse.snowflake.channel import APPEND_BYTES_MAX, PipeAddress, StreamingChannel
from mdm_stream.warehouse.snowflake.limits import Limits
from mdm_stream.warehouse.snowflake.session import BATCH_DIGITS, DEFAULT_LIMITS, RETENTION_DAYS

PIPE = "GOLDEN_EVENT-STREAMING"
"""The pipe that Snowflake keeps for the table: it takes columns by their names."""


LOOK_EVERY_S = 300.0


@dataclass(frozen=True, slots=True)
class Streaming:
    """Snowpipe Streaming: at the account's address, or at ``url`` where private connectivity has another one.

    ``look_every_s``: how often a writer asks the tables for what others have erased meanwhile. That is the one question
    of a batch that wakes a virtual warehouse; what the writer has erased itself, it looks for at once.
    """

    url: str | None = None
    look_every_s: float = LOOK_EVERY_S


class SnowflakeStreamingSession(SnowflakeEventSession):
    """See ``append.layout.EventSession``."""

    def __init__(
        self,
        connect_args: Mapping[str, Any],
        limits: Limits = DEFAULT_LIMITS,
        retention_days: int = RETENTION_DAYS,
        streaming: Streaming | None = None,
    ) -> None:
        """Log in with the arguments of ``snowflake.connector.connect``, which must be those of a key pair."""
        sign_in = signer(connect_args)
        super().__init__(connect_args, limits, retention_days)
        url = (streaming and streaming.url) or address_of(connect_args)
        database, schema = (str(connect_args[name]).upper() for name in ("database", "schema"))
        target = PipeAddress(url.rstrip("/"), database, schema, PIPE)
        self._channel = StreamingChannel(
            target,
            f"MDM_{uuid.uuid4().hex}",
            sign_in,
            request_timeout_s=limits.socket_timeout_s,
            commit_timeout_s=limits.statement_timeout_s,
        )

    def load_events(self, ndjson: bytes, batch_id: str, applied_at: datetime) -> None:
        """Add the rows of ``ndjson`` and wait until they are committed; a repetition adds them again."""
        portions = row_portions(ndjson, batch_id, applied_at)
        if portions is None:
            super().load_events(ndjson, batch_id, applied_at)
        else:
            try:
                self._channel.append(portions, batch_id[:BATCH_DIGITS])
            except LoginRefusedError as error:
                # The key may have been rotated since the login: a new one reads it anew, or is refused itself.
                raise SessionLostError(str(error)) from error

    def close(self) -> None:
        """Drop the channel and end the connection."""
        with suppress(MdmError):
            self._channel.close()
        super().close()


def row_portions(ndjson: bytes, batch_id: str, applied_at: datetime) -> list[bytes] | None:
    """Return the lines of a batch's file as rows, in portions of ``APPEND_BYTES_MAX``; None if one is larger."""
    common = orjson.dumps({"batch_id": batch_id, "applied_at": timestamp_text(applied_at)})
    portions, lines, size_bytes = list[bytes](), list[bytes](), 0
    for line in ndjson.splitlines():
        row = b"%b,%b\n" % (line[:-1], common[1:])
        if len(row) > APPEND_BYTES_MAX:
            return None
        if size_bytes + len(row) > APPEND_BYTES_MAX:
            portions.append(b"".join(lines))
            lines, size_bytes = [], 0
        lines.append(row)
        size_bytes += len(row)
    return [*portions, b"".join(lines)]


def address_of(connect_args: Mapping[str, Any]) -> str:
    """Return the account's address, as the connector makes it."""
    account = str(connect_args.get("account", "")).lower().replace("_", "-")
    host = connect_args.get("host") or f"{account}.snowflakecomputing.com"
    port = connect_args.get("port")
    return f"{connect_args.get('protocol', 'https')}://{host}" + (f":{port}" if port else "")


def signer(connect_args: Mapping[str, Any]) -> Callable[[], str]:
    """Return what makes a JWT of the key pair, by the connector's own code. ``ConfigurationError`` without a key."""
    from snowflake.connector.auth import AuthByKeyPair  # noqa: PLC0415 - the connector is imported where it is used

    key, password = connect_args.get("private_key"), connect_args.get("private_key_file_pwd")
    account, user = str(connect_args.get("account", "")), str(connect_args.get("user", ""))
    if key is None and connect_args.get("private_key_file"):
        key = der_of_pem(Path(str(connect_args["private_key_file"])).read_text("utf-8"), password)
    if key is None:
        raise ConfigurationError(
            "Snowpipe Streaming needs a key pair: set MDM_WAREHOUSE_SNOWFLAKE_PRIVATE_KEY_PATH or "
            "MDM_WAREHOUSE_SNOWFLAKE_PRIVATE_KEY_SECRET_ARN, or MDM_WAREHOUSE_SNOWFLAKE_INGEST=copy"
        )
    return lambda: str(AuthByKeyPair(private_key=key).prepare(account=account, user=user))


def der_of_pem(pem: str, passphrase: str | None) -> bytes:
    """Return a private key as the connector takes it; ``ConfigurationError``, without a word of it, if it is none."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - comes with the connector

    try:
        key = serialization.load_pem_private_key(pem.encode(), passphrase.encode() if passphrase else None)
    except (ValueError, TypeError):
        # The parser's own message may quote the key.
        raise ConfigurationError("the Snowflake private key is not a PEM key that the passphrase opens") from None
    return key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
