"""What a web page tries: in a real Chromium, from other origins, against the ports of a running stack.

Each attempt is JavaScript that runs in a page and returns what the page got to see; a name that the attacker's DNS
server would give for 127.0.0.1 is mapped in the browser.
"""

from __future__ import annotations

import http.server
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
PAGE_HOST, REBOUND_HOST = "pages.example", "rebound.example"
GUARDS = "LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests,PrivateNetworkAccessSendPreflights"
"""What newer browsers put before this machine by themselves: switched off, since not every browser has it."""

ATTEMPT_MS = 8_000
SETTLE_MS = 200
PAGE = "<!doctype html><body>a page of another origin"

AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/kinesis/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature=" + "0" * 64
)
HELPERS = """
const call = async (base, action, body) => (await fetch(base + '/', {method: 'POST', body: JSON.stringify(body),
  headers: {'X-Amz-Target': 'Kinesis_20131202.' + action, 'Content-Type': 'application/x-amz-json-1.1',
   'Authorization': %s, 'X-Amz-Date': '20260101T000000Z'}}));
const said = async (answer) => answer.type + ' ' + answer.status + ' ' + await answer.text();
const SHARD = 'shardId-000000000000';
const EVENT = JSON.stringify({domain: 'person', source: 'crm', record_id: 'theirs', op: 'delete', version: 1});
const TRIM = JSON.stringify({stream: 'mdm-changes', through: {[SHARD]: '9999999', 'shardId-000000000001': '9999999'},
  keep_records: 0, on_disk: true});
const form = (url, name, value, type) => { const f = document.createElement('form'); f.method = 'POST'; f.action = url;
  f.enctype = type; const i = document.createElement('input'); i.name = name; i.value = value; f.append(i);
  const t = document.createElement('iframe'); t.name = 't' + Math.random(); document.body.append(t); f.target = t.name;
  document.body.append(f); f.submit(); return new Promise((done) => { t.onload = () => done('form sent'); setTimeout(
  () => done('form sent'), 1500); }); };
const socketed = (url) => new Promise((done) => { const s = new WebSocket(url); s.onopen = () => { s.send('PING'); };
  s.onmessage = (m) => done('message ' + m.data); s.onerror = () => done('refused');
  setTimeout(() => done('silent'), 3000); });
""" % json.dumps(AUTHORIZATION)  # noqa: UP031 - braces are JavaScript's

HTTP: dict[str, str] = {
    "read the dashboard": "await said(await fetch(T + '/moto-api/data.json'))",
    "list the streams": "await said(await call(T, 'ListStreams', {}))",
    "read the change stream": "await said(await call(T, 'GetRecords', {ShardIterator: (await (await call(T, "
    "'GetShardIterator', {StreamName: 'mdm-changes', ShardId: SHARD, ShardIteratorType: 'TRIM_HORIZON'})).json())"
    ".ShardIterator}))",
    "publish": "await said(await call(T, 'PutRecord', {StreamName: 'mdm-changes', Data: 'e30=', PartitionKey: 'k'}))",
    "make a stream": "await said(await call(T, 'CreateStream', {StreamName: 'theirs', ShardCount: 1}))",
    "make a bucket": "await said(await fetch(T + '/theirs', {method: 'PUT'}))",
    "list the buckets": "await said(await fetch(T + '/'))",
    "forget records": "await said(await fetch(T + '/mdm-local/trim', {method: 'POST', body: TRIM, headers: "
    "{'Content-Type': 'application/json'}}))",
}
"""What a page does by fetch, where it may: from another origin, or from one that DNS has made the stack's own."""

DESTRUCTION: dict[str, str] = {
    "delete the feed": "await said(await call(T, 'DeleteStream', {StreamName: 'mdm-golden'}))",
    "reset, no-cors": "await said(await fetch(T + '/moto-api/reset', {method: 'POST', mode: 'no-cors', body: 'x'}))",
    "reset, form": "await form(T + '/moto-api/reset', 'a', 'b', 'application/x-www-form-urlencoded')",
    "reset": "await said(await fetch(T + '/moto-api/reset', {method: 'POST'}))",
}
"""The same, in the end: after it there is nothing left to read."""

UNASKED: dict[str, str] = {
    "publish, no-cors": "await said(await fetch(T + '/?X-Amz-Target=Kinesis_20131202.PutRecord', {method: 'POST', "
    "mode: 'no-cors', body: JSON.stringify({StreamName: 'mdm-changes', Data: 'e30=', PartitionKey: 'k'})}))",
    "read the dashboard, no-cors": "await said(await fetch(T + '/moto-api/data.json', {mode: 'no-cors'}))",
    "forget records, no-cors": "await said(await fetch(T + '/mdm-local/trim', {method: 'POST', mode: 'no-cors', "
    "body: TRIM}))",
    "forget records, beacon": "String(navigator.sendBeacon(T + '/mdm-local/trim', TRIM))",
    "forget records, form": "await form(T + '/mdm-local/trim', TRIM.slice(0, -1) + ',\"x\":\"', '\"}', 'text/plain')",
    "publish, form": 'await form(T + \'/\', \'{"StreamName":"mdm-changes","Data":"e30=","PartitionKey":"\', \'"}\', '
    "'text/plain')",
    "upload, form": "await form(T + '/theirs', 'key', 'x', 'multipart/form-data')",
    "image": "await new Promise((done) => { const i = new Image(); i.onload = () => done('loaded'); i.onerror = () => "
    "done('refused'); i.src = T + '/moto-api/seed?a=1'; })",
    "script": "await new Promise((done) => { const s = document.createElement('script'); s.onload = () => "
    "done('loaded'); s.onerror = () => done('refused'); s.src = T + '/moto-api/data.json'; document.body.append(s); })",
    "web socket": "await socketed(T.replace('http', 'ws') + '/')",
}
"""What a page may send without being allowed to."""

