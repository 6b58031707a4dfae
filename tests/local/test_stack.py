"""Supervisor and stack: processes that crash, hang and are killed, and state that survives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from source_tree import ROOT

from mdm_stream.errors import ConfigurationError, TerminalError, TransientError
from mdm_stream.local.event_source.mapping import EventSource
from mdm_stream.local.servers.processes import ChildSpec, Supervisor
from mdm_stream.local.stack import ConsumerSpec, LocalStack, StackOptions

HERE = ROOT / "tests" / "support"


def consumer(name: str, function: str, stream: str = "mdm-changes", **extra) -> ConsumerSpec:
    """Return a consumer that calls one of the handlers in the support modules."""
    environment = {"PYTHONPATH": str(HERE)} | extra.pop("environment", {})
    return ConsumerSpec(name, f"local_handlers:{function}", stream, environment=environment, **extra)


def recorder(tmp_path, stream="mdm-changes", **extra) -> ConsumerSpec:
    """Return a consumer that writes down what it is given."""
    return consumer("record", "record", stream, environment={"SEEN_FILE": str(tmp_path / "seen")}, **extra)


def seen(tmp_path) -> list[str]:
    """Return what the recorder has written down."""
    path = tmp_path / "seen"
    return path.read_text().split() if path.exists() else []


def put(stack: LocalStack, numbers: range, stream: str = "mdm-changes") -> None:
    """Put numbers on a stream, each under its own key."""
    records = [{"Data": str(n).encode(), "PartitionKey": f"k{n}"} for n in numbers]
    stack.kinesis.client().put_records(StreamName=stream, Records=records)


def wait_for(condition, timeout_s: float = 20.0) -> None:
    """Wait until a condition holds."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "it did not happen in time"
        time.sleep(0.02)


def test_supervisor_restarts_what_crashes_and_reports_what_cannot_run(tmp_path):
    """A killed child comes back under a new pid; one that ends with a final code is reported with its log."""
    with Supervisor(tmp_path) as supervisor:
        supervisor.start(ChildSpec("sleeper", [sys.executable, "-c", "import time; time.sleep(60)"]))
        first = supervisor.pid("sleeper")
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: supervisor.restarts("sleeper") == 1)
        assert supervisor.pid("sleeper") != first
        supervisor.check()
        supervisor.start(ChildSpec("broken", [sys.executable, "-c", "import sys; sys.exit('no such setting') or 1"],
                                   final_exit_codes=frozenset({1})))  # fmt: skip
        with pytest.raises(TerminalError, match="no such setting"):
            wait_for(supervisor.check)


def test_supervisor_kills_what_will_not_stop(tmp_path):
    """A child that ignores SIGTERM is killed after its time; nothing is left behind."""
    script = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    )
    supervisor = Supervisor(tmp_path)
    supervisor.start(ChildSpec("deaf", [sys.executable, "-c", script], stop_timeout_s=0.3))
    wait_for(lambda: "deaf" in (tmp_path / "deaf.log").read_text())
    pid = supervisor.pid("deaf")
    started_s = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - started_s < 5
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_records_flow_through_consumers_to_the_golden_stream(tmp_path):
    """Consumers call unchanged handlers; wait_idle returns when the last stream is consumed to its end."""
    with LocalStack(tmp_path / "state") as stack:
        stack.start_consumer(consumer("forward", "forward"))
        stack.start_consumer(recorder(tmp_path, "mdm-golden", event_source=EventSource(batch_size=10), tick_s=0.3))
        put(stack, range(40))
        stack.wait_idle(30)
        assert sorted(set(seen(tmp_path)) - {"tick"}, key=int) == [str(n) for n in range(40)]
        wait_for(lambda: "tick" in seen(tmp_path))
        wait_for(lambda: stack.consumer_status("forward").get("records") == 40)
        assert '{"function": "forward"}' in (tmp_path / "state" / "logs" / "forward.log").read_text()
        with pytest.raises(ConfigurationError, match=f"process {os.getpid()}"):
            LocalStack(tmp_path / "state").start()
    with LocalStack(tmp_path / "state") as stack:
        stack.start_consumer(recorder(tmp_path, "mdm-golden"))
        stack.wait_idle(10)
        put(stack, range(40, 45), "mdm-golden")
        stack.wait_idle(10)
    assert sorted(int(n) for n in seen(tmp_path) if n != "tick") == list(range(45))


