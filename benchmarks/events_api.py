"""The events API on the local stack, a line a figure with its floor: load, outcomes, schemathesis, hostile requests.

    python benchmarks/events_api.py [--only load,hostile,...] [--rate 100] [--seconds 60]

Every 202 must be found golden or rejected with a reason; a caller of another source is refused; no request is a server
error. Exits with 1 if a floor is missed. Latencies count from the moment at which a request was due, not from when a
busy client came to send it.
"""

from __future__ import annotations

import argparse
import http.client
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import local
from typing import Any
from urllib.parse import urlsplit

import orjson
from show import Show
from trees import ROOT

sys.path.insert(0, str(ROOT / "tests" / "support"))

from events_api_server import Client, schemathesis
from events_api_world import upsert
from hostile_requests import Hostile, hostile_requests

from mdm_stream.local.events_api import LocalEventsApi, make_token, start_events_api
from mdm_stream.local.pipeline import start_consumers
from mdm_stream.local.stack import LocalStack

RATE, SECONDS = 100, 60
RATE_FLOOR = 0.99
"""Of the requests that were due, those that were answered within the time."""
P50_MS_MAX, P99_MS_MAX = 100, 1_000
"""On two cores, which the stack's consumers and the clients share."""
CLIENTS = 24
RECORDS = 3_000
SETTLE_S = 120.0
EXAMPLES = 100
HOSTILE_MIN = 50
FAMILIES = ("Lovelace", "King", "Byron", "Somerville", "Babbage", "Hopper")


