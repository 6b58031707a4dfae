"""AWS APIs on loopback in a process of their own: Kinesis, S3, SQS, SNS and EventBridge at one address.

``python -m mdm_stream.local.kinesis.server --port 0 --journal FOLDER --ready-file FILE`` serves until SIGTERM.
FILE appears, whole, once requests are answered: ``{"endpoint_url": ..., "pid": ...}``. The keys that requests must be
signed with come in two variables of the environment, which other users cannot see as they see a command line.
"""

from __future__ import annotations

import argparse
import http.client
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from mdm_stream.aws.loopback import TRIM_PATH, LoopbackKeys, loopback_client, signed_post
from mdm_stream.errors import ConfigurationError, TransientError
from mdm_stream.files import write_atomically
from mdm_stream.local.servers.children import log_tail, spawn, stop_process

ACCESS_KEY_VARIABLE = "MDM_LOCAL_ACCESS_KEY_ID"
SECRET_KEY_VARIABLE = "MDM_LOCAL_SECRET_ACCESS_KEY"  # noqa: S105 - a name

_POLL_INTERVAL_S = 0.02
_REQUEST_TIMEOUT_S = 60.0
_IDLE_TIMEOUT_S = 60
"""How long a connection may be silent: it holds a thread, and no key was shown yet."""
_SHUTDOWN_POLL_S = 0.05
_EXIT_CONFIGURATION = 2


class KinesisServer:
    """The server as a child: ``with KinesisServer(journal_folder) as server: server.client("kinesis")``.

    With a journal folder, accepted records, their sequence numbers and the streams survive a restart and SIGKILL.
    It answers only what is signed with ``keys``, which are its own. ``start`` and ``stop`` are idempotent.
    """

    def __init__(
        self,
        journal_folder: Path | None = None,
        *,
        port: int = 0,
        log: Path | None = None,
        keep_fds: Sequence[int] = (),
        start_timeout_s: float = 60.0,
        stop_timeout_s: float = 10.0,
    ) -> None:
        self.endpoint_url = ""
        self.keys = LoopbackKeys.new()
        self._journal_folder = journal_folder
        self._port = port
        self._log = log
        self._keep_fds = tuple(keep_fds)
        self._start_timeout_s = start_timeout_s
        self._stop_timeout_s = stop_timeout_s
        self._process: subprocess.Popen[bytes] | None = None
        self._clients: dict[tuple[str, str], Any] = {}

    @property
    def pid(self) -> int:
        """The server's process id; ``ValueError`` while it is not started."""
        if self._process is None:
            raise ValueError("the Kinesis server is not started")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    def client(self, service: str = "kinesis") -> Any:
        """Return the boto3 client of a service that is served; its credentials and region are those of this server.

        The same one each time: it is thread-safe, and making one takes a tenth of a second.
        """
        key = (service, self.endpoint_url)
        if key not in self._clients:
            self._clients[key] = loopback_client(service, self.endpoint_url, self.keys)
        return self._clients[key]

    def start(self) -> Self:
        """Start and wait until requests are answered; ``TransientError`` says why they are not."""
        if self.running:
            return self
        with tempfile.TemporaryDirectory(prefix="mdm-kinesis-") as scratch:
            ready_file, log = Path(scratch) / "ready.json", self._log or Path(scratch) / "kinesis.log"
            # -P: a module that lies in the folder where the user happens to be is nobody's to import.
            command = [sys.executable, "-P", "-m", __spec__.name, "--port", str(self._port)]
            command += ["--ready-file", str(ready_file)]
            if self._journal_folder is not None:
                command += ["--journal", str(self._journal_folder)]
            environment = os.environ | {
                ACCESS_KEY_VARIABLE: self.keys.access_key_id,
                SECRET_KEY_VARIABLE: self.keys.secret_access_key,
            }
            self._process = spawn(command, log=log, environment=environment, keep_fds=self._keep_fds)
            deadline_s = time.monotonic() + self._start_timeout_s
            while not ready_file.exists():
                if not self.running or time.monotonic() > deadline_s:
                    tail = log_tail(log)
                    self.stop()
                    raise TransientError(f"the local Kinesis API did not start; its log ends with:\n{tail}")
                time.sleep(_POLL_INTERVAL_S)
            self.endpoint_url = orjson.loads(ready_file.read_bytes())["endpoint_url"]
        return self

    def stop(self) -> None:
        """Stop gracefully; the journal is on disk when this returns."""
        if self._process is not None:
            stop_process(self._process, self._stop_timeout_s)
            self._process = None

    def trim(self, stream: str, through: Mapping[str, str], keep_records: int) -> int:
        """Forget records up to a sequence number a shard, but the newest ``keep_records`` of each; return how many."""
        return trim_stream(self.endpoint_url, self.keys, stream, through, keep_records)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def trim_stream(
    endpoint_url: str,
    keys: LoopbackKeys,
    stream: str,
    through: Mapping[str, str],
    keep_records: int,
    *,
    on_disk: bool = False,
) -> int:
    """Forget records up to a sequence number a shard, but the newest ``keep_records`` of each; return how many.

    Numbering goes on as before, so checkpoints stay valid. The journal forgets them when it is worth rewriting it, or,
    with ``on_disk``, before this returns, whatever was trimmed when. ``TransientError`` if the API does not answer.
    """
    request = {"stream": stream, "through": dict(through), "keep_records": keep_records, "on_disk": on_disk}
    try:
        _, answer = signed_post(endpoint_url, keys, TRIM_PATH, orjson.dumps(request), _REQUEST_TIMEOUT_S)
        return int(orjson.loads(answer)["dropped"])
    except (OSError, http.client.HTTPException, orjson.JSONDecodeError, KeyError) as error:
        raise TransientError("the local Kinesis API did not answer a trim") from error


