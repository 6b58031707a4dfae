"""The reports of past runs, beside the archive, each as JSON and as a page: newest first in a listing."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from mdm_stream.archive.object_names import domain_folder
from mdm_stream.objects.store import MissingObjectError, ObjectStore
from mdm_stream.reconcile.report import as_html

FOLDER = "reconcile-runs"
"""Where reports lie in the archive's store."""

RUNS_MAX = 400
"""Reports that are kept of one domain: more than a year of nightly runs."""

_DIGITS = 20
_REPORT, _PAGE = ".json", ".html"


class RunHistory:
    """Reports (``job.run_report``) by domain."""

    def __init__(self, store: ObjectStore) -> None:
        """Take the archive's store."""
        self._store = store

    def keep(self, report: Mapping[str, Any]) -> str:
        """Keep a report; return where its page lies. The oldest ones beyond ``RUNS_MAX`` are removed."""
        before = 10**_DIGITS - 1 - int(report["began_us"])
        name = f"{_folder(report['domain'])}run-{before:0{_DIGITS}d}-{secrets.token_hex(4)}"
        self._store.put(f"{name}{_PAGE}", as_html(report).encode())
        self._store.put(f"{name}{_REPORT}", orjson.dumps(report, option=orjson.OPT_INDENT_2))
        old = self._names(report["domain"])[RUNS_MAX:]
        self._store.delete([*old, *(each.removesuffix(_REPORT) + _PAGE for each in old)])
        return self._store.location(f"{name}{_PAGE}")

    def last(self, domain: str) -> dict[str, Any] | None:
        """Return the newest report, if there is any."""
        return next(self.runs(domain, 1), None)

    def runs(self, domain: str, count: int = RUNS_MAX) -> Iterator[dict[str, Any]]:
        """Yield reports, newest first."""
        for name in self._names(domain)[:count]:
            try:
                yield orjson.loads(self._store.get(name))
            except MissingObjectError:
                continue  # another run has removed it meanwhile

    def _names(self, domain: str) -> list[str]:
        return sorted(each.name for each in self._store.list(_folder(domain)) if each.name.endswith(_REPORT))


def _folder(domain: str) -> str:
    return f"{FOLDER}/{domain_folder(domain)}"
