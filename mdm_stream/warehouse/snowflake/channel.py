"""A channel of Snowpipe Streaming: rows over HTTPS into a table, without a statement, a stage or a virtual warehouse.

The REST API of Snowflake's high-performance architecture ("Snowpipe Streaming REST API endpoints"). Snowflake's own SDK
speaks the same API; it is a native library of 31 MB with roots of trust of its own, so neither light in a Lambda nor
to be tried against a server on this machine. What is needed of it are five requests.

A row is accepted first and committed later. Rows go under an offset token, and are committed once the channel's
committed token has come to it; only then are they in the table, for good. A channel belongs to who opened it last: who
had it before is refused, and opens it anew.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson
import urllib3

from mdm_stream.errors import ConfigurationError, TerminalError, TransientError
from mdm_stream.warehouse.faults import LoginRefusedError

APPEND_BYTES_MAX = 3_500_000
"""Rows of one request; Snowflake takes 4 MB (its pages have said 16). Larger rows do not go this way."""

COMMIT_POLL_S = 0.5
TOKEN_LIFETIME_S = 2_700.0
"""A scoped token is good for an hour."""

_JSON, _FORM, _LINES = "application/json", "application/x-www-form-urlencoded", "application/x-ndjson"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_TOO_MANY, _SERVER_ERROR = 429, 500


class _ReopenError(Exception):
    """The channel is another's by now, or its tokens are stale. ``is_of_rows``: or the rows are refused."""

    def __init__(self, what: str, *, is_of_rows: bool = False) -> None:
        super().__init__(what)
        self.is_of_rows = is_of_rows


@dataclass(frozen=True, slots=True)
class PipeAddress:
    """Where a channel leads: the account's address, and the pipe that Snowflake keeps for each table by itself."""

    url: str
    database: str
    schema: str
    pipe: str

    def channel(self, name: str, *, data: bool = False) -> str:
        """Return the path of a channel; of its rows with ``data``."""
        kind = "/v2/streaming/data" if data else "/v2/streaming"
        return f"{self.pipe_path(kind)}/channels/{quote(name, safe='')}" + ("/rows" if data else "")

    def pipe_path(self, kind: str = "/v2/streaming") -> str:
        """Return the path of the pipe."""
        parts = [quote(each, safe="") for each in (self.database, self.schema, self.pipe)]
        return f"{kind}/databases/{parts[0]}/schemas/{parts[1]}/pipes/{parts[2]}"


