"""The KCL's MultiLangDaemon for the resolve consumer: its properties, its process, and what starts it again.

The daemon is Java, from the jars of amazon_kclpy (extra ``kcl``). It ends with any of its children, and whatever ended
one may pass: so it is started again, a bounded number of times. SIGTERM and SIGINT let it hand its shards over.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import orjson

from consumers.resolve.kcl_settings import KclSettings
from mdm_stream.aws.retry import full_jitter
from mdm_stream.errors import ConfigurationError
from mdm_stream.files import make_folder, open_private
from mdm_stream.metrics.exposition import metrics_endpoint
from mdm_stream.metrics.lines import counted_pipe
from mdm_stream.metrics.totals import MetricTotals
from mdm_stream.settings import ResolveSettings

EXIT_FAULT = 1
STOP_S_MARGIN = 15.0
"""What the daemon gets beyond its own grace before it is killed: Java's end, and the leases that it gives back."""
PROPERTIES_FILE = "kcl.properties"
_POLL_S = 0.1
_LOG = logging.getLogger(__name__)

_ONE_LINE = "[^ !#-Z^-~]"
"""Whatever would need an escape in JSON, and brackets: without a backslash, which Logback's patterns escape by."""
_PATTERN = (
    """{"timestamp":"%d{yyyy-MM-dd'T'HH:mm:ss.SSSX,UTC}","level":"%level","service":"kcl","logger":"%logger{0}","""
    f"""\"message\":\"%replace(%msg){{'{_ONE_LINE}',' '}}\",\"exception\":\"%replace(%ex){{'{_ONE_LINE}',' '}}\"}}%n"""
)
LOG_CONFIGURATION = f"""\
<configuration>
  <appender name="ERR" class="ch.qos.logback.core.ConsoleAppender">
    <target>System.err</target>
    <encoder><pattern>{_PATTERN}</pattern></encoder>
  </appender>
  <!-- Prints what children say once more, beside the lines themselves. -->
  <logger name="software.amazon.kinesis.multilang.DrainChildSTDERRTask" level="OFF"/>
  <!-- Prints whole records, which are personal. -->
  <logger name="software.amazon.kinesis.retrieval.AggregatorUtil" level="OFF"/>
  <!-- A line a batch. -->
  <logger name="software.amazon.kinesis.multilang.MultiLangProtocol" level="WARN"/>
  <root level="INFO"><appender-ref ref="ERR"/></root>
</configuration>
"""
"""The daemon's logging: to stderr alone, in the shape of all log lines, and no record in it."""


