"""The OpenAPI document: whole, the same each time, and made of the models that requests and answers are made of."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import orjson
import pytest
from events_api_world import ApiWorld, upsert
from pydantic import TypeAdapter
from source_tree import ROOT

from mdm_stream.contracts.change import RecordChange
from producers.events_api.openapi import openapi_document
from producers.events_api.problems import PROBLEM_STATUSES

DOCUMENT = openapi_document()
ROUTES = [(path, method) for path, item in DOCUMENT["paths"].items() for method in item]
HEAVY = ("pandas", "moto", "duckdb", "snowflake", "pyarrow", "uvicorn", "rich", "click")


def references(node: Any) -> set[str]:
    """All that a part of the document refers to."""
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*(references(value) for value in node.values()))
    return set().union(*map(references, node)) if isinstance(node, list) else set()


def test_the_document_is_whole_and_the_same_each_time() -> None:
    """Every reference leads to a schema, every schema is referred to, and it is of OpenAPI 3.1."""
    assert DOCUMENT["openapi"].startswith("3.1")
    assert openapi_document() == DOCUMENT
    named = {name.removeprefix("#/components/schemas/") for name in references(DOCUMENT)}
    assert named == set(DOCUMENT["components"]["schemas"])


def test_each_route_is_in_it_with_its_problems() -> None:
    """The three routes, and no status that no problem has."""
    assert sorted(ROUTES) == [("/v1/events", "post"), ("/v1/events/{event_id}", "get"), ("/v1/events:batch", "post")]
    for path, method in ROUTES:
        statuses = {int(status) for status in DOCUMENT["paths"][path][method]["responses"]}
        assert {status for status in statuses if status >= 400} <= set(PROBLEM_STATUSES)
        assert {401, 403, 500, 503} <= statuses


def test_its_examples_are_accepted(tmp_path) -> None:
    """What a reader copies out of it works."""
    world = ApiWorld(tmp_path)
    for path in ("/v1/events", "/v1/events:batch"):
        example = DOCUMENT["paths"][path]["post"]["requestBody"]["content"]["application/json"]["example"]
        assert world.call("POST", path, orjson.dumps(example).replace(b"2026-01-02T", b"2026-01-01T")).status == 202


def test_its_schema_of_an_event_is_the_wire_models() -> None:
    """A producer in another language that goes by either sends the same."""
    own = TypeAdapter(RecordChange).json_schema(ref_template="#/components/schemas/{model}")
    assert own["oneOf"] == DOCUMENT["components"]["schemas"]["RecordChange"]["oneOf"]


@pytest.mark.parametrize(
    ("body", "status", "model"),
    [(upsert(), "202", "EventAccepted"), (upsert(op="shout"), "422", "Problem")],
)
def test_an_answer_has_the_members_that_it_names(tmp_path, body, status, model) -> None:
    """No member that the document does not have, and all that it requires."""
    reply = ApiWorld(tmp_path).post(body)
    schema = DOCUMENT["components"]["schemas"][model]
    assert str(reply.status) == status
    assert set(schema["required"]) <= reply.body.keys() <= schema["properties"].keys()


def test_it_needs_no_environment_and_no_client_of_aws() -> None:
    """`contracts` prints it anywhere; and the function loads nothing heavy at its cold start."""
    script = "import sys, producers.events_api.build; from producers.events_api.openapi import openapi_document; "
    script += "openapi_document(); print(*({n.partition('.')[0] for n in sys.modules} & set(sys.argv[1:])))"
    command = [sys.executable, "-c", script, *HEAVY]
    done = subprocess.run(command, cwd=ROOT, env={}, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout.split()) == (0, []), done.stderr


def test_the_entry_point_is_thin() -> None:
    """All that can be tested without Lambda is elsewhere."""
    lines = (ROOT / "producers" / "events_api" / "handler.py").read_text("utf-8").splitlines()
    assert len(lines) < 40
    assert not [line for line in lines if re.match(r"\s*(if|while|try|def _)\b", line)]
