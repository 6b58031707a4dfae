"""Changes of an OpenAPI document: what a caller notices."""

from __future__ import annotations

import copy

import pytest

from mdm_stream.contracts.compatibility import compare_documents

BODY = {
    "type": "object",
    "properties": {"domain": {"type": "string"}, "version": {"type": "integer"}},
    "required": ["domain"],
    "additionalProperties": False,
}
ANSWER = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}
API = {
    "openapi": "3.1.0",
    "info": {"title": "events", "version": "1"},
    "servers": [{"url": "/v1"}],
    "security": [{"jwt": ["events:write"]}, {"iam": []}],
    "components": {
        "schemas": {"Body": BODY, "Answer": ANSWER},
        "securitySchemes": {
            "jwt": {"type": "http", "scheme": "bearer"},
            "iam": {"type": "apiKey", "in": "header", "name": "Authorization"},
        },
        "parameters": {
            "Key": {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string", "maxLength": 64}}
        },
    },
    "paths": {
        "/events": {
            "post": {
                "parameters": [{"$ref": "#/components/parameters/Key"}],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Body"}}}},
                "responses": {
                    "202": {
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Answer"}}},
                        "headers": {"Location": {"schema": {"type": "string"}}},
                    },
                    "429": {"description": "later"},
                },
            }
        },
        "/events/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
            "get": {"responses": {"200": {"content": {"application/json": {"schema": ANSWER}}}}, "security": []},
        },
    },
}


def post(api):
    """Return the operation that most changes are of."""
    return api["paths"]["/events"]["post"]


def changed(change):
    """Return what the comparison finds after a change."""
    api = copy.deepcopy(API)
    change(api)
    return compare_documents({"openapi": API}, {"openapi": api})


def _renamed_path_parameter(api):
    path = api["paths"].pop("/events/{id}")
    path["parameters"][0]["name"] = "event"
    api["paths"]["/events/{event}"] = path


def _inlined(api):
    schema = post(api)["requestBody"]["content"]["application/json"]
    schema["schema"] = BODY


def _renamed_scheme(api):
    schemes = api["components"]["securitySchemes"]
    schemes["token"] = schemes.pop("jwt")
    api["security"][0] = {"token": ["events:write"]}


PARAMETER = {"name": "dry", "in": "query", "schema": {"type": "boolean"}}

BREAKING = {
    "path": (lambda a: a["paths"].pop("/events"), "POST /events", "is removed"),
    "method": (lambda a: a["paths"]["/events/{id}"].pop("get"), "GET /events/{}", "is removed"),
    "address": (lambda a: a["servers"].pop(), "servers", "is removed"),
    "required parameter": (
        lambda a: post(a)["parameters"].append({**PARAMETER, "required": True}),
        "parameter dry in query",
        "new and required",
    ),
    "parameter": (lambda a: post(a)["parameters"].clear(), "parameter idempotency-key in header", "is removed"),
    "parameter required": (
        lambda a: a["components"]["parameters"]["Key"].update(required=True),
        "idempotency-key",
        "is required now",
    ),
    "shorter parameter": (
        lambda a: a["components"]["parameters"]["Key"]["schema"].update(maxLength=9),
        "idempotency-key",
        "maxLength 64 -> 9",
    ),
    "body required": (lambda a: post(a)["requestBody"].update(required=True), "body", "is required now"),
    "body removed": (lambda a: post(a).pop("requestBody"), "body", "is removed"),
    "body narrower": (
        lambda a: a["components"]["schemas"]["Body"]["required"].append("version"),
        "body application/json: version",
        "is required now",
    ),
    "media type": (lambda a: post(a)["requestBody"]["content"].clear(), "application/json", "is removed"),
    "response": (lambda a: post(a)["responses"].pop("429"), "response 429", "is removed"),
    "another success": (lambda a: post(a)["responses"].update({"200": {}}), "response 200", "is new"),
    "answer wider": (
        lambda a: a["components"]["schemas"]["Answer"]["required"].clear(),
        "response 202 application/json: id",
        "is optional now",
    ),
    "header": (lambda a: post(a)["responses"]["202"]["headers"].clear(), "header location", "is removed"),
    "security": (lambda a: a["paths"]["/events/{id}"]["get"].pop("security"), "GET /events/{} security", "stricter"),
    "scope": (lambda a: a["security"][0]["jwt"].append("admin"), "security", "stricter"),
    "one way in less": (lambda a: a["security"].pop(), "security", "stricter"),
    "another scheme": (
        lambda a: a["components"]["securitySchemes"]["jwt"].update(scheme="basic"),
        "security",
        "stricter",
    ),
}

SAFE = {
    "new path": (lambda a: a["paths"].update({"/health": {"get": {"responses": {}}}}), "is new"),
    "new parameter": (lambda a: post(a)["parameters"].append(PARAMETER), "is new"),
    "new field": (lambda a: a["components"]["schemas"]["Body"]["properties"].update(x={}), "is a new field"),
    "field of the answer": (
        lambda a: a["components"]["schemas"]["Answer"]["properties"].update(x={}),
        "is a new field",
    ),
    "failure": (lambda a: post(a)["responses"].update({"413": {}}), "is new"),
    "media type": (lambda a: post(a)["requestBody"]["content"].update({"application/cbor": {}}), "is new"),
    "header": (lambda a: post(a)["responses"]["202"]["headers"].update({"X": {}}), "is new"),
    "way in": (lambda a: a["security"].append({}), "differs"),
    "fewer scopes": (lambda a: a["security"][0]["jwt"].clear(), "differs"),
    "deprecated": (lambda a: post(a).update(deprecated=True), "is deprecated now"),
    "name of a path parameter": (_renamed_path_parameter, ""),
    "schema inlined": (_inlined, ""),
    "name of a scheme": (_renamed_scheme, ""),
    "other words": (lambda a: a["info"].update(title="Events", version="2"), ""),
}


@pytest.mark.parametrize("name", BREAKING)
def test_what_breaks_a_caller_is_caught(name):
    """Requests may only be accepted more widely, answers only be narrower, and nobody may lose access."""
    change, where, what = BREAKING[name]
    broken = [each for each in changed(change) if each.breaks]
    assert any(where in each.where and what in f"{each.what}" for each in broken), broken
    assert {each.verdict for each in broken} == {"breaks_producer"}


@pytest.mark.parametrize("name", SAFE)
def test_what_a_caller_need_not_know_passes(name):
    """It is listed where a caller can notice it, and not at all where none can."""
    change, what = SAFE[name]
    found = changed(change)
    assert [each for each in found if each.breaks] == []
    assert any(what in each.what for each in found) if what else found == []
