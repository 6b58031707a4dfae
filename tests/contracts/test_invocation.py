"""Every handler tells a schedule's tick alike, and says of what it does not know that it is none of its own."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from source_tree import ROOT

from consumers.lambda_kinesis import serve as serve_stream
from mdm_stream.contracts.invocation import UnknownInvocationError, is_tick
from mdm_stream.local.event_source.mapping import schedule_event
from producers.files.events import UnreadableEventError, drops_in
from producers.files.serve import serve as serve_files

ARN = "arn:aws:kinesis:eu-west-1:123456789012:stream/changes"
RULE = {
    "version": "0",
    "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "account": "123456789012",
    "time": "2026-01-01T00:00:00Z",
    "region": "eu-west-1",
    "resources": ["arn:aws:events:eu-west-1:123456789012:rule/mdm-tick"],
    "detail": {},
}
"""As AWS documents the scheduled event of a rule."""
SCHEDULER = {**RULE, "source": "aws.scheduler", "detail": "{}"}
TICKS = [RULE, SCHEDULER, schedule_event(ARN, 0.0), {"source": "mdm.schedule"}]
SQS = {"Records": [{"messageId": "1", "body": "{}", "eventSource": "aws:sqs"}]}
OTHERS: list[dict[str, Any]] = [
    {},
    {"source": "aws.events"} | {"detail-type": "Object Created"},
    {"source": "aws.ec2", "detail-type": "Scheduled Event"},
    {"source": "aws.s3", "detail-type": "Object Created", "detail": {}},
    {"key": "a test event of the console"},
]


def never(*_: Any) -> None:
    """What must not be called."""
    pytest.fail("it was taken for what it is not")


@pytest.mark.parametrize("event", TICKS)
def test_a_tick_is_a_tick(event):
    """Whichever kind of schedule sends it, to a consumer and to the gatekeeper of files."""
    ticks: list[str] = []
    assert is_tick(event)
    assert serve_stream(event, never, lambda: ticks.append("tick")) == {"batchItemFailures": []}
    assert ticks == ["tick"]


@pytest.mark.parametrize("event", [*OTHERS, SQS, {"Records": None}, {"Records": [{}]}])
def test_a_consumer_refuses_what_is_no_batch_of_a_stream(event):
    """It does nothing then: what was sent is not lost as a tick, and Lambda counts an error."""
    with pytest.raises(UnknownInvocationError, match="batches of a Kinesis stream"):
        serve_stream(event, never, never)


def test_the_end_of_a_window_without_records_is_done():
    """Lambda invokes so at the end of a tumbling window."""
    assert serve_stream({"Records": [], "isFinalInvokeForWindow": True}, never, never) == {"batchItemFailures": []}


@pytest.mark.parametrize("event", [event for event in OTHERS if event.get("source") != "aws.s3"])
def test_the_gatekeeper_of_files_refuses_what_tells_of_no_object(event):
    """A rule of EventBridge that sends too much shows; a deletion is no drop, and no mistake."""
    assert not is_tick(event)
    with pytest.raises(UnreadableEventError, match="S3"):
        drops_in({**event, "detail-type": event.get("detail-type", "Instance Stopped")} if event else event)


HANDLERS = sorted(path for folder in ("consumers", "producers") for path in (ROOT / folder).rglob("*handler.py"))


@pytest.mark.parametrize("path", HANDLERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_handler_tells_ticks_by_itself(path):
    """Each asks the one function, or a ``serve`` that does."""
    names = {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}
    assert names & {"is_tick", "serve"}
    assert serve_files.__globals__["is_tick"] is serve_stream.__globals__["is_tick"] is is_tick
    assert not {"aws.events", "aws.scheduler"} & {
        node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)
    }
