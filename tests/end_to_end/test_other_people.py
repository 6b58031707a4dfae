"""What other people can do to a running local stack: ``benchmarks/other_people.py``, which anybody can run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mdm_stream.local.servers.children import spawn, stop_process

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="ports are found in the tables of Linux"),
]

PAGE_ATTEMPTS_MIN = 50
USER_ATTEMPTS_MIN = 200


@pytest.fixture(scope="module")
def people():
    """The module of the attempts, which lies beside the benchmarks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        import other_people  # noqa: PLC0415 - found only now

        yield other_people


@pytest.fixture(scope="module")
def stack(people):
    """A running ``mdm-stream up`` whose user has thought of nothing, in a place that everybody can reach."""
    with people.running_stack() as running:
        yield running


def test_no_page_of_another_origin_reads_or_writes(people, stack):
    """By fetch, form, beacon, image, socket and navigation, from another origin, a sandbox, and by DNS rebinding."""
    found = people.from_pages(stack)
    if found.skipped:
        pytest.skip(found.skipped)
    assert (found.reads, found.writes) == ([], [])
    assert found.attempts >= PAGE_ATTEMPTS_MIN


def test_no_other_user_reads_or_writes(people, stack):
    """Every port, socket, file and folder of the stack and of results, and every process, tried under another uid."""
    found = people.as_another_user(stack)
    if found.skipped:
        pytest.skip(found.skipped)
    assert (found.reads, found.writes) == ([], [])
    assert found.attempts >= USER_ATTEMPTS_MIN


def test_nothing_of_the_stack_listens_beside_its_apis(stack):
    """Two ports, and Redis is none of them: what a form post could reach is not there."""
    assert stack.ports() == sorted([stack.port, stack.events_api_port])


def test_the_attempts_would_be_seen(people, stack, tmp_path):
    """A file that is left open, a port that answers and a change in the stack are each found by the same eyes."""
    if people.as_another_user(stack).skipped:
        pytest.skip("only root can become another user")
    left_open = stack.state.parent / "left-open"
    left_open.write_text("x")
    left_open.chmod(0o666)
    script = (
        "import http.server, sys\n"
        "class Open(http.server.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        self.send_response(200); self.end_headers()\n"
        "server = http.server.HTTPServer(('127.0.0.1', 0), Open)\n"
        "print(server.server_port, flush=True)\n"
        "server.serve_forever()\n"
    )
    log = tmp_path / "log"
    server = spawn([sys.executable, "-c", script], log=log)
    try:
        while not log.read_text().strip():
            pass
        port = int(log.read_text())
        open_too = people.Stack(stack.state, server.pid, stack.said, stack.keys)
        assert open_too.ports() == [port]
        found = people.as_another_user(open_too)
        assert {f"read {left_open}", f"port {port}: GET /"} <= set(found.reads)
        assert f"write to {left_open}" in found.writes
    finally:
        stop_process(server, 5)
        left_open.unlink()
    before = stack.contents()
    stack._kinesis.put_record(StreamName="mdm-changes", Data=b"{}", PartitionKey="k")
    after = stack.contents()
    assert people._changed(before, after)
    assert any(name.startswith("record mdm-changes") for name in after.keys() - before.keys())