def serve(port: int, journal_folder: Path | None, ready_file: Path | None, keys: LoopbackKeys) -> None:
    """Serve until SIGTERM or SIGINT, then close the journal. Runs in the main thread of its own process.

    On loopback only, and only to requests that are signed with ``keys``.
    """
    from werkzeug.serving import WSGIRequestHandler, make_server  # noqa: PLC0415 - only the server needs moto's stack

    from mdm_stream.local.kinesis.api import JournalledApi  # noqa: PLC0415
    from mdm_stream.local.kinesis.gate import Gate  # noqa: PLC0415
    from mdm_stream.local.kinesis.store import KinesisStore  # noqa: PLC0415

    class _QuietHandler(WSGIRequestHandler):
        # Headers and body leave in separate segments; with Nagle's algorithm the second would wait 40 ms for the
        # acknowledgement of the first.
        disable_nagle_algorithm = True
        timeout = _IDLE_TIMEOUT_S

        def log_request(self, *_args: object) -> None:
            """One line a request would bury the errors."""

    stop_signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stop_signals)  # taken by sigwait below, never in the middle of a request
    store = KinesisStore(journal_folder)
    application = Gate(JournalledApi(store, keys), keys)
    server = make_server("127.0.0.1", port, application, threaded=True, request_handler=_QuietHandler)
    thread = threading.Thread(target=server.serve_forever, args=(_SHUTDOWN_POLL_S,), name="http", daemon=True)
    thread.start()
    if ready_file is not None:
        ready = {"endpoint_url": f"http://127.0.0.1:{server.port}", "pid": os.getpid()}
        write_atomically(ready_file, orjson.dumps(ready))
    signal.sigwait(stop_signals)
    server.shutdown()
    thread.join()
    with store.writing:  # a request that is under way is journalled first
        store.close()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m mdm_stream.local.kinesis.server", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument(
        "--journal", type=Path, help="folder that keeps the streams; without it they are kept in memory"
    )
    parser.add_argument("--ready-file", type=Path, help="written once requests are answered")
    options = parser.parse_args(argv)
    keys = LoopbackKeys(os.environ.get(ACCESS_KEY_VARIABLE, ""), os.environ.get(SECRET_KEY_VARIABLE, ""))
    if not (keys.access_key_id and keys.secret_access_key):
        parser.error(f"set {ACCESS_KEY_VARIABLE} and {SECRET_KEY_VARIABLE}: requests must be signed with them")
    try:
        serve(options.port, options.journal, options.ready_file, keys)
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return _EXIT_CONFIGURATION
    return 0


if __name__ == "__main__":
    sys.exit(main())
