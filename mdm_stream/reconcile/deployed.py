"""A reconciliation of a deployment, for the command and the job on Glue: they differ in where Spark comes from."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from mdm_stream.core.canonical import digest_of
from mdm_stream.deployment import Deployment, as_url
from mdm_stream.errors import ConfigurationError
from mdm_stream.index.redis.scan import open_scanner
from mdm_stream.objects.store import MissingObjectError, ObjectStore
from mdm_stream.reconcile.bookmark import bookmark_of, is_unchanged
from mdm_stream.reconcile.folded_states import ArchiveAt
from mdm_stream.reconcile.job import JobOptions, LiveSides, Run, reconcile, run_report
from mdm_stream.reconcile.report import as_html
from mdm_stream.reconcile.run_history import RunHistory
from mdm_stream.reconcile.workspace import StageProgress, Workspace

if TYPE_CHECKING:
    from mdm_stream.core.ruleset import Ruleset
    from mdm_stream.warehouse import Warehouse

LOCK_WAIT_MS = 5_000
"""How long the local warehouse's file is waited for."""

RESUME_S = 12 * 3_600
"""How old the tables of a job that was killed may be to be gone on with: what was archived since is folded anew by each
comparison, and not compared."""

_BEGUN = "begun.json"


def rules_of(rulesets: Mapping[str, Ruleset], domains: Sequence[str]) -> dict[str, Ruleset]:
    """Return the rule sets of some domains, or all if none is named; ``ConfigurationError`` for an unknown one."""
    if unknown := sorted(set(domains) - rulesets.keys()):
        raise ConfigurationError(f"the rules have no domain {unknown[0]!r}; they have {', '.join(sorted(rulesets))}")
    return {domain: rulesets[domain] for domain in sorted(domains or rulesets)}


def folder_of_job(deployment: Deployment, rules: Ruleset) -> str:
    """Return the name of the job's folder: another job goes on there only if it is of the same rules and archive."""
    return digest_of([rules.domain, rules.digest, deployment.archive_url])


def reconcile_deployed(
    deployment: Deployment,
    rules: Ruleset,
    tables: Workspace,
    options: JobOptions,
    on_stage: StageProgress = lambda _stage, _seconds: None,
) -> tuple[Run, dict[str, Any]]:
    """Reconcile one domain with the index and the warehouse of a deployment; see ``job.reconcile``. Returns the report,
    too (``job.run_report``, with the run's bookmark).

    ``tables`` is the job's alone. It is removed at the end, whatever was found; where the job fails it is kept, and one
    that begins there within ``RESUME_S`` goes on with what had been recomputed.
    """
    _begin(tables, time.time)
    warehouse = _warehouse(deployment)
    try:
        publisher = deployment.golden_publisher() if options.repair else None
        live = LiveSides(deployment.redis(), deployment.namespace, warehouse, publisher)
        run = reconcile(rules, ArchiveAt(as_url(deployment.archive_url)), live, tables, options, on_stage)
    finally:
        if warehouse is not None:
            warehouse.close()
    tables.remove()
    return run, run_report(run) | {"bookmark": bookmark_of(run)}


def write_report(store: ObjectStore, report: Mapping[str, Any]) -> None:
    """Write a report into a store, as JSON and as a page, both called after the domain."""
    store.put(f"{report['domain']}.json", orjson.dumps(report, option=orjson.OPT_INDENT_2))
    store.put(f"{report['domain']}.html", as_html(report).encode())


def is_up_to_date(deployment: Deployment, rules: Ruleset, runs: RunHistory) -> bool:
    """Tell whether a run would read and compare what the last one has found right; see ``reconcile.bookmark``."""
    scanner = open_scanner(deployment.redis(), rules, deployment.namespace)
    scanner.refresh()
    warehouse = _warehouse(deployment)
    if warehouse is not None:
        warehouse.close()
    return is_unchanged(
        runs.last(rules.domain), rules, deployment.archive(), scanner.reached(), warehouse=warehouse is not None
    )


def _begin(tables: Workspace, now_s: Callable[[], float]) -> None:
    store = tables.store()
    try:
        began_s = float(orjson.loads(store.get(_BEGUN))["time_s"])
    except (MissingObjectError, LookupError, TypeError, ValueError):
        began_s = None
    if began_s is None or not 0 <= now_s() - began_s <= RESUME_S:
        tables.remove()
        store.put(_BEGUN, orjson.dumps({"time_s": now_s()}))


def _warehouse(deployment: Deployment) -> Warehouse | None:
    """Return the warehouse: of a local one its read copy, as its consumer has the file itself while events come."""
    from mdm_stream.warehouse import DuckDbWarehouse  # noqa: PLC0415 - --help does without
    from mdm_stream.warehouse.duckdb.read_copy import read_copy_path  # noqa: PLC0415

    settings = deployment.warehouse
    if settings is not None and settings.kind == "duckdb" and (copy := read_copy_path(settings.duckdb_path)).exists():
        return DuckDbWarehouse(copy, read_only=True)
    return deployment.open_warehouse(writing=False, lock_wait_ms=LOCK_WAIT_MS)
