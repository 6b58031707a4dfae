"""What starts the KCL's daemon: its properties, its restarts and its end, with other programs in the daemon's place."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import orjson
import pytest
from source_tree import ROOT

from consumers.resolve.kcl_daemon import (
    EXIT_FAULT,
    LOG_CONFIGURATION,
    DaemonSupervisor,
    _metrics_offered,
    daemon_command,
    properties_of,
    properties_text,
    unhealthy,
)
from consumers.resolve.kcl_settings import KclSettings
from mdm_stream.cli.main import run
from mdm_stream.errors import ConfigurationError
from mdm_stream.metrics import emf_document

ENVIRONMENT = {"MDM_KCL_STREAM": "changes", "AWS_REGION": "eu-west-1"}
QUICK = KclSettings.checked(restarts_max=2, restart_ms_base=1, restart_ms_max=2, shutdown_grace_ms=1)


def python(script: str) -> list[str]:
    """Return the command of a script."""
    return [sys.executable, "-c", script]


def test_properties_are_the_settings() -> None:
    """What Java is told is what the environment says; addresses that are empty are left to AWS."""
    found = properties_of(ENVIRONMENT | {"MDM_KCL_MAX_RECORDS": "7", "MDM_KCL_DYNAMODB_ENDPOINT_URL": "http://x:1"})
    assert found["executableName"] == f"{sys.executable} -m consumers.resolve.kcl"
    assert (found["streamName"], found["regionName"], found["applicationName"]) == (
        "changes",
        "eu-west-1",
        "mdm-resolve",
    )
    assert (found["maxRecords"], found["dynamoDBEndpoint"]) == ("7", "http://x:1")
    assert "kinesisEndpoint" not in found
    assert (found["timeoutInSeconds"], found["shutdownGraceMillis"]) == ("900", "30000")


def test_no_aggregate_is_dropped() -> None:
    """The KCL leaves out what it takes for another shard's only if it looks the shard up."""
    assert properties_of(ENVIRONMENT)["skipShardSyncAtWorkerInitializationIfLeasesExist"] == "true"


def test_a_region_has_to_be_named() -> None:
    """The KCL's own default would read a stream of that name elsewhere."""
    with pytest.raises(ConfigurationError, match="MDM_KCL_REGION or AWS_REGION"):
        properties_of({"MDM_KCL_STREAM": "changes"})


def test_properties_are_written_as_java_reads_them() -> None:
    """A backslash is an escape there."""
    assert properties_text({"a": "b\\c", "d": "e"}) == "a = b\\\\c\nd = e\n"


def test_the_daemon_is_java_with_our_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jars of amazon_kclpy, the properties, and a log configuration that keeps records out of the log."""
    jars = tmp_path / "amazon_kclpy" / "jars"
    jars.mkdir(parents=True)
    (jars.parent / "__init__.py").touch()
    (jars / "kcl.jar").touch()
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\n")
    java.chmod(0o700)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    command = daemon_command(tmp_path, {"streamName": "changes"})
    assert command[:3] == [str(java), "-cp", str(jars / "kcl.jar")]
    assert command[-4:] == [
        "--properties-file", str(tmp_path / "kcl.properties"), "--log-configuration", str(tmp_path / "logback.xml"),
    ]  # fmt: skip
    assert (tmp_path / "kcl.properties").read_text() == "streamName = changes\n"
    assert (tmp_path / "logback.xml").read_text() == LOG_CONFIGURATION


def test_without_jars_or_java_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is started."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match="Java 17"):
        daemon_command(tmp_path, {})
    monkeypatch.setattr("consumers.resolve.kcl_daemon.shutil.which", lambda _: "/bin/java")
    monkeypatch.setattr("consumers.resolve.kcl_daemon.importlib.util.find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=r"mdm-stream\[kcl\]"):
        daemon_command(tmp_path, {})


def test_a_daemon_that_ends_is_started_again_and_not_for_ever(tmp_path: Path) -> None:
    """So often in a row as the setting says; then its own code is the supervisor's."""
    starts = tmp_path / "starts"
    script = f"open({str(starts)!r}, 'a').write('x'); raise SystemExit(3)"
    assert DaemonSupervisor(python(script), QUICK).run() == 3
    assert starts.read_text() == "x" * (1 + QUICK.restarts_max)


def test_metrics_of_its_processes_are_offered(capfd: pytest.CaptureFixture[str]) -> None:
    """What daemon and children write, of whichever of its starts, is counted and passed on to the log."""
    line = emf_document("mdm-prod", 1, {"service": "resolve"}, {"Events": 3})
    script = f"import sys; print({orjson.dumps(line).decode()!r}, file=sys.stderr); print('a word'); sys.exit(3)"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = QUICK.model_copy(update={"metrics_port": port})
    with _metrics_offered(settings) as log:
        assert DaemonSupervisor(python(script), settings, log=log).run() == 3
        deadline_s = time.monotonic() + 10
        wanted = 3.0 * (1 + QUICK.restarts_max)
        while f'mdm_stream_events_total{{service="resolve"}} {wanted}' not in (text := _scraped(port)):
            assert time.monotonic() < deadline_s, text
            time.sleep(0.05)
    assert capfd.readouterr().err.count("a word") == 1 + QUICK.restarts_max