@contextmanager
def served() -> Iterator[LocalEventsApi]:
    """Run a stack with its API in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="mdm-api-") as name, LocalStack(Path(name) / "state") as stack:
        start_consumers(stack, ["person"])
        yield start_events_api(stack, ["person"])


def caller(api: LocalEventsApi, *sources: str) -> Client:
    """Return a caller that may write some sources."""
    return Client(api.url, make_token(api.key, sources, 3_600))


@dataclass(frozen=True, slots=True)
class Sent:
    """One request of the load: what it should get, what it got, and how long after it was due."""

    wanted: int
    status: int
    took_s: float
    body: Any


class Connections(local):
    """A connection for each thread of the load, kept open."""

    def exchange(self, api: LocalEventsApi, method: str, path: str, body: bytes | None, token: str) -> tuple[int, Any]:
        """Send a request; one more time if the server has closed a connection that was idle."""
        for last in (False, True):
            held = getattr(self, "held", None)
            if held is None:
                held = self.held = http.client.HTTPConnection(urlsplit(api.url).netloc, timeout=60)
            try:
                head = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
                held.request(method, path, body, head)
                answer = held.getresponse()
                return answer.status, orjson.loads(answer.read())
            except (http.client.HTTPException, OSError):
                held.close()
                self.held = None
                if last:
                    raise
        raise AssertionError


def requests_of(count: int) -> list[tuple[int, bytes]]:
    """Return bodies with the status that each should get: mostly good events, some wrong, some of another source."""
    draw = random.Random(11)
    made = []
    for number in range(count):
        record = draw.randrange(RECORDS)
        names = {"given_name": f"Ada{record % 97}", "family_name": FAMILIES[record % len(FAMILIES)]}
        event = upsert(
            f"r{record}", version=number + 1, attributes={**names, "birth_date": f"18{record % 90 + 10}-01-02"}
        )
        kind = draw.random()
        if kind < 0.04:
            made.append((422, orjson.dumps(event | {"op": "shout"})))
        elif kind < 0.06:
            made.append((403, orjson.dumps(event | {"source": "erp"})))
        elif kind < 0.12:
            del event["version"], event["event_time"]
            made.append((422, orjson.dumps(event)))  # the sources of these rules bring versions
        else:
            made.append((202, orjson.dumps(event)))
    return made


def load(show: Show, api: LocalEventsApi, rate: int, seconds: int) -> None:
    """A steady rate; then every accepted event is looked up until its outcome is known."""
    connections, client = Connections(), caller(api, "crm")
    bodies = requests_of(rate * seconds)
    began_s = time.monotonic() + 0.5

    def send(number: int) -> Sent:
        due_s = began_s + number / rate
        time.sleep(max(0.0, due_s - time.monotonic()))
        wanted, body = bodies[number]
        status, answer = connections.exchange(api, "POST", "/v1/events", body, client.token)
        return Sent(wanted, status, time.monotonic() - due_s, answer)

    with ThreadPoolExecutor(CLIENTS) as pool:
        sent = list(pool.map(send, range(len(bodies))))
    lasted_s = time.monotonic() - began_s
    took_ms = sorted(each.took_s * 1_000 for each in sent)
    p50, p99 = statistics.median(took_ms), took_ms[int(len(took_ms) * 0.99)]
    reached = len(sent) / lasted_s
    show.figure("requests/s", f"{reached:.1f}", floor=f"{rate * RATE_FLOOR:g}", holds=reached >= rate * RATE_FLOOR)
    show.figure("p50", f"{p50:.1f} ms", floor=f"under {P50_MS_MAX} ms", holds=p50 < P50_MS_MAX)
    show.figure("p99", f"{p99:.1f} ms", floor=f"under {P99_MS_MAX} ms", holds=p99 < P99_MS_MAX)
    wrong = [each for each in sent if each.status != each.wanted]
    statuses = dict(sorted(Counter(each.status for each in sent).items()))
    show.figure("answers", f"{statuses}, {len(wrong)} not as they should be", floor="0", holds=not wrong)
    outcomes(show, api, [each.body["id"] for each in sent if each.status == 202], client.token)


def outcomes(show: Show, api: LocalEventsApi, ids: list[str], token: str) -> None:
    """Ask for each accepted event until it is applied or rejected."""
    connections, deadline_s = Connections(), time.monotonic() + SETTLE_S

    def settled(event_id: str) -> str:
        while True:
            _, told = connections.exchange(api, "GET", f"/v1/events/{event_id}", None, token)
            state = told.get("state", "unknown")
            if state == "applied" and told["golden"]["golden_id"] is not None:
                return f"applied, {told['effect']}"
            if state == "rejected" and told["reasons"]:
                return state
            if time.monotonic() > deadline_s:
                return f"lost ({state})"
            time.sleep(0.2)

    with ThreadPoolExecutor(8) as pool:
        found = Counter(pool.map(settled, ids))
    lost = sum(count for what, count in found.items() if what.startswith("lost"))
    show.figure(
        "accepted events without an outcome", f"{lost} of {len(ids):,} {dict(found)}", floor="0", holds=not lost
    )


def callers(show: Show, api: LocalEventsApi) -> None:
    """A caller of another source writes nothing, and asks for nothing."""
    posted = caller(api, "crm").post(upsert("own"))[2]["id"]
    other = caller(api, "erp")
    got = [other.post(upsert("own"))[0], other.outcome(posted)[0], Client(api.url, "").post(upsert("own"))[0]]
    show.figure("another source, its outcome, no token", got, floor="[403, 403, 401]", holds=got == [403, 403, 401])


def hostile(show: Show, api: LocalEventsApi) -> None:
    """Each malformed and hostile request is a problem with the right status."""
    requests = hostile_requests()
    wrong = [name for name, each in requests.items() if not answered_right(api, each)]
    done = f"{len(requests) - len(wrong)} of {len(requests)}{', wrong: ' if wrong else ''}{', '.join(wrong)}"
    show.figure(
        "hostile requests that get problem+json with the right status",
        done,
        floor=f"all, and {HOSTILE_MIN} at least",
        holds=not wrong and len(requests) >= HOSTILE_MIN,
    )


def answered_right(api: LocalEventsApi, each: Hostile) -> bool:
    """Send a request over a socket, as it is, and compare."""
    token = make_token(api.key, ("crm",), 3_600) if not each.claims else claiming(api, each.claims)
    named: dict[str, Any] = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    named |= {"content-length": str(len(each.body)), "connection": "close", "host": "api"}
    named |= {name.replace("_", "-"): value for name, value in each.headers.items()}
    lines = [
        name.encode() + b": " + (value if isinstance(value, bytes) else value.encode())
        for name, value in named.items()
        if value is not None
    ]
    path = each.path.encode().replace(b"\r\n", b"%0D%0A")
    path = b"".join(bytes([byte]) if byte < 128 else b"%%%02X" % byte for byte in path)
    request = b" ".join((each.method.encode(), path, b"HTTP/1.1\r\n")) + b"\r\n".join(lines) + b"\r\n\r\n" + each.body
    answer = caller(api, "crm").raw(request)
    head = answer.partition(b"\r\n\r\n")[0]
    # What no HTTP server reads is refused by the server itself: 400 for a path or a head that is too long for it.
    served_by_app = int(head.split()[1]) == each.status or (each.status == 414 and int(head.split()[1]) == 400)
    return served_by_app and b"application/problem+json" in head


def claiming(api: LocalEventsApi, claims: Any) -> str:
    """Return a token with other claims, signed by the stack's key."""
    import base64  # noqa: PLC0415 - for these few alone

    import jwt  # noqa: PLC0415

    from mdm_stream.local.events_api import AUDIENCE, ISSUER, NAME  # noqa: PLC0415

    said = {"iss": ISSUER, "aud": AUDIENCE, "sub": "a", "exp": int(time.time()) + 60, "mdm_sources": ["crm"], **claims}
    key = base64.urlsafe_b64decode(api.key + "=" * (-len(api.key) % 4))
    kept = {name: value for name, value in said.items() if value is not None}
    return jwt.encode(kept, key, algorithm="HS256", headers={"kid": NAME})


def contract(show: Show, api: LocalEventsApi) -> None:
    """Schemathesis over the OpenAPI document."""
    with tempfile.TemporaryDirectory(prefix="mdm-api-") as folder:
        ran = schemathesis(caller(api, "*"), Path(folder), EXAMPLES)
    show.figure(
        "schemathesis: server errors, or answers that the document does not describe",
        f"none in {ran.cases:,} requests" if not ran.code else ran.report[-1_500:],
        floor="none",
        holds=not ran.code and ran.cases > EXAMPLES,
    )


def main() -> int:
    """Run the sections; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=lambda text: text.split(","), default=[])
    parser.add_argument("--rate", type=int, default=RATE, help="requests a second (default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="of load (default: %(default)s)")
    options = parser.parse_args()
    with served() as api:
        return Show().run(
            {
                "load": lambda show: load(show, api, options.rate, options.seconds),
                "callers": lambda show: callers(show, api),
                "hostile": lambda show: hostile(show, api),
                "contract": lambda show: contract(show, api),
            },
            options.only,
        )


if __name__ == "__main__":
    sys.exit(main())
