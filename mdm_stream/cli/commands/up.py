"""``mdm-stream up``: the local stack, until Ctrl-C."""

from __future__ import annotations

import shlex
import signal
import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path

import click

from mdm_stream.archive import open_archive
from mdm_stream.cli.commands.rules import said_of
from mdm_stream.cli.file_window import FileWindow
from mdm_stream.cli.obstacles import Obstacles
from mdm_stream.cli.options import state_option
from mdm_stream.cli.output import json_option, print_json, say
from mdm_stream.cli.status_of import DeploymentStatus, LiveLine
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.deployment import ARCHIVE_FOLDER, WAREHOUSE_FILE, Deployment, RunningStack, remove_stack, write_stack
from mdm_stream.errors import ConfigurationError
from mdm_stream.index.redis.client import open_client
from mdm_stream.local.events_api import LocalEventsApi, start_events_api
from mdm_stream.local.file_functions import sources_of_files
from mdm_stream.local.pipeline import Authorisation, start_consumers
from mdm_stream.local.stack import CHANGES_STREAM, GOLDEN_STREAM, STEWARD_STREAM, LocalStack
from mdm_stream.metrics.exposition import metrics_endpoint
from mdm_stream.metrics.lines import LogFollower
from mdm_stream.metrics.totals import MetricTotals
from mdm_stream.rebuild.adopt import adopt
from mdm_stream.rules import load_rulesets, pack_names

_CHECK_INTERVAL_S = 1.0
_SECRET = frozenset({"keys", "events_api_key"})
"""What is in the stack's file, and not for a terminal."""
_REDIS_TIMEOUT_S = 2.0
_NAMESPACE = "main"
"""The namespace that consumers use unless they are told another one; those of the local stack are not."""


@click.command()
@click.option("--rules", "rules", multiple=True, default=("person",), show_default=True,
              help="A rule set (file or pack); one a domain.")  # fmt: skip
@click.option("--authority", default="", metavar="FILE", help="Who may say what (MDM_AUTHORITY): a JSON document.")
@click.option("--signing-keys", default="", metavar="DIR", help="The folder with the keys that --authority names.")
@click.option("--drop", metavar="FOLDER", type=click.Path(file_okay=False, path_type=Path),
              help="The folder whose files are loaded as if dropped in S3: drop in --state if left out.")  # fmt: skip
@click.option("--metrics-port", type=click.IntRange(0, 65535), metavar="PORT",
              help="Offer metrics to Prometheus at this port of 127.0.0.1; 0 takes a free one.")  # fmt: skip
@state_option
@json_option
def up(
    *,
    rules: tuple[str, ...],
    authority: str,
    signing_keys: str,
    drop: Path | None,
    metrics_port: int | None,
    state: Path,
    as_json: bool,
) -> None:
    """Run the local stack until Ctrl-C: Kinesis API, Redis, resolve consumer, warehouse consumer and DuckDB.

    Its state is kept in --state and taken up again by the next `up`. Publish events to it with `mdm-stream publish`.
    It answers its user alone: the commands of mdm-stream find their way by --state, other programs with the environment
    that `mdm-stream env` prints.
    Where a source of the rules delivers files (`files:`), a folder is watched as a bucket would be: a file that is put
    there, under the source's prefix, is checked and loaded by the functions that run on Lambda, and a line says how its
    load ended. See `mdm-stream files`.
    A line says every few seconds what has been done, while something is. What keeps a domain from being written (other
    rules, a lost index, a hold, a rebuild) is said when it begins and when it is over.
    """
    rulesets = load_rulesets(rules)
    allowed = Authorisation(*(path and str(Path(path).resolve()) for path in (authority, signing_keys)))
    Deployment(
        steward_stream=STEWARD_STREAM, authority_setting=allowed.policy, signing_keys=allowed.signing_keys
    ).authority()
    absolute = tuple(name if name in pack_names() else str(Path(name).resolve()) for name in rules)
    leaving = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: leaving.set())
    if drop is not None and not sources_of_files(rulesets):
        raise ConfigurationError("no source of these rules delivers files; add 'files:' to it, or leave --drop out")
    with LocalStack(state) as stack, ExitStack() as parts:
        _adopt_histories(stack, rulesets.values(), state)
        count_metrics, metrics_url = _metrics(stack, parts, metrics_port)
        start_consumers(stack, absolute, allowed)
        events_api = start_events_api(stack, absolute, allowed)
        files = FileWindow(stack, absolute, rulesets, drop, say) if sources_of_files(rulesets) else None
        running = _running(stack, absolute, events_api, files, metrics_url)
        write_stack(state, running)
        try:
            _announce(running, state, as_json=as_json)
            if files is not None:
                files.announce(quiet=as_json)
                parts.enter_context(files)
            obstacles = _obstacles(running, rulesets.values(), state)
            obstacles.look()
            live = None if as_json else LiveLine(DeploymentStatus(Deployment.from_local(state)), say)
            while not leaving.wait(_CHECK_INTERVAL_S):
                stack.check()
                count_metrics()
                obstacles.look()
                if live is not None:
                    live.look()
                if files is not None:
                    files.tell(quiet=as_json)
        finally:
            remove_stack(state)
    if not as_json:
        say("stopped; the state is kept")