def test_killed_consumer_comes_back_and_loses_nothing(tmp_path):
    """A consumer that is killed is started again by itself, and every record is delivered."""
    with LocalStack(tmp_path / "state") as stack:
        stack.start_consumer(recorder(tmp_path, event_source=EventSource(batch_size=5)))
        for start in range(0, 60, 20):
            put(stack, range(start, start + 20))
            os.kill(stack.consumer_pid("record"), signal.SIGKILL)
            wait_for(lambda done=start // 20: stack.consumer_restarts("record") > done)
        stack.wait_idle(30)
        assert {int(n) for n in seen(tmp_path)} == set(range(60))
        stack.start_consumer(consumer("wrong", "missing"))
        with pytest.raises(TerminalError, match="cannot be imported"):
            wait_for(stack.check)


def test_a_replaced_consumer_is_followed_by_another_one_at_its_checkpoint(tmp_path):
    """A deployment stops the one, starts the other under the same name, and every record is delivered."""
    with LocalStack(tmp_path / "state") as stack:
        stack.start_consumer(recorder(tmp_path))
        put(stack, range(20))
        stack.wait_idle(30)
        before = stack.consumer_pid("record")
        spec = stack.consumer("record")
        stack.replace_consumer(replace(spec, event_source=EventSource(batch_size=3)))
        assert stack.consumer_pid("record") != before
        with pytest.raises(ProcessLookupError):
            os.kill(before, 0)
        put(stack, range(20, 40))
        stack.wait_idle(30)
        assert stack.consumer_restarts("record") == 0
    assert sorted(int(n) for n in seen(tmp_path)) == list(range(40))


def test_state_survives_sigkill_of_everything(tmp_path):
    """Accepted records and Redis' data outlive SIGKILL of the stack and its servers, and are then delivered."""
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from mdm_stream.local.stack import LocalStack\n"
        "stack = LocalStack(Path(sys.argv[1])).start()\n"
        "stack.redis.client().set('kept', 'yes')\n"
        "records = [{'Data': str(n).encode(), 'PartitionKey': str(n)} for n in range(50)]\n"
        "stack.kinesis.client().put_records(StreamName='mdm-changes', Records=records)\n"
        "print(stack.redis.pid, stack.kinesis.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "state")], stdout=subprocess.PIPE) as parent:
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        for pid in (*pids, parent.pid):
            os.kill(pid, signal.SIGKILL)
    with LocalStack(tmp_path / "state") as stack:
        assert stack.redis.client().get("kept") == b"yes"
        stack.start_consumer(recorder(tmp_path))
        stack.wait_idle(30)
        assert {int(n) for n in seen(tmp_path)} == set(range(50))


def test_positions_of_a_lost_stream_are_not_kept(tmp_path):
    """When the Kinesis data are deleted, the new streams are read from their start."""
    state = tmp_path / "state"
    with LocalStack(state) as stack:
        stack.start_consumer(recorder(tmp_path))
        put(stack, range(20))
        stack.wait_idle(30)
    (state / "kinesis" / "journal.jsonl").unlink()
    with LocalStack(state) as stack:
        stack.start_consumer(recorder(tmp_path))
        put(stack, range(20, 25))
        stack.wait_idle(30)
    assert {int(n) for n in seen(tmp_path)} == set(range(25))


def test_done_records_are_trimmed(tmp_path):
    """What all consumers are past goes, down to the records that are kept; unread streams are left alone."""
    options = StackOptions(streams={"mdm-changes": 1, "mdm-golden": 1}, keep_records=5)
    with LocalStack(tmp_path / "state", options) as stack:
        stack.start_consumer(recorder(tmp_path))
        put(stack, range(30))
        put(stack, range(30), "mdm-golden")
        stack.wait_idle(30)
        assert stack.trim() == 25
        put(stack, range(30, 33))
        stack.wait_idle(30)
        os.kill(stack.kinesis.pid, signal.SIGKILL)
        with pytest.raises(TransientError, match="Kinesis API has stopped"):
            wait_for(stack.check)
    assert [int(n) for n in seen(tmp_path)] == list(range(33))


def test_a_state_folder_is_its_owners_alone_or_refused_in_a_sentence(tmp_path):
    """What was published is personal; where no folder can be made, or nothing written, the error names the place."""
    with LocalStack(tmp_path / "state") as stack:
        assert stack.state_dir.stat().st_mode & 0o077 == 0
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot make the state folder"):
        LocalStack(tmp_path / "file" / "state").start()
    (tmp_path / "other" / "lock").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match="cannot write to the state folder"):
        LocalStack(tmp_path / "other").start()


def test_an_open_state_folder_is_closed_and_a_shared_one_refused(tmp_path, caplog):
    """Both are said; where others could have written nothing is started."""
    state = tmp_path / "state"
    state.mkdir()
    (state / "notes").write_text("")
    state.chmod(0o755)
    before = os.umask(0)
    try:
        with LocalStack(state) as stack:
            assert "was open to other users" in caplog.text
            stack.start_consumer(recorder(tmp_path))
            put(stack, range(3))
            stack.wait_idle(30)
            open_to_others = [path for path in state.rglob("*") if path.lstat().st_mode & 0o077]
        assert open_to_others == []
    finally:
        os.umask(before)
    state.chmod(0o777)
    with pytest.raises(ConfigurationError, match="is refused: other users can write to it"):
        LocalStack(state).start()
    assert not (state / "stack.json").exists()


def test_a_module_in_the_current_folder_is_not_run(tmp_path, monkeypatch):
    """Where others can write, as in /tmp, they could leave one that bears the name of a library."""
    for name in ("orjson", "boto3", "mdm_stream"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('theirs was run')")
    monkeypatch.chdir(tmp_path)
    with LocalStack(tmp_path / "state") as stack:
        stack.start_consumer(recorder(tmp_path))
        put(stack, range(3))
        stack.wait_idle(30)
        assert stack.consumer_restarts("record") == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="command lines are read from Linux' process table")
def test_a_stacks_secrets_are_in_no_file_log_or_command_line(tmp_path):
    """Its processes have them in their environment, which other users cannot see."""
    with LocalStack(tmp_path / "state") as stack:
        stack.start_consumer(recorder(tmp_path))
        put(stack, range(3))
        stack.wait_idle(30)
        secret = stack.kinesis.keys.secret_access_key.encode()
        files = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
        assert [path for path in files if secret in path.read_bytes()] == []
        for pid in (stack.redis.pid, stack.kinesis.pid, stack.consumer_pid("record")):
            assert secret not in Path(f"/proc/{pid}/cmdline").read_bytes()