class StreamingChannel:
    """One open channel. Not safe for use by several threads at once.

    ``sign_in`` returns a fresh JWT of the key pair. ``commit_timeout_s`` bounds the wait for a commit, after which the
    rows may still be committed: the batch is delivered again, which adds them once more.
    """

    def __init__(
        self,
        target: PipeAddress,
        name: str,
        sign_in: Callable[[], str],
        *,
        request_timeout_s: float,
        commit_timeout_s: float,
        sleep: Callable[[float], None] = time.sleep,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take where to and under which name; nothing is opened before the first rows."""
        self._target = target
        self._name = name
        self._sign_in = sign_in
        self._commit_timeout_s = commit_timeout_s
        self._sleep = sleep
        self._monotonic_s = monotonic_s
        self._pool = urllib3.PoolManager(timeout=urllib3.Timeout(total=request_timeout_s), retries=False)
        self._host = ""
        self._token, self._token_until_s = "", 0.0
        self._continuation = ""
        self._errors_before = 0
        self._was_opened = False
        self._batches = 0  # never counted anew: a committed token must not be taken for that of a later batch

    def append(self, portions: Sequence[bytes], batch: str) -> None:
        """Append rows (NDJSON, each portion at most ``APPEND_BYTES_MAX``) and wait until they are committed.

        ``batch`` is part of the offset token, for people. Raises ``TransientError`` where it is left open whether they
        are, and ``TerminalError`` where Snowflake has refused a row for itself: the others are in the table then.
        """
        try:
            self._append(portions, batch)
        except _ReopenError:
            self._continuation = ""
            try:
                self._append(portions, batch)
            except _ReopenError as error:
                self._continuation = ""
                if error.is_of_rows:
                    raise TerminalError(f"Snowpipe Streaming refuses rows for golden_event ({error})") from None
                raise TransientError(
                    f"Snowpipe Streaming refuses channel {self._name} after it was opened anew ({error}); the batch is "
                    "delivered again"
                ) from None

    def close(self) -> None:
        """Drop the channel, which holds nothing: what was appended is committed. Without it Snowflake does in time."""
        if self._was_opened:
            self._was_opened, self._continuation = False, ""
            with suppress(_ReopenError):  # it is gone, or another's
                self._request("DELETE", self._target.channel(self._name))
        self._pool.clear()

    def _append(self, portions: Sequence[bytes], batch: str) -> None:
        if not self._continuation:
            self._open()
        self._batches += 1
        token = f"{self._batches:012d}-{batch}"
        for number, rows in enumerate(portions, start=1):
            offset = token if number == len(portions) else ""
            asked = f"?continuationToken={quote(self._continuation, safe='')}"
            asked += f"&offsetToken={quote(offset, safe='')}" if offset else ""
            said = self._request("POST", self._target.channel(self._name, data=True) + asked, rows, _LINES)
            self._continuation = str(said.get("next_continuation_token", ""))
        self._wait(token)

    def _open(self) -> None:
        path = f"{self._target.channel(self._name)}?requestId={uuid.uuid4()}"
        said = self._request("PUT", path, b"{}", _JSON)
        self._continuation, self._was_opened = str(said["next_continuation_token"]), True
        self._errors_before = _errors(said.get("channel_status") or {})

    def _wait(self, token: str) -> None:
        """Wait until the committed offset token is ``token``."""
        began_s = self._monotonic_s()
        body = orjson.dumps({"channel_names": [self._name]})
        while True:
            said = self._request("POST", f"{self._target.pipe_path()}:bulk-channel-status", body, _JSON)
            statuses = {str(name).upper(): status for name, status in (said.get("channel_statuses") or {}).items()}
            status = statuses.get(self._name.upper())
            if status is None:
                raise _ReopenError("it is unknown")
            errors = _errors(status)
            if errors > self._errors_before:
                refused, self._errors_before = errors - self._errors_before, errors
                raise TerminalError(
                    f"Snowpipe Streaming refused {refused:,} rows of a batch for golden_event (status "
                    f"{status.get('channel_status_code', '?')}); the table has columns that these rows do not fit"
                )
            if status.get("last_committed_offset_token") == token:
                return
            if self._monotonic_s() - began_s > self._commit_timeout_s:
                self._continuation = ""
                raise TransientError(
                    f"Snowpipe Streaming has not committed a batch within {self._commit_timeout_s:,.0f} s; it is "
                    "delivered again"
                )
            self._sleep(COMMIT_POLL_S)

    def _request(self, method: str, path: str, body: bytes = b"", kind: str = _JSON) -> Mapping[str, Any]:
        """Send one request of the data plane, and once more with a new token if that was refused."""
        for is_last in (False, True):
            headers = {"Authorization": f"Bearer {self._scoped_token()}", "Content-Type": kind}
            status, answer = self._send(method, f"{self._host}{path}", body, headers)
            if status == 401 and not is_last:
                self._token = ""
                continue
            return _judged(status, answer, path, is_opening=method == "PUT")
        raise AssertionError("the loop returns or raises")

    def _scoped_token(self) -> str:
        if not self._token or self._monotonic_s() > self._token_until_s:
            headers = {"Authorization": f"Bearer {self._sign_in()}",
                       "X-Snowflake-Authorization-Token-Type": "KEYPAIR_JWT"}  # fmt: skip
            status, answer = self._send("GET", f"{self._target.url}/v2/streaming/hostname", b"", headers)
            scope = str(_judged(status, answer, "/v2/streaming/hostname", plain="hostname")["hostname"])
            scheme = self._target.url.partition("://")[0]
            self._host = f"{scheme}://{scope.replace('_', '-')}"
            form = f"grant_type={quote(_GRANT, safe='')}&scope={quote(scope, safe='')}".encode()
            status, answer = self._send(
                "POST", f"{self._target.url}/oauth/token", form, {**headers, "Content-Type": _FORM}
            )
            self._token = str(_judged(status, answer, "/oauth/token", plain="token")["token"])
            self._token_until_s = self._monotonic_s() + TOKEN_LIFETIME_S
        return self._token

    def _send(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        try:
            answer = self._pool.request(method, url, body=body or None, headers=dict(headers))
        except urllib3.exceptions.HTTPError as error:
            raise TransientError(f"Snowpipe Streaming does not answer: {type(error).__name__}") from error
        return answer.status, answer.data


def _errors(status: Mapping[str, Any]) -> int:
    return int(status.get("rows_error_count") or 0)


def _judged(status: int, answer: bytes, path: str, plain: str = "", *, is_opening: bool = True) -> Mapping[str, Any]:
    """Return what was answered; ``plain`` names the text where an answer is no JSON. Nothing of it is in an error."""
    what = path.partition("?")[0].rpartition("/")[2]
    if status in (401, 403):
        raise LoginRefusedError(
            f"Snowpipe Streaming refuses the key or the role (HTTP {status}, {what}): the user needs the key pair, and "
            "its default role USAGE on database and schema and INSERT on golden_event"
        )
    if status == 404 and is_opening:
        raise ConfigurationError(
            f"Snowpipe Streaming knows no such pipe (HTTP 404, {what}): check account, database and schema, and run "
            "mdm-stream warehouse migrate, which makes golden_event"
        )
    if status == _TOO_MANY or status >= _SERVER_ERROR or status == 408:
        raise TransientError(f"Snowpipe Streaming answers HTTP {status} ({what})")
    if status == 413:
        raise TerminalError("Snowpipe Streaming takes no rows of that size (HTTP 413)")
    if not 200 <= status < 300:
        raise _ReopenError(f"HTTP {status}, {what}", is_of_rows=status == 400 and what == "rows")
    try:
        said = orjson.loads(answer or b"{}")
    except orjson.JSONDecodeError:
        said = answer.decode(errors="replace").strip()
    if isinstance(said, dict):
        return said
    return {plain: said} if plain else {}