def _running(
    stack: LocalStack, rules: tuple[str, ...], events_api: LocalEventsApi, files: FileWindow | None, metrics_url: str
) -> RunningStack:
    return RunningStack(
        kinesis_endpoint_url=stack.kinesis.endpoint_url,
        changes_stream=CHANGES_STREAM,
        steward_stream=STEWARD_STREAM,
        golden_stream=GOLDEN_STREAM,
        redis_url=stack.redis.url,
        warehouse=str(stack.state_dir / WAREHOUSE_FILE),
        rules=rules,
        keys=stack.kinesis.keys,
        events_api_url=events_api.url,
        events_api_key=events_api.key,
        metrics_url=metrics_url,
        **({} if files is None else files.addresses()),
    )


def _metrics(stack: LocalStack, parts: ExitStack, port: int | None) -> tuple[Callable[[], None], str]:
    """Offer the metrics that consumers will write to their logs; return what counts them, and where they are read."""
    if port is None:
        return lambda: None, ""
    totals = MetricTotals()
    follower = LogFollower(stack.state_dir / "logs", totals)
    return follower.look, parts.enter_context(metrics_endpoint(totals, port))


def _adopt_histories(stack: LocalStack, rulesets: Iterable[Ruleset], state: Path) -> None:
    """Take up indexes for rules that only add histories to come: no consumer runs yet."""
    client = open_client(stack.redis.url, _REDIS_TIMEOUT_S)
    archive = open_archive((state / ARCHIVE_FOLDER).absolute().as_uri())
    for rules in rulesets:
        done = adopt(client, rules, _NAMESPACE, archive)
        if done.outcome in ("adopted", "refused"):
            say(said_of(done), err=True)


def _announce(running: RunningStack, state: Path, *, as_json: bool) -> None:
    if as_json:
        print_json({name: getattr(running, name) for name in running.__slots__ if name not in _SECRET})
        return
    say(f"mdm-stream is up; state, logs and quarantine are in {state}")
    say(f"  change stream   {running.changes_stream} at {running.kinesis_endpoint_url}")
    say(f"  steward stream  {running.steward_stream} at the same address")
    say(f"  golden feed     {running.golden_stream} at the same address")
    say(f"  index           {running.redis_url}")
    say(f"  warehouse       {running.warehouse} (DuckDB)")
    say(f"  events API      {running.events_api_url}/v1/events")
    if running.metrics_url:
        say(f"  metrics         {running.metrics_url}")
    say(f"Publish with:     mdm-stream publish FILE --format canonical --state {shlex.quote(str(state))}")
    say(f"A token for it:   mdm-stream api token --source SOURCE --state {shlex.quote(str(state))}")
    say(f'Other programs:   eval "$(mdm-stream env --state {shlex.quote(str(state))})"')
    say("Stop with:        Ctrl-C")


def _obstacles(running: RunningStack, rulesets: Iterable[Ruleset], state: Path) -> Obstacles:
    """Return what watches the domains, and writes to stderr."""
    client = open_client(running.redis_url, _REDIS_TIMEOUT_S)
    archive = open_archive((state / ARCHIVE_FOLDER).absolute().as_uri())
    return Obstacles(client, rulesets, _NAMESPACE, archive, lambda line: say(line, err=True))
