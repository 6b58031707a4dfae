"""The OpenAPI 3.1 document of the API: paths and answers from the routes, bodies from the wire models.

It needs no AWS, no environment and no rules: what it says holds of every deployment.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from pydantic import BaseModel, TypeAdapter

from mdm_stream.contracts.change import RecordChange
from mdm_stream.contracts.events_api import BatchAnswer, EventAccepted, EventBatch, EventStatus, Problem
from mdm_stream.contracts.schema import opened
from producers.events_api.event_ids import ID_CHARS_MAX
from producers.events_api.idempotency import KEY_CHARS_MAX
from producers.events_api.problems import PROBLEM_JSON
from producers.events_api.routes import BATCH_PATH, RequestOf, add_routes
from producers.events_api.service import EVENTS_PATH, JSON, EventsApi

OPENAPI_VERSION = "3.1.0"
API_VERSION = "1.0.0"
_COMPONENTS = "#/components/schemas/"

_ALWAYS = (401, 403, 431, 500, 503)
_POSTING = (400, 408, 409, 413, 415, 422, 429)
_PROBLEMS: Mapping[int, str] = {
    400: "The body or a header cannot be read.",
    401: "No valid credentials.",
    403: "The caller, or the stream, has no right to this.",
    404: "No event has this id.",
    408: "The body did not arrive in time.",
    409: "A request with this Idempotency-Key is under way.",
    413: "The body is too large, or a batch holds too many events.",
    414: "The path is too long.",
    415: "The body is no application/json, or has a Content-Encoding.",
    422: "The consumer would reject the event, for these reasons; or the Idempotency-Key was used with another body.",
    429: "The change stream takes no more at present.",
    431: "The headers are too large.",
    500: "An unexpected fault.",
    503: "The stream or a store does not answer, or too many requests are under way.",
}
_RETRIABLE = (409, 429, 503)

_Answers = Mapping[int, tuple[str, type[BaseModel]]]
_ROUTES: Mapping[str, tuple[str, str, _Answers, tuple[int, ...]]] = {
    "post_event": (
        "Send one event",
        (
            "The event is judged as the consumer will judge it. 202 says that it is on the change stream, and gives "
            "the id under which its outcome can be asked for. An event with a version and event_time of its own may "
            "be sent again: it changes nothing, and has the same id."
        ),
        {202: ("The event is on the change stream.", EventAccepted)},
        _POSTING,
    ),
    "post_batch": (
        "Send several events",
        "Each event is judged for itself. 202 says that all were accepted, 207 that some were not: items say which.",
        {
            202: ("All events are on the change stream.", BatchAnswer),
            207: ("Some events are not on the change stream; the items say which, and why.", BatchAnswer),
        },
        _POSTING,
    ),
    "get_event": (
        "Find out what became of an event",
        "accepted: it waits on the stream. rejected: it is in quarantine, for the reasons given. applied: it counts.",
        {200: ("What became of the event.", EventStatus)},
        (404, 414),
    ),
}


def openapi_document() -> dict[str, Any]:
    """Return the document."""
    app = APIGatewayRestResolver()
    # Routes are described here, and none is called: there is neither an API nor a request.
    add_routes(app, cast("EventsApi", None), cast("RequestOf", None), documented=_documented)
    schema = app.get_openapi_schema(
        title="mdm-stream events API",
        version=API_VERSION,
        openapi_version=OPENAPI_VERSION,
        description="Change events of source systems, by HTTP onto the change stream.",
    )
    document: dict[str, Any] = schema.model_dump(by_alias=True, exclude_none=True, mode="json")
    document["paths"] = {path.replace("<", "{").replace(">", "}"): item for path, item in document["paths"].items()}
    document["components"] = {"securitySchemes": _security(), "schemas": _schemas()}
    document["security"] = [{"token": []}]
    document["paths"][f"{EVENTS_PATH}/{{event_id}}"]["get"]["parameters"] = [_EVENT_ID]
    for path, model in ((EVENTS_PATH, "RecordChange"), (BATCH_PATH, "EventBatch")):
        operation = document["paths"][path]["post"]
        example = _EXAMPLE if model == "RecordChange" else {"events": [_EXAMPLE]}
        content = {"schema": {"$ref": f"{_COMPONENTS}{model}"}, "example": example}
        operation |= {
            "requestBody": {"content": {JSON: content}, "required": True},
            "parameters": [_IDEMPOTENCY_KEY],
        }
    outcome = {"operationId": "get_event", "parameters": {"event_id": "$response.body#/id"}}
    document["paths"][EVENTS_PATH]["post"]["responses"]["202"]["links"] = {"outcome": outcome}
    return document


_EXAMPLE: dict[str, Any] = {
    "domain": "person",
    "source": "crm",
    "record_id": "c-1",
    "op": "upsert",
    "version": 1,
    "event_time": "2026-01-02T03:04:05Z",
    "attributes": {"given_name": "Ada", "family_name": "Lovelace", "email": "ada@example.org"},
}
_EVENT_ID: dict[str, Any] = {
    "name": "event_id",
    "in": "path",
    "required": True,
    "description": "An id as a 202 gave it.",
    "schema": {"type": "string", "minLength": 1, "maxLength": ID_CHARS_MAX, "pattern": "^[A-Za-z0-9_-]+$"},
}
_IDEMPOTENCY_KEY: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A request that is sent again under its key gets the first answer, and does nothing.",
    "schema": {"type": "string", "minLength": 1, "maxLength": KEY_CHARS_MAX, "pattern": "^[!#-~]+$"},
}


def _documented(route: str) -> Mapping[str, Any]:
    summary, description, answers, problems = _ROUTES[route]
    responses: dict[int, Any] = {
        status: {"description": text, "content": {JSON: {"schema": {"$ref": f"{_COMPONENTS}{model.__name__}"}}}}
        for status, (text, model) in answers.items()
    }
    for status in sorted((*_ALWAYS, *problems)):
        content = {PROBLEM_JSON: {"schema": {"$ref": f"{_COMPONENTS}Problem"}}}
        responses[status] = {"description": _PROBLEMS[status], "content": content}
        if status in _RETRIABLE:
            seconds = {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}
            responses[status]["headers"] = {"Retry-After": seconds}
    return {"summary": summary, "description": description, "operation_id": route, "responses": responses}


def _security() -> dict[str, Any]:
    described = "A JSON Web Token whose claim mdm_sources lists the sources that its bearer may write."
    return {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": described}}


def _schemas() -> dict[str, Any]:
    found: dict[str, Any] = {}
    models: tuple[tuple[str, Any], ...] = (
        ("RecordChange", RecordChange),
        ("EventBatch", EventBatch),
    )
    for name, model in models:
        schema = TypeAdapter(model).json_schema(ref_template=f"{_COMPONENTS}{{model}}", mode="validation")
        found |= schema.pop("$defs", {})
        found[name] = schema
    for answer in (EventAccepted, BatchAnswer, EventStatus, Problem):
        # A caller ignores the members that it does not know, so an answer may be given more of them.
        schema = opened(TypeAdapter(answer).json_schema(ref_template=f"{_COMPONENTS}{{model}}", mode="validation"))
        found |= schema.pop("$defs", {})
        found[answer.__name__] = schema
    return dict(sorted(found.items()))
