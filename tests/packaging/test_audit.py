"""The audit fails for a known vulnerability, and not for a network that is away."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from source_tree import ROOT

pytestmark = [pytest.mark.downloads, pytest.mark.timeout(600)]


class Advisories(BaseHTTPRequestHandler):
    """A database in which PyYAML alone has an advisory."""

    def do_POST(self) -> None:
        """Answer one question about one release."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = asked["package"]["name"].lower()
        ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "999"}]}]
        affected = {"package": {"name": name, "ecosystem": "PyPI"}, "versions": [asked["version"]], "ranges": ranges}
        known = {"id": "TEST-2026-1", "details": "a test", "published": "2026-01-01T00:00:00Z", "affected": [affected]}
        content = json.dumps({"vulns": [known]} if name == "pyyaml" else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def audit(url: str) -> subprocess.CompletedProcess[str]:
    """Run the audit against a database."""
    command = [sys.executable, str(ROOT / ".ci" / "audit"), "--osv-url", url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    if "no package index" in done.stdout:
        pytest.skip("no package index can be reached")
    return done


def test_a_finding_fails_and_names_what_mends_it():
    """Each lock file with the vulnerable package says so, those without do not, and the exit code is 1."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Advisories) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        done = audit("http://{}:{}".format(*server.server_address))
        server.shutdown()
    assert done.returncode == 1, done.stderr
    assert "  pyyaml 6.0.3: TEST-2026-1, mended in 999" in done.stdout
    assert "lambda-warehouse: " in done.stdout
    assert "packages, 0 known vulnerabilities" in done.stdout


def test_a_network_that_is_away_is_no_finding():
    """Where the database does not answer, the audit says that nothing is known, and ends with 0."""
    done = audit("http://127.0.0.1:1")
    assert done.returncode == 0, done.stderr
    assert "the database of advisories cannot be reached, so nothing is known" in done.stdout