REDIS: dict[str, str] = {
    "redis by form": "await form(T + '/', '\\r\\nSET theirs 1\\r\\n', '\\r\\nKEYS *\\r\\n', 'text/plain')",
    "redis by fetch": "await said(await fetch(T + '/', {method: 'POST', mode: 'no-cors', "
    "body: '\\r\\nSET theirs 1\\r\\n'}))",
    "redis by web socket": "await socketed(T.replace('http', 'ws') + '/')",
}


EVENTS: dict[str, str] = {
    "post an event, no-cors": "await said(await fetch(T + '/v1/events', {method: 'POST', mode: 'no-cors', "
    "body: EVENT}))",
    "post an event": "await said(await fetch(T + '/v1/events', {method: 'POST', body: EVENT, headers: "
    "{'Content-Type': 'application/json', 'Authorization': 'Bearer a.b.c'}}))",
    "post an event, form": "await form(T + '/v1/events', EVENT.slice(0, -1) + ',\"x\":\"', '\"}', 'text/plain')",
    "ask for an outcome": "await said(await fetch(T + '/v1/events/AAAA'))",
}
"""What a page may try at the events API, which asks for a token that no page has."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one attempt brought the page."""

    name: str
    text: str

    @property
    def is_answer(self) -> bool:
        """Whether the page could see an answer that is no refusal."""
        kind, _, rest = self.text.partition(" ")
        return (kind in {"basic", "cors", "default"} and rest[:1] in {"2", "3"}) or self.text.startswith("message")


def attempts(kinesis_port: int, ports: list[int], after_each: Callable[[Seen], Any]) -> None:
    """Try everything, and call ``after_each`` with what the page saw after each attempt, before the next."""
    from playwright.sync_api import Error, sync_playwright  # noqa: PLC0415 - a browser is not everywhere

    with _served_page() as page_port, sync_playwright() as playwright:
        rules = f"MAP {PAGE_HOST} 127.0.0.1, MAP {REBOUND_HOST} 127.0.0.1"
        arguments = [
            "--no-sandbox",
            "--no-proxy-server",
            f"--host-resolver-rules={rules}",
            f"--disable-features={GUARDS}",
        ]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        try:
            page = browser.new_page()
            page.set_default_timeout(ATTEMPT_MS)
            # A page of theirs, loaded while the name still meant their own server.
            page.route(f"http://{REBOUND_HOST}:{kinesis_port}/page", _fulfil)
            statuses: list[int] = []
            page.on("response", lambda answer: statuses.append(answer.status))
            for place, url, base, scripts in _plan(kinesis_port, ports, page_port):
                for name, script in scripts.items():
                    page.goto(url)
                    after_each(Seen(f"{place}: {name}", _run(page, base, script)))
            for path in ("/", "/moto-api/", "/mdm-changes", "/latest/meta-data/"):
                page.goto(f"http://{PAGE_HOST}:{page_port}/")
                statuses.clear()
                with suppress(Error):  # an answer that is no page is downloaded, and the browser stays where it was
                    page.goto(f"http://127.0.0.1:{kinesis_port}{path}")
                page.wait_for_timeout(SETTLE_MS)
                after_each(Seen(f"navigation: {path}", f"basic {statuses[0] if statuses else 'none'}"))
        finally:
            browser.close()


def _plan(kinesis_port: int, ports: list[int], page_port: int) -> Iterator[tuple[str, str, str, dict[str, str]]]:
    stack = f"http://127.0.0.1:{kinesis_port}"
    yield "other origin", f"http://{PAGE_HOST}:{page_port}/", stack, UNASKED | HTTP
    yield "other port of this machine", f"http://127.0.0.1:{page_port}/", f"http://localhost:{kinesis_port}", HTTP
    yield "sandboxed page", f"http://{PAGE_HOST}:{page_port}/sandboxed", stack, HTTP
    yield "DNS rebinding", f"http://{REBOUND_HOST}:{kinesis_port}/page", "", HTTP
    yield "DNS rebinding", f"http://{REBOUND_HOST}:{kinesis_port}/page", "", DESTRUCTION
    yield "other origin", f"http://{PAGE_HOST}:{page_port}/", stack, DESTRUCTION
    for port in ports:
        yield f"port {port}", f"http://{PAGE_HOST}:{page_port}/", f"http://127.0.0.1:{port}", REDIS | EVENTS


def _fulfil(route: Any) -> None:
    route.fulfill(status=200, content_type="text/html", body=PAGE)


def _run(page: Any, base: str, script: str) -> str:
    """Run a script in the page; what it throws is what a browser says of an answer that the page may not see."""
    attempt = f"(async () => {{ {HELPERS} const T = {json.dumps(base)}; return String({script}); }})()"
    code = f"() => Promise.race([{attempt}, new Promise((done) => setTimeout(() => done('silent'), {ATTEMPT_MS}))])"
    try:
        text = str(page.evaluate(code))
    except Exception as error:  # noqa: BLE001 - whatever the browser says of it, the page saw nothing
        text = f"refused: {type(error).__name__}"
    page.wait_for_timeout(SETTLE_MS)
    return text


@contextmanager
def _served_page() -> Iterator[int]:
    """Serve an empty page as an attacker's site would; ``/sandboxed`` has no origin."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            if self.path == "/sandboxed":
                self.send_header("Content-Security-Policy", "sandbox allow-scripts allow-forms")
            self.end_headers()
            self.wfile.write(PAGE.encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
