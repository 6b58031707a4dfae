"""Spans as a collector gets them: by OTLP over HTTP, without a value, and never in a batch's way."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from otlp_receiver import OtlpReceiver
from source_tree import ROOT

from mdm_stream.aws.loopback import LoopbackKeys, loopback_environment
from mdm_stream.telemetry.otel import span_backends
from mdm_stream.telemetry.otlp import PAUSE_S, OtlpSpans
from mdm_stream.telemetry.spans import BackendSpans

PLACE = {"shard": "shardId-000000000000", "first": "5", "last": "9", "records": 5}


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[OtlpReceiver]:
    """A collector, which the environment names."""
    with OtlpReceiver() as running:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.endpoint)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "5")
        yield running


def spans_to(receiver: OtlpReceiver, **more: str) -> BackendSpans:
    """Return spans by the settings of an environment."""
    return BackendSpans(*span_backends("resolve", {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint, **more}))


def test_a_batch_arrives_as_one_request(receiver: OtlpReceiver) -> None:
    """Stages under their batch, with places and counts, and whose they are."""
    spans = spans_to(receiver, MDM_DEPLOYMENT="mdm-test")
    with spans.batch("resolve", PLACE) as note:
        with spans.stage("read"), spans.stage("score"):
            pass
        note({"changes": 3})
    assert receiver.requests == 1
    by_name = {span.name: span for span in receiver.spans}
    assert set(by_name) == {"resolve", "read", "score"}
    assert by_name["score"].parent_id == by_name["read"].span_id
    assert by_name["read"].parent_id == by_name["resolve"].span_id
    assert by_name["resolve"].parent_id == b""
    found = by_name["resolve"].attributes
    assert found.items() >= {"mdm.shard": PLACE["shard"], "mdm.first": "5", "mdm.records": 5, "mdm.changes": 3}.items()
    assert found["mdm.stages.read_times"] == 1
    resource = by_name["resolve"].resource
    assert (resource["service.name"], resource["deployment.environment.name"]) == ("resolve", "mdm-test")


def test_of_an_error_the_type_arrives(receiver: OtlpReceiver) -> None:
    """No text, as an event or as a status; and no fact that may be a value."""
    spans = spans_to(receiver)
    facts = {"shard": "Wilhelmina Quist"}
    with pytest.raises(ValueError, match="Wilhelmina"), spans.batch("resolve", facts), spans.stage("commit"):
        raise ValueError("Wilhelmina")
    assert [(span.name, span.is_error, span.status_text, span.events) for span in receiver.spans] == [
        ("commit", True, "", 0),
        ("resolve", True, "", 0),
    ]
    assert receiver.spans[0].attributes == {"error.type": "ValueError"}
    assert b"Wilhelmina" not in receiver.take()


def test_a_collector_that_refuses_is_left_alone_for_a_while(receiver: OtlpReceiver) -> None:
    """Its batch is done; the next ones do not ask; then they do again."""
    now_s = [0.0]
    spans = BackendSpans(OtlpSpans({}, monotonic_s=lambda: now_s[0]))
    receiver.status = 400
    for _ in range(3):
        with spans.batch("resolve", {}):
            pass
    assert receiver.requests == 1
    receiver.status, now_s[0] = 200, PAUSE_S + 1
    with spans.batch("resolve", {}):
        pass
    assert receiver.requests == 2


def test_a_silent_collector_costs_its_time_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """It accepts connections, and no more."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.5")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        spans, begun_s = BackendSpans(OtlpSpans({})), time.monotonic()
        for _ in range(3):
            with spans.batch("resolve", {}):
                pass
    assert time.monotonic() - begun_s < 5


def test_nothing_is_sent_that_may_outlast_the_invocation(receiver: OtlpReceiver) -> None:
    """A function answers before its time is up, and its spans are lost."""
    spans = spans_to(receiver)
    spans.within(lambda: 1.0)
    with spans.batch("resolve", {}):
        pass
    assert receiver.requests == 0
    spans.within(lambda: 60.0)
    with spans.batch("resolve", {}):
        pass
    assert [span.name for span in receiver.spans] == ["resolve"]


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
    ],
)
def test_without_an_endpoint_no_library_is_loaded(environment: dict[str, str]) -> None:
    """Nor with one that is not to be used, or not by this protocol."""
    script = "import os, sys; from mdm_stream.telemetry.otel import span_backends; "
    script += "print(span_backends('resolve', os.environ), 'opentelemetry' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout.split() == ["()", "False"]


def test_consumers_of_the_local_stack_get_the_variables() -> None:
    """Its environment is made anew, and what is for AWS alone is left out of it."""
    inherited = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "MDM_DEPLOYMENT": "x", "AWS_PROFILE": "mine"}
    made = loopback_environment("http://127.0.0.1:1", LoopbackKeys.new(), inherited)
    assert made.items() >= {name: inherited[name] for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "MDM_DEPLOYMENT")}.items()
    assert "AWS_PROFILE" not in made


def test_a_process_without_the_extra_says_so_and_goes_on() -> None:
    """Its host may have the variables for others."""
    script = "import logging, sys; sys.modules['opentelemetry'] = None; "
    script += "from importlib import util; util.find_spec = lambda name: None; "
    script += "from mdm_stream.telemetry import otel; otel.find_spec = util.find_spec; logging.basicConfig(); "
    script += "print(otel.span_backends('resolve', {'OTEL_EXPORTER_OTLP_ENDPOINT': 'http://127.0.0.1:1'}))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.strip() == "()"
    assert "pip install 'mdm-stream[otel]'" in done.stderr
