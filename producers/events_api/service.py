"""The events API without HTTP's transport: requests in, answers out. It knows neither Lambda nor ASGI."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from mdm_stream.contracts.events_api import BatchAnswer, BatchItem, EventAccepted
from mdm_stream.core.faults import EngineFault
from mdm_stream.errors import TerminalError, TransientError
from producers.events_api.batches import events_of
from producers.events_api.callers import Caller, Callers
from producers.events_api.event_ids import EventIds
from producers.events_api.gate import CheckedEvent, EventGate
from producers.events_api.idempotency import Answer, Idempotency, checked_key
from producers.events_api.outcomes import Outcomes
from producers.events_api.problems import PROBLEM_JSON, RETRIABLE, ProblemError
from producers.events_api.settings import EventsApiSettings
from producers.events_api.stream_writer import StreamWriter

JSON = "application/json"
ACCEPTED, MULTI_STATUS, OK = 202, 207, 200
EVENTS_PATH = "/v1/events"

_LOG = logging.getLogger(__name__)
_JSON_TYPE = re.compile(r"\s*application/json\s*(;\s*charset\s*=\s*\"?utf-8\"?\s*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked. Names of ``headers`` are in lower case. ``context`` is what API Gateway says of the request."""

    headers: Mapping[str, str]
    body: bytes = b""
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What is answered."""

    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class EventsApi:
    """The three routes. Thread safe: its parts are."""

    settings: EventsApiSettings
    callers: Callers
    gate: EventGate
    writer: StreamWriter
    ids: EventIds
    outcomes: Outcomes
    idempotency: Idempotency

    def post_event(self, request: Request) -> HttpAnswer:
        """Put one event on the stream: 202 with its id."""
        return self._answered("post_event", lambda: self._once(request, self._post_one))

    def post_batch(self, request: Request) -> HttpAnswer:
        """Put several events on the stream, each judged for itself: 202 if all were accepted, else 207."""
        return self._answered("post_batch", lambda: self._once(request, self._post_many))

    def get_event(self, request: Request, event_id: str) -> HttpAnswer:
        """Say what became of an event."""
        return self._answered("get_event", lambda: self._get(request, event_id))

    def refusal(self, problem: ProblemError) -> HttpAnswer:
        """Return the answer for a request that no route has seen."""
        return self._refused("none", problem)

    def _answered(self, route: str, work: Callable[[], Answer]) -> HttpAnswer:
        """Do the work of a route, and make a problem of whatever goes wrong. Only names and numbers are logged."""
        try:
            answer = work()
        except ProblemError as problem:
            return self._refused(route, problem)
        except TransientError:
            return self._refused(route, ProblemError("unavailable", "a store or a stream does not answer; come later"))
        except TerminalError as error:
            wrong = ProblemError("unavailable", "the API is not set up right; tell its operator the request_id")
            return self._refused(route, wrong, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, its sender gets an answer
            return self._refused(route, ProblemError("fault", "tell the operator the request_id"), error)
        headers = self._headers(retry=not answer.final)
        if route == "post_event":
            headers["Location"] = f"{EVENTS_PATH}/{answer.body['id']}"
        return HttpAnswer(answer.status, JSON, orjson.dumps(answer.body), headers)

    def _refused(self, route: str, problem: ProblemError, fault: Exception | None = None) -> HttpAnswer:
        request_id = str(uuid.uuid4())
        if fault is None:
            _LOG.info("events API: %s: %s, request %s", route, problem.code, request_id)
        else:
            _LOG.error("events API: %s: %s, request %s", route, EngineFault.of(fault), request_id)
        headers = {**self._headers(retry=problem.code in RETRIABLE), **problem.headers}
        body = problem.problem(request_id).model_dump_json(exclude_none=True).encode()
        return HttpAnswer(problem.status, PROBLEM_JSON, body, headers)

    def _headers(self, *, retry: bool) -> dict[str, str]:
        headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        return {**headers, "Retry-After": str(self.settings.api_retry_after_s)} if retry else headers

    def _once(self, request: Request, post: Callable[[Request, Caller], Answer]) -> Answer:
        caller = self.callers.identify(request.context, request.headers)
        _require_json(request)
        key = request.headers.get("idempotency-key")
        if key is None:
            return post(request, caller)
        route = post.__name__
        return self.idempotency.once(
            f"{route} {checked_key(key)}", caller.name, request.body, lambda: post(request, caller)
        )

    def _post_one(self, request: Request, caller: Caller) -> Answer:
        checked = self.gate.check(request.body, caller)
        (outcome,) = self._posted([checked])
        if isinstance(outcome, ProblemError):
            raise outcome
        return Answer(ACCEPTED, EventAccepted(id=outcome).model_dump())

    def _post_many(self, request: Request, caller: Caller) -> Answer:
        if len(request.body) > self.settings.api_batch_bytes_max:
            raise ProblemError("too_large", f"a batch has at most {self.settings.api_batch_bytes_max:,} bytes")
        judged: list[CheckedEvent | ProblemError] = []
        for raw in events_of(request.body, self.settings.api_batch_events_max):
            try:
                judged.append(self.gate.check(raw, caller))
            except ProblemError as problem:
                judged.append(problem)
        outcomes = iter(self._posted([each for each in judged if isinstance(each, CheckedEvent)]))
        items = [
            _item(index, next(outcomes) if isinstance(each, CheckedEvent) else each)
            for index, each in enumerate(judged)
        ]
        accepted = sum(item.id is not None for item in items)
        answer = BatchAnswer(accepted=accepted, refused=len(items) - accepted, items=items)
        final = not any(item.problem is not None and item.problem.code in RETRIABLE for item in items)
        status = ACCEPTED if not answer.refused else MULTI_STATUS
        return Answer(status, answer.model_dump(exclude_none=True), final)

    def _posted(self, events: list[CheckedEvent]) -> list[str | ProblemError]:
        """Return the id of each event, or why it is not on the stream."""
        places = self.writer.write([(each.partition_key, each.raw) for each in events])
        return [
            place if isinstance(place, ProblemError) else self.ids.seal(self.gate.posted(event, place))
            for event, place in zip(events, places, strict=True)
        ]

    def _get(self, request: Request, event_id: str) -> Answer:
        caller = self.callers.identify(request.context, request.headers)
        event = self.ids.open(event_id)
        if event is None:
            raise ProblemError("unknown_event", "no event of this API has this id")
        source = event.ref.partition("/")[0]
        if caller.grant.sources is not None and source not in caller.grant.sources:
            raise ProblemError("not_authorised", "the event is of a source that this caller may not write")
        status = self.outcomes.of(event_id, event)
        if status is None:
            raise ProblemError("unknown_event", "the domain of this event is not among the rules any more")
        unknown = {name for name in ("effect", "golden") if getattr(status, name) is None}
        return Answer(OK, status.model_dump(exclude=unknown))


def _item(index: int, outcome: str | ProblemError) -> BatchItem:
    if isinstance(outcome, ProblemError):
        return BatchItem(index=index, status=outcome.status, problem=outcome.problem())
    return BatchItem(index=index, status=ACCEPTED, id=outcome)


def _require_json(request: Request) -> None:
    if _JSON_TYPE.fullmatch(request.headers.get("content-type", "")) is None:
        raise ProblemError("unsupported_media_type", "send Content-Type: application/json, in UTF-8")
    if request.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise ProblemError("unsupported_media_type", "send the body as it is, without a Content-Encoding")