def properties_of(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the daemon's properties for the settings in an environment; ``ConfigurationError`` for what is wrong."""
    settings: KclSettings = KclSettings.from_environment(environment)
    stream = settings.stream or ResolveSettings.from_environment(environment).changes_stream
    region = settings.region or environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    if not region:
        raise ConfigurationError("set MDM_KCL_REGION or AWS_REGION: the KCL would read a stream of us-east-1")
    if " " in sys.executable:
        raise ConfigurationError("the KCL starts no program whose path has a space in it: install Python elsewhere")
    properties = {
        "executableName": f"{sys.executable} -m consumers.resolve.kcl",
        "processingLanguage": f"python/{platform.python_version()}",
        "applicationName": settings.application,
        "streamName": stream,
        "regionName": region,
        "AwsCredentialsProvider": "DefaultCredentialsProvider",
        "initialPositionInStream": settings.initial_position,
        "retrievalMode": "POLLING",
        "maxRecords": str(settings.max_records),
        "idleTimeBetweenReadsInMillis": str(settings.idle_ms),
        "callProcessRecordsEvenForEmptyRecordList": "true",  # the children's ticks
        # Else the KCL drops an aggregate of which one key lies outside the shard, as after an uneven split.
        "skipShardSyncAtWorkerInitializationIfLeasesExist": "true",
        "timeoutInSeconds": str(settings.timeout_s),
        "shutdownGraceMillis": str(settings.shutdown_grace_ms),
        "gracefulLeaseHandoffTimeoutMillis": str(settings.shutdown_grace_ms),
        "metricsLevel": settings.metrics_level,
        "kinesisEndpoint": settings.kinesis_endpoint_url,
        "dynamoDBEndpoint": settings.dynamodb_endpoint_url,
        "cloudWatchEndpoint": settings.cloudwatch_endpoint_url,
    }
    return {name: value for name, value in properties.items() if value}


def properties_text(properties: Mapping[str, str]) -> str:
    """Return properties as Java reads them from a file."""
    escaped = {name: value.replace("\\", "\\\\").replace("\n", "\\n") for name, value in properties.items()}
    return "".join(f"{name} = {value}\n" for name, value in escaped.items())


def daemon_command(folder: Path, properties: Mapping[str, str]) -> list[str]:
    """Write the daemon's files into a folder, and return the command that runs it."""
    java = shutil.which("java")
    if java is None:
        raise ConfigurationError("there is no java on PATH: the KCL needs Java 17")
    write_properties(folder, properties)
    with open_private(folder / "logback.xml", "w") as file:
        file.write(LOG_CONFIGURATION)
    emulated = ["-Daws.cborEnabled=false"] if "kinesisEndpoint" in properties else []
    command = [java, *emulated, "-cp", os.pathsep.join(map(str, _jars()))]
    command += ["software.amazon.kinesis.multilang.MultiLangDaemon"]
    command += ["--properties-file", str(folder / PROPERTIES_FILE)]
    return [*command, "--log-configuration", str(folder / "logback.xml")]


def write_properties(folder: Path, properties: Mapping[str, str]) -> None:
    """Write what the daemon reads at its next start."""
    with open_private(folder / PROPERTIES_FILE, "w") as file:
        file.write(properties_text(properties))


def _jars() -> list[Path]:
    spec = importlib.util.find_spec("amazon_kclpy")
    folders = [] if spec is None else [Path(folder) / "jars" for folder in spec.submodule_search_locations or ()]
    found = sorted(jar for folder in folders for jar in folder.glob("*.jar"))
    if not found:
        raise ConfigurationError("the KCL's jars are missing: pip install 'mdm-stream[kcl]'")
    return found


class DaemonSupervisor:
    """Runs a daemon until it is stopped, and again whenever it has ended by itself.

    What is started first in a row of restarts takes over the id of the worker that ended, and with it its leases at
    once: those of another id are assigned anew, for which the KCL may wait two minutes until some worker leads again. A
    daemon that ends once more is followed by a worker of its own, so that leases may move from what fails here.
    """

    def __init__(
        self,
        command: Sequence[str],
        settings: KclSettings,
        name_worker: Callable[[str], None] = lambda _: None,
        log: int | None = None,
    ) -> None:
        """Take the daemon's command, and what sets the id for its next start. ``stop`` may be called by a handler.

        ``log`` is a file descriptor for all that it and its children write: stderr if left out.
        """
        self._log = log
        self._command = command
        self._settings = settings
        self._name_worker = name_worker
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Let the daemon hand its shards over, and ``run`` return."""
        self._stopping.set()

    def run(self) -> int:
        """Return 0 once it was stopped in order, else the exit code of the daemon that ended once too often."""
        in_a_row = 0
        while True:
            if in_a_row != 1:
                self._name_worker(str(uuid.uuid4()))
            begun_s = time.monotonic()
            process = subprocess.Popen(  # noqa: S603 - java and the files that we wrote
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr if self._log is None else self._log,
                stderr=self._log,
                start_new_session=True,  # an interrupt of the terminal reaches us alone, and we stop it in order
            )
            _LOG.info("the KCL daemon runs as process %d", process.pid)
            while process.poll() is None and not self._stopping.wait(_POLL_S):
                pass
            if self._stopping.is_set():
                return self._stopped(process)
            in_a_row = 0 if time.monotonic() - begun_s >= self._settings.steady_s else in_a_row
            code = process.returncode
            if in_a_row >= self._settings.restarts_max:
                _LOG.error("the KCL daemon ended with %d after %d restarts in a row", code, in_a_row)
                return code if code > 0 else EXIT_FAULT
            wait_s = full_jitter(in_a_row, self._settings.restart_ms_base, self._settings.restart_ms_max) / 1_000
            _LOG.warning("the KCL daemon ended with %d; it is started again in %.1f s", code, wait_s)
            in_a_row += 1
            if self._stopping.wait(wait_s):
                return 0

    def _stopped(self, process: subprocess.Popen[bytes]) -> int:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(self._settings.shutdown_grace_ms / 1_000 + STOP_S_MARGIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            _LOG.error("the KCL daemon did not end in time and was killed")
            return EXIT_FAULT
        return 0


def unhealthy(environment: Mapping[str, str], now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> str:
    """Return why the consumer of an environment is not healthy, or an empty text.

    Each shard's process keeps a file while it is at work. A worker without a shard is healthy.
    """
    settings: KclSettings = KclSettings.from_environment(environment)
    if not settings.health_folder:
        raise ConfigurationError("set MDM_KCL_HEALTH_FOLDER: there is nothing to check")
    for file in sorted(Path(settings.health_folder).glob("*.json")):
        try:
            health = orjson.loads(file.read_bytes())
        except FileNotFoundError:  # the shard has just ended
            continue
        silent_s = (now_ms() - health["at_ms"]) / 1_000
        if silent_s > settings.timeout_s:
            return f"{health['shard']}: no sign of life for {silent_s:.0f} s, {health['phase']} before"
    return ""


@contextmanager
def _metrics_offered(settings: KclSettings) -> Iterator[int | None]:
    """Offer metrics while inside where that is asked for, and yield where processes write the log that has them."""
    if settings.metrics_port == 0:
        yield None
        return
    totals = MetricTotals()
    with (
        metrics_endpoint(totals, settings.metrics_port, settings.metrics_address) as url,
        counted_pipe(totals, sys.stderr.buffer) as log,
    ):
        _LOG.info("metrics are at %s", url)
        yield log


def run_daemon(environment: Mapping[str, str]) -> int:
    """Run the daemon for the settings in an environment until SIGTERM or SIGINT, and return the exit code."""
    settings: KclSettings = KclSettings.from_environment(environment)
    if settings.health_folder:
        folder = Path(settings.health_folder)
        make_folder(folder)
        for left_behind in folder.glob("*.json"):
            left_behind.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="mdm-kcl-") as files, _metrics_offered(settings) as log:
        properties = properties_of(environment)
        supervisor = DaemonSupervisor(
            daemon_command(Path(files), properties),
            settings,
            lambda worker: write_properties(Path(files), properties | {"workerId": worker}),
            log,
        )
        before = {each: signal.signal(each, lambda *_: supervisor.stop()) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            return supervisor.run()
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)