def test_metrics_are_offered_to_those_who_ask_for_it() -> None:
    """No port is opened unasked, on loopback alone unless told otherwise; what is no address is refused."""
    assert (KclSettings().metrics_port, KclSettings().metrics_address) == (0, "127.0.0.1")
    with _metrics_offered(KclSettings()) as log:
        assert log is None
    with pytest.raises(ConfigurationError, match="MDM_KCL_METRICS_ADDRESS"):
        KclSettings.from_environment({"MDM_KCL_METRICS_ADDRESS": "example.org"})


def _scraped(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text: str = answer.read().decode()
        return text


def test_a_daemon_that_was_killed_is_a_fault() -> None:
    """A signal is no exit code of ours."""
    script = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert DaemonSupervisor(python(script), QUICK.model_copy(update={"restarts_max": 0})).run() == EXIT_FAULT


def test_the_first_restart_in_a_row_is_the_same_worker() -> None:
    """It goes on with its leases at once; if it ends again they may move, so the next one is another worker."""
    workers: list[str] = []
    assert DaemonSupervisor(python("raise SystemExit(3)"), QUICK, workers.append).run() == 3
    starts = 1 + QUICK.restarts_max
    assert len(set(workers)) == len(workers) == starts - 1


def test_a_worker_that_was_steady_is_followed_by_itself(tmp_path: Path) -> None:
    """Each restart is then the first of its row, however often it ends."""
    starts, workers = tmp_path / "starts", list[str]()
    script = f"""
open({str(starts)!r}, "a").write("x")
if len(open({str(starts)!r}).read()) == 4:
    open({str(tmp_path / "enough")!r}, "w")
"""
    supervisor = DaemonSupervisor(python(script), QUICK.model_copy(update={"steady_s": 0}), workers.append)
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(supervisor.run()))
    thread.start()
    wait_for_file(tmp_path / "enough")
    supervisor.stop()
    thread.join(30)
    assert (codes, len(workers)) == ([0], 1)


def wait_for_file(file: Path) -> None:
    """Wait until a program has made a file."""
    deadline_s = time.monotonic() + 30
    while not file.exists():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_is_passed_on(tmp_path: Path, number: signal.Signals) -> None:
    """The daemon gets SIGTERM and the time to hand its shards over; then the command ends with 0."""
    ready, ended = tmp_path / "ready", tmp_path / "ended"
    script = f"""
import signal, sys, time
def end(*_):
    time.sleep(0.2); open({str(ended)!r}, "w"); sys.exit(143)
signal.signal(signal.SIGTERM, end)
open({str(ready)!r}, "w")
time.sleep(60)
"""
    java, jars = tmp_path / "java", tmp_path / "amazon_kclpy" / "jars"
    java.write_text(f"#!{sys.executable}\n{script}")
    java.chmod(0o700)
    jars.mkdir(parents=True)
    (jars.parent / "__init__.py").touch()
    (jars / "kcl.jar").touch()
    environment = os.environ | ENVIRONMENT
    environment |= {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    command = [sys.executable, "-m", "mdm_stream.cli.main", "kcl"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
    wait_for_file(ready)
    process.send_signal(number)
    assert process.wait(30) == 0, process.stderr.read().decode() if process.stderr else ""
    assert ended.exists()


def test_a_daemon_that_does_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its grace and a margin, which is a fault: its leases run out by themselves."""
    monkeypatch.setattr("consumers.resolve.kcl_daemon.STOP_S_MARGIN", 0.2)
    ready = tmp_path / "ready"
    script = (
        f"import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); open({str(ready)!r}, 'w'); time.sleep(60)"
    )
    supervisor = DaemonSupervisor(python(script), QUICK)
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(supervisor.run()))
    thread.start()
    wait_for_file(ready)
    supervisor.stop()
    thread.join(30)
    assert codes == [EXIT_FAULT]


def test_health_is_a_sign_of_life_of_each_shard(tmp_path: Path) -> None:
    """A shard whose process has been silent for longer than the daemon bears is named; no shard is no fault."""
    environment = {"MDM_KCL_HEALTH_FOLDER": str(tmp_path)}
    assert unhealthy(environment) == ""
    (tmp_path / "a.json").write_bytes(orjson.dumps({"shard": "a", "phase": "done", "at_ms": 1_000_000}))
    (tmp_path / "b.json").write_bytes(orjson.dumps({"shard": "b", "phase": "retrying", "at_ms": 500_000}))
    assert unhealthy(environment, lambda: 1_300_000) == ""
    assert unhealthy(environment, lambda: 1_500_000) == "b: no sign of life for 1000 s, retrying before"


def test_the_command_checks_and_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A container's health check is the command itself; what Java is told can be seen without starting it."""
    for name, value in (ENVIRONMENT | {"MDM_KCL_HEALTH_FOLDER": str(tmp_path)}).items():
        monkeypatch.setenv(name, value)
    assert run(["kcl", "--check"]) == 0
    (tmp_path / "a.json").write_bytes(orjson.dumps({"shard": "a", "phase": "done", "at_ms": 0}))
    with pytest.raises(SystemExit, match="1"):
        run(["kcl", "--check"])
    assert "a: no sign of life" in capsys.readouterr().err
    assert run(["kcl", "--properties"]) == 0
    assert "streamName = changes\n" in capsys.readouterr().out
