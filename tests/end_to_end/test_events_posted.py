"""The events API on the local stack, as its callers have it: posted, found golden, refused, tried by schemathesis."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest
from end_state import settle, wait_for
from events_api_server import Client, schemathesis
from events_api_world import upsert
from source_tree import ROOT

from mdm_stream.aws.loopback import loopback_environment
from mdm_stream.cli.main import run
from mdm_stream.deployment import RunningStack, write_stack
from mdm_stream.local.events_api import LocalEventsApi, make_token, start_events_api
from mdm_stream.local.pipeline import start_consumers
from mdm_stream.local.stack import CHANGES_STREAM, GOLDEN_STREAM, STEWARD_STREAM, LocalStack
from mdm_stream.rules import load_ruleset

EXAMPLES = 15
"""Of schemathesis a route and phase: `make show-files` tries more."""
PAGE = ROOT / "docs" / "guide" / "events-api.md"
SECRETS = (b"Ada", b"Lovelace", b"given-secret", b"Bearer", b"eyJ")
"""What no log may hold: values, and tokens."""


@dataclass(slots=True)
class World:
    """A stack with its API."""

    stack: LocalStack
    api: LocalEventsApi

    @property
    def state(self) -> Path:
        """The state folder."""
        return self.stack.state_dir

    def client(self, *sources: str) -> Client:
        """A caller that may write some sources."""
        return Client(self.api.url, make_token(self.api.key, sources, 3_600))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A stack as `up` starts it."""
    with LocalStack(tmp_path_factory.mktemp("api") / "state") as stack:
        start_consumers(stack, ["person"])
        api = start_events_api(stack, ["person"])
        running = RunningStack(
            kinesis_endpoint_url=stack.kinesis.endpoint_url,
            changes_stream=CHANGES_STREAM,
            golden_stream=GOLDEN_STREAM,
            steward_stream=STEWARD_STREAM,
            redis_url=stack.redis.url,
            warehouse="",
            rules=("person",),
            keys=stack.kinesis.keys,
            events_api_url=api.url,
            events_api_key=api.key,
        )
        write_stack(stack.state_dir, running)
        yield World(stack, api)


def test_every_accepted_event_is_found_golden_or_rejected_with_a_reason(world: World) -> None:
    """Alone, in batches, stale, deleted, without a version of their own, and of a source that an operator holds."""
    client = world.client("crm", "erp", "held")
    code = run(
        ["source", "hold", "held", "--reason", "a bad export", "--domain", "person", "--state", str(world.state)]
    )
    assert code == 0
    ids = [client.post(upsert(f"r{n}", version=n + 1))[2]["id"] for n in range(5)]
    ids += [item["id"] for item in client.batch([upsert(f"b{n}", "erp") for n in range(20)])[2]["items"]]
    newer = client.post(upsert("r0", version=9))[2]["id"]
    deleted = client.post(upsert("r1", version=9, op="delete", attributes=None))[2]["id"]
    held = [client.post(upsert("h", "held"))[2]["id"], client.post(upsert("h2", "held", event_time=None))[2]["id"]]
    settle(world.stack, load_ruleset("person"))
    found = {each: client.outcome(each)[2] for each in (*ids, newer, deleted, *held)}
    assert {found[each]["state"] for each in (*ids, newer, deleted)} == {"applied"}
    assert [found[each]["effect"] for each in ids[:3]] == ["superseded", "superseded", "standing"]
    golden = {found[each]["golden"]["golden_id"] for each in (*ids[2:], newer)}
    assert None not in golden
    assert found[deleted]["golden"]["golden_id"] is None
    wait_for(lambda: all(client.outcome(each)[2]["state"] == "rejected" for each in held))
    assert [client.outcome(each)[2]["reasons"][0]["code"] for each in held] == ["source_held", "source_held"]


def test_a_request_under_a_key_is_done_once_on_the_real_cache(world: World) -> None:
    """The answers are kept in the stack's Redis, whatever thread or process asks."""
    client = world.client("crm")
    answers = [client.post(upsert("once", version=n, event_time=None), Idempotency_Key="k")[0] for n in (1, 1, 2)]
    assert answers == [202, 202, 422]


def test_callers_write_their_own_sources_alone(world: World) -> None:
    """Another source, another stack's token, no token at all."""
    posted = world.client("crm").post(upsert("own"))[2]["id"]
    assert world.client("erp").post(upsert("own"))[0] == 403
    assert world.client("erp").outcome(posted)[0] == 403
    other = Client(world.api.url, make_token("A" * 43, ("crm",), 3_600))
    assert (other.post(upsert("own"))[0], Client(world.api.url, "").post(upsert("own"))[0]) == (401, 401)


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET /v1/events/a HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 60_000 + b"\r\n\r\n", 431),
        (b"GET /v1/events/a HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 70_000, 400),
        (b"GET /v1/events/%00%ff%2e%2e%2f HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 404),
        (b"POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n", 400),
        (b"POST http://other/v1/events HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 404),
    ],
)
def test_what_is_hardly_http_is_a_problem_too(world: World, request_bytes: bytes, status: int) -> None:
    """The server's own refusals have the form of the application's."""
    answer = world.client("crm").raw(request_bytes)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert int(head.split()[1]) == status
    assert b"application/problem+json" in head
    assert b"urn:mdm-stream:problem:" in body


def test_schemathesis_finds_no_server_error(world: World, tmp_path: Path) -> None:
    """Nor an answer that the document does not describe."""
    ran = schemathesis(world.client("crm"), tmp_path, EXAMPLES)
    assert ran.code == 0, ran.report
    assert ran.cases > 100


def test_the_pages_commands_do_what_the_page_says(world: World) -> None:
    """Each shell example of the guide is run; what it prints is what the page tells."""
    first, second, third = re.findall(r"```sh\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    state = f"mdm-stream() {{ '{sys.executable}' -m mdm_stream.cli.main \"$@\" --state '{world.state}'; }}\n"
    environment = loopback_environment(world.stack.kinesis.endpoint_url, world.stack.kinesis.keys, {})
    path = {"PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin", "HOME": str(world.state)}

    def shell(script: str) -> bytes:
        command = ["bash", "-euc", state + script]
        done = subprocess.run(command, env=environment | path, capture_output=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    posted = orjson.loads(shell(first))
    assert posted["state"] == "accepted"
    settle(world.stack, load_ruleset("person"))
    found = orjson.loads(shell(first.partition("curl")[0] + f"id={posted['id']}\n" + second))
    assert (found["state"], found["golden"]["golden_id"] is None) == ("applied", False)
    items = orjson.loads(shell(first.partition("curl")[0] + third))["items"]
    assert [item.get("problem", {}).get("code") for item in items] == [None, "not_authorised"]


def test_the_log_holds_no_value_and_no_token(world: World) -> None:
    """After all of this, and after a start again, which keeps the ids of events."""
    client = world.client("crm")
    posted = client.post(upsert("given-secret"))[2]["id"]
    client.post(upsert("given-secret", op="given-secret"))
    logs = b"".join(path.read_bytes() for path in (world.state / "logs").glob("events-api.log"))
    assert not [each for each in SECRETS if each in logs]
    world.stack._supervisor.end("events-api")
    world.api = start_events_api(world.stack, ["person"])
    assert Client(world.api.url, client.token).outcome(posted)[0] == 401
    assert world.client("crm").outcome(posted)[2]["id"] == posted
