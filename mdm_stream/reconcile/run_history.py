"""The reports of past runs, beside the archive: one object a run, newest first in a listing."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from mdm_stream.archive.object_names import domain_folder
from mdm_stream.objects.store import MissingObjectError, ObjectStore

FOLDER = "reconcile-runs"
"""Where reports lie in the archive's store."""

RUNS_MAX = 400
"""Reports that are kept of one domain: more than a year of nightly runs."""

_DIGITS = 20


class RunHistory:
    """Reports (``job.run_report``) by domain."""

    def __init__(self, store: ObjectStore) -> None:
        """Take the archive's store."""
        self._store = store

    def keep(self, report: Mapping[str, Any]) -> str:
        """Keep a report; return its object's name. The oldest ones beyond ``RUNS_MAX`` are removed."""
        before = 10**_DIGITS - 1 - int(report["began_us"])
        name = f"{_folder(report['domain'])}run-{before:0{_DIGITS}d}-{secrets.token_hex(4)}.json"
        self._store.put(name, orjson.dumps(report, option=orjson.OPT_INDENT_2))
        names = sorted(each.name for each in self._store.list(_folder(report["domain"])))
        self._store.delete(names[RUNS_MAX:])
        return name

    def runs(self, domain: str, count: int = RUNS_MAX) -> Iterator[dict[str, Any]]:
        """Yield reports, newest first."""
        names = sorted(each.name for each in self._store.list(_folder(domain)))
        for name in names[:count]:
            try:
                yield orjson.loads(self._store.get(name))
            except MissingObjectError:
                continue  # another run has removed it meanwhile


def _folder(domain: str) -> str:
    return f"{FOLDER}/{domain_folder(domain)}"
