"""What a change of an OpenAPI 3 document means to callers: requests are consumed, responses are produced."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mdm_stream.contracts.compatibility.branches import SchemaReader, text_of
from mdm_stream.contracts.compatibility.findings import ContractChange, breaking, safe
from mdm_stream.contracts.compatibility.schemas import ComparedPlace, Direction, SchemaComparison

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_REQUEST: Direction = "consumed"
_RESPONSE: Direction = "produced"


def openapi_findings(name: str, old: SchemaReader, new: SchemaReader) -> Iterator[ContractChange]:
    """Yield what changed between two OpenAPI documents. ``UncomparableError``."""
    comparison = SchemaComparison(old, new)
    addresses = [{each.get("url") for each in reader.root.get("servers", [])} for reader in (old, new)]
    if not addresses[0] <= addresses[1]:
        yield breaking("producer", name, "servers", "an address is removed", "callers of it reach nothing")
    before, after = (_operations(reader) for reader in (old, new))
    for key in sorted({*before, *after}):
        if key not in after:
            yield breaking("producer", name, _title(key), "is removed", "a caller gets 404 or 405")
        elif key not in before:
            yield safe(name, _title(key), "is new", "nothing was said of it before")
        else:
            yield from _ApiOperation(name, _title(key), comparison, (old, before[key]), (new, after[key])).findings()


class _ApiOperation:
    """One method of one path in both documents."""

    def __init__(
        self,
        document: str,
        title: str,
        comparison: SchemaComparison,
        old: tuple[SchemaReader, Mapping[str, Any]],
        new: tuple[SchemaReader, Mapping[str, Any]],
    ) -> None:
        self._document, self._title, self._comparison = document, title, comparison
        (self._old, self._before), (self._new, self._after) = old, new

    def findings(self) -> Iterator[ContractChange]:
        """Yield what changed of the operation."""
        yield from self._of_security()
        yield from self._of_parameters()
        yield from self._of_body()
        yield from self._of_responses()
        if self._after.get("deprecated") and not self._before.get("deprecated"):
            yield safe(self._document, self._title, "is deprecated now", "it does what it did")

    def _of_security(self) -> Iterator[ContractChange]:
        before, after = _security(self._old, self._before), _security(self._new, self._after)
        strict = [each for each in before if not any(_satisfies(each, other) for other in after)]
        if strict:
            yield self._breaks("security", "is stricter", "who had access may have none")
        elif before != after:
            yield safe(self._document, f"{self._title} security", "differs", "who had access has it still")

    def _of_parameters(self) -> Iterator[ContractChange]:
        before, after = _parameters(self._old, self._before), _parameters(self._new, self._after)
        for key in sorted({*before, *after}):
            where = f"parameter {key[1]} in {key[0]}"
            if key not in after:
                yield self._breaks(where, "is removed", "what it asked for is not heeded")
                continue
            required = bool(after[key].get("required"))
            if key not in before:
                if required:
                    yield self._breaks(where, "is new and required", "a request without it is refused")
                else:
                    yield safe(self._document, f"{self._title} {where}", "is new", "it may be left out")
                continue
            if required and not before[key].get("required"):
                yield self._breaks(where, "is required now", "a request without it is refused")
            yield from self._of_schema(where, _REQUEST, before[key], after[key])

    def _of_body(self) -> Iterator[ContractChange]:
        before = self._old.followed(self._before.get("requestBody"))
        after = self._new.followed(self._after.get("requestBody"))
        if before is None and after is None:
            return
        if after is None:
            yield self._breaks("body", "is removed", "what a caller sends is not heeded")
        elif after.get("required") and not (before or {}).get("required"):
            yield self._breaks("body", "is required now", "a request without one is refused")
        elif before is None:
            yield safe(self._document, f"{self._title} body", "is new", "it may be left out")
        if before is not None and after is not None:
            yield from self._of_content("body", _REQUEST, before, after)

    def _of_responses(self) -> Iterator[ContractChange]:
        before, after = self._before.get("responses", {}), self._after.get("responses", {})
        for code in sorted({*before, *after}):
            where = f"response {code}"
            if code not in after:
                yield self._breaks(where, "is removed", "a caller that waits for it waits in vain")
            elif code not in before:
                yield self._added_response(where, code)
            else:
                old, new = self._old.followed(before[code]), self._new.followed(after[code])
                yield from self._of_content(where, _RESPONSE, old, new)
                yield from self._of_headers(where, old, new)

    def _added_response(self, where: str, code: str) -> ContractChange:
        if code.startswith(("2", "3")):
            return self._breaks(where, "is new", "a caller may take another success for a failure")
        return safe(self._document, f"{self._title} {where}", "is new", "callers treat a code by its first digit")

    def _of_headers(self, where: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[ContractChange]:
        before, after = ({name.lower(): each for name, each in side.get("headers", {}).items()} for side in (old, new))
        for name in sorted({*before, *after}):
            if name not in after:
                yield self._breaks(f"{where} header {name}", "is removed", "who reads it finds it no more")
            elif name not in before:
                yield safe(self._document, f"{self._title} {where} header {name}", "is new", "callers may ignore it")
            else:
                headers = self._old.followed(before[name]), self._new.followed(after[name])
                yield from self._of_schema(f"{where} header {name}", _RESPONSE, *headers)

    def _of_content(
        self, where: str, direction: Direction, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Iterator[ContractChange]:
        before, after = old.get("content", {}), new.get("content", {})
        for kind in sorted({*before, *after}):
            if kind not in after:
                yield self._breaks(f"{where} {kind}", "is removed", "the media type is offered or accepted no more")
            elif kind not in before:
                yield safe(self._document, f"{self._title} {where} {kind}", "is new", "a further media type")
            else:
                yield from self._of_schema(f"{where} {kind}", direction, before[kind], after[kind])

    def _of_schema(
        self, where: str, direction: Direction, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Iterator[ContractChange]:
        side = ComparedPlace(self._document, f"{self._title} {where}", direction, "producer")
        yield from self._comparison.findings(side, old.get("schema", True), new.get("schema", True))

    def _breaks(self, where: str, what: str, why: str) -> ContractChange:
        return breaking("producer", self._document, f"{self._title} {where}", what, why)


def _operations(reader: SchemaReader) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the operations by path and method, with the parameters of the path; a parameter's name does not count."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for path, listed in reader.root.get("paths", {}).items():
        item = reader.followed(listed)
        for method in _METHODS:
            if method in item:
                shared = item.get("parameters", [])
                operation = item[method]
                both = [*shared, *operation.get("parameters", [])]
                found[re.sub(r"\{[^}]*\}", "{}", path), method] = {**operation, "parameters": both, "path": path}
    return found


def _title(key: tuple[str, str]) -> str:
    return f"{key[1].upper()} {key[0]}"


def _parameters(reader: SchemaReader, operation: Mapping[str, Any]) -> dict[tuple[str, str], Mapping[str, Any]]:
    """Return parameters by place and name; those of the path by their number in it, as callers do not see the name."""
    in_path = re.findall(r"\{([^}]*)\}", operation["path"])
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for listed in operation["parameters"]:
        each = reader.followed(listed)
        name = each["name"].lower() if each["in"] == "header" else each["name"]
        if each["in"] == "path" and name in in_path:
            name = str(in_path.index(name) + 1)
        found[each["in"], name] = each
    return found


def _security(reader: SchemaReader, operation: Mapping[str, Any]) -> list[dict[str, frozenset[str]]]:
    """Return the ways in: for each, what of every scheme is needed. A scheme is known by what it is, not by name."""
    listed = operation.get("security", reader.root.get("security", [])) or [{}]
    schemes = reader.root.get("components", {}).get("securitySchemes", {})
    return [
        {_scheme_text(reader, schemes.get(name, name)): frozenset(scopes) for name, scopes in each.items()}
        for each in listed
    ]


def _scheme_text(reader: SchemaReader, scheme: Any) -> str:
    followed = reader.followed(scheme)
    if isinstance(followed, Mapping):
        followed = {name: value for name, value in followed.items() if name != "description"}
    return text_of(followed).decode()


def _satisfies(had: Mapping[str, frozenset[str]], needed: Mapping[str, frozenset[str]]) -> bool:
    return all(scheme in had and scopes <= had[scheme] for scheme, scopes in needed.items())
