"""``mdm-stream files``: loads of files that were dropped in S3, and what people decide about them."""

from __future__ import annotations

import getpass
import os
import re
import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import click

from mdm_stream.cli.commands.files_job import job
from mdm_stream.cli.options import deployment_options
from mdm_stream.cli.output import json_option, print_json, print_table, say
from mdm_stream.contracts.file_manifest import AttributeProfile, FileManifest, FileState
from mdm_stream.deployment import FILES_FOLDER, Deployment, as_url
from mdm_stream.errors import ConfigurationError, TerminalError
from mdm_stream.objects.store import MissingObjectError
from mdm_stream.settings import ResolveSettings

if TYPE_CHECKING:
    from producers.files.loads import LoadStore
    from producers.files.manifest import LoadView
    from producers.files.steps import LoadSteps

LISTED_MAX = 1_000
"""Loads that one listing shows, unless another number is named."""
RUN_BYTES = 8
"""A run's name is random: 64 bits, so that no two runs share one."""
_LOAD_ID = re.compile(r"[0-9a-f]{32}")

_WHERE = deployment_options("state", "environment", "files_url", "s3_endpoint", "region")
_WHO = click.option("--by", help="Who decides; the user of this machine if left out.")


@click.group()
def files() -> None:
    """Loads of files that were dropped in S3: list and show them, decide on held ones, send rejected rows again.

    Those of the local stack in --state, of a deployment whose functions have the environment (--environment), or in a
    store that is named (--files). No value of any row is shown. Exit code 1: some rows could not be sent. 2: no such
    load, or one that is not in a state for that.
    """


files.add_command(job)


@files.command("list")
@click.option("--domain", help="Only loads of this domain.")
@click.option("--source", help="Only loads of this source.")
@click.option("--in", "load_state", type=click.Choice(get_args(FileState)), help="Only loads in this state.")
@click.option("--limit", type=click.IntRange(1), default=LISTED_MAX, show_default=True, help="At most so many.")
@_WHERE
@json_option
def list_loads(
    *, domain: str | None, source: str | None, load_state: FileState | None, limit: int, as_json: bool, **where: Any
) -> None:
    """List loads, of each source the one with the latest time first."""
    from producers.files.operations import manifests  # noqa: PLC0415 - --help does without

    found = list(islice(manifests(_store(**where), domain=domain, source=source, state=load_state), limit + 1))
    shown, more = found[:limit], len(found) > limit
    if as_json:
        print_json({"loads": [_summary(each) for each in shown], "more": more})
        return
    if shown:
        headings = ("load", "state", "source", "as of", "rows", "accepted", "rejected", "skipped", "sent", "file")
        print_table("", headings, [_row(each) for each in shown], texts=True)
    say(f"{len(shown):,}{'+' if more else ''} loads")


@files.command()
@click.argument("load_id", metavar="LOAD")
@_WHERE
@json_option
def show(*, load_id: str, as_json: bool, **where: Any) -> None:
    """Show the manifest of a load: its rows, why some were rejected, warnings, and the profile of its values."""
    from producers.files.operations import show as manifest_of  # noqa: PLC0415

    found = found_load(lambda: manifest_of(_store(**where), load_id), load_id)
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        _tell(found)


@files.command()
@click.argument("load_id", metavar="LOAD")
@_WHO
@_WHERE
@json_option
def release(*, load_id: str, by: str | None, as_json: bool, **where: Any) -> None:
    """Let a held load run, whatever it is held for. Its rows are sent as they were checked."""
    from producers.files.operations import release as let_run  # noqa: PLC0415

    steps = steps_of(**where)
    _decided(steps, load_id, lambda: let_run(steps, load_id, by or _user()), as_json=as_json)


@files.command()
@click.argument("load_id", metavar="LOAD")
@_WHO
@_WHERE
@json_option
def fail(*, load_id: str, by: str | None, as_json: bool, **where: Any) -> None:
    """End a held load: nothing of it is sent, and its rows are removed from the store."""
    from producers.files.operations import fail as end  # noqa: PLC0415

    steps = steps_of(**where)
    _decided(steps, load_id, lambda: end(steps, load_id, by or _user()), as_json=as_json)


@files.command()
@click.argument("load_ids", metavar="[LOAD]...", nargs=-1)
@_WHERE
@json_option
def resume(*, load_ids: tuple[str, ...], as_json: bool, **where: Any) -> None:
    """Have loads go on whose messages are lost, or lie in a dead-letter queue: all that have not ended, or those named.

    What was done is not done again. A held load stays held.
    """
    steps = steps_of(**where)
    found = {}
    for load_id in load_ids or list(steps.store.open_loads()):
        if _LOAD_ID.fullmatch(load_id) and steps.store.find(load_id) is not None:
            found[load_id] = steps.advance(load_id).state
        elif load_ids:
            raise ConfigurationError(f"there is no load {load_id}; `mdm-stream files list` shows all")
    if as_json:
        print_json({"loads": found})
        return
    for load_id, state in found.items():
        say(f"{load_id} is {state}")
    say(f"{len(found):,} loads looked at")


@files.command()
@click.argument("load_id", metavar="LOAD")
@click.option("--whole", is_flag=True, help="Read, check and judge the whole file anew, by the rules as they are now.")
@_WHO
@_WHERE
@deployment_options("changes_stream", "steward_stream", "endpoint", "quarantine")
@json_option
def redrive(
    *,
    load_id: str,
    whole: bool,
    by: str | None,
    changes_stream: str | None,
    steward_stream: str | None,
    endpoint: str | None,
    quarantine: str | None,
    as_json: bool,
    **where: Any,
) -> None:
    """Send the rejected rows of a load again, once the rules were mended; those that they still reject are kept.

    What was delivered as a row and is none (an element of JSON or a row of Parquet that cannot be read) is never sent
    again: have the file mended. With --whole the load is begun again from its object, which must still be there.
    """
    named = _Streams(changes_stream, steward_stream, endpoint, quarantine)
    steps = steps_of(**where, streams=named)
    if whole:
        from producers.files.operations import begin_again  # noqa: PLC0415

        _decided(steps, load_id, lambda: begin_again(steps, load_id, by or _user()), as_json=as_json)
        return
    from mdm_stream.cli.redelivery import change_key_of, deliver_with  # noqa: PLC0415
    from mdm_stream.dead_letters import DeadLetters, RedriveRun, Streams  # noqa: PLC0415
    from producers.files.judge_again import NO_ROW  # noqa: PLC0415
    from producers.files.operations import redrive_rows  # noqa: PLC0415

    found_load(lambda: steps.store.record(load_id), load_id)
    deployment = named.in_deployment(_deployment(**where))
    letters = DeadLetters(deployment.store(deployment.quarantine_url), "quarantine")
    streams = Streams(deployment.changes_stream, None, deployment.steward_stream or None)
    run = RedriveRun([letters], streams, change_key_of, deliver_with(deployment.kinesis()))
    report, kept = redrive_rows(steps, load_id, by or _user(), letters, run, secrets.token_hex(RUN_BYTES))
    left = {**report.refused, **report.failed, **dict.fromkeys(report.untried, "not tried, because others failed")}
    if as_json:
        print_json({"load": load_id, "redriven": report.letters, "events": report.events, "left": left, "kept": kept})
    else:
        say(f"{report.events:,} rejected rows of load {load_id} sent again")
        codes = Counter(kept.values())
        no_rows = codes.pop(NO_ROW, 0)
        if codes:
            said = ", ".join(f"{count:,} {code}" for code, count in sorted(codes.items()))
            say(f"{codes.total():,} stay in the quarantine, as the rules still reject them: {said}")
        if no_rows:
            say(f"{no_rows:,} stay there that no rules make rows of: mend the file, and deliver it again")
    if left:
        raise TerminalError(f"{len(left):,} rejected rows could not be sent, and are still in the quarantine")


@dataclass(frozen=True, slots=True)
class _Streams:
    """Where rejected rows go, if not where the deployment says."""

    changes_stream: str | None = None
    steward_stream: str | None = None
    endpoint: str | None = None
    quarantine: str | None = None

    def in_deployment(self, deployment: Deployment) -> Deployment:
        """Return a deployment with what was named."""
        return deployment.overridden(
            changes_stream=self.changes_stream,
            steward_stream=self.steward_stream,
            kinesis_endpoint_url=self.endpoint,
            quarantine_url=self.quarantine,
        )


def _deployment(
    *, state: Path, environment: bool, files_url: str | None, s3_endpoint: str | None, region: str | None
) -> Deployment:
    """Return the deployment whose functions are to go on with loads; a local stack must run."""
    found = _of_functions() if environment else Deployment.from_local(state)
    return found.overridden(files_url=files_url, s3_endpoint_url=s3_endpoint, region=region)


def _of_functions() -> Deployment:
    """Return the deployment of the functions of files; ``ConfigurationError`` names what is not set."""
    from producers.files.addresses import FilesSettings  # noqa: PLC0415

    settings: FilesSettings = FilesSettings.from_environment(os.environ)
    steward_stream = os.environ.get(ResolveSettings.variable("steward_stream"))
    return Deployment(
        rules=tuple(settings.rules.split(",")),
        redis_url=settings.redis_url,
        namespace=settings.namespace,
        changes_stream=settings.changes_stream,
        steward_stream=steward_stream or ResolveSettings.model_fields["steward_stream"].default,
        golden_stream=settings.golden_stream,
        quarantine_url=settings.quarantine_url,
        kms_key_id=settings.kms_key_id,
        files_url=settings.files_url,
        files_queue_url=settings.files_queue_url,
        files_topic_arn=settings.files_topic_arn,
        files_bus=settings.files_bus,
        kinesis_endpoint_url=settings.kinesis_endpoint_url,
        s3_endpoint_url=settings.files_endpoint_url,
    )


def _store(*, state: Path, environment: bool, files_url: str | None, **where: str | None) -> LoadStore:
    """Return the store of loads, to be looked at: a local stack need not run for it."""
    from producers.files.loads import LoadStore  # noqa: PLC0415

    if files_url is None and environment:
        files_url = os.environ.get("MDM_FILES_URL") or None
        if files_url is None:
            raise ConfigurationError("set MDM_FILES_URL, the store of loads of the functions, or name it with --files")
    elif files_url is None and not state.is_dir():
        raise ConfigurationError(f"there is no local stack in {state}; name its directory with --state")
    named = Deployment(s3_endpoint_url=where["s3_endpoint"] or "", region=where["region"] or "")
    return LoadStore(named.store(files_url or str(state / FILES_FOLDER)))


def steps_of(*, streams: _Streams | None = None, **where: Any) -> LoadSteps:
    """Return the steps of loads of a deployment, which send what follows from a decision."""
    from producers.files.addresses import FilesSettings  # noqa: PLC0415
    from producers.files.build import surroundings_of  # noqa: PLC0415
    from producers.files.settings import FileLimits  # noqa: PLC0415
    from producers.files.steps import LoadSteps  # noqa: PLC0415

    deployment = (streams or _Streams()).in_deployment(_deployment(**where))
    settings = FilesSettings.checked(
        rules=",".join(deployment.rules),
        files_url=as_url(deployment.files_url),
        changes_stream=deployment.changes_stream,
        golden_stream=deployment.golden_stream,
        quarantine_url=as_url(deployment.quarantine_url),
        redis_url=deployment.redis_url,
        namespace=deployment.namespace,
        files_queue_url=deployment.files_queue_url,
        files_topic_arn=deployment.files_topic_arn,
        files_bus=deployment.files_bus,
        kms_key_id=deployment.kms_key_id,
        kinesis_endpoint_url=deployment.kinesis_endpoint_url,
        files_endpoint_url=deployment.s3_endpoint_url or (deployment.keys and deployment.kinesis_endpoint_url) or "",
    )
    limits = FileLimits.from_environment(os.environ if where["environment"] else {})
    region = deployment.region or None
    return LoadSteps(surroundings_of(settings, limits, keys=deployment.keys, region=region))


def _decided(steps: LoadSteps, load_id: str, decide: Callable[[], LoadView], *, as_json: bool) -> None:
    from producers.files.manifest import render  # noqa: PLC0415

    found_load(lambda: steps.store.record(load_id), load_id)
    manifest = render(decide())
    if as_json:
        print_json(_summary(manifest))
    else:
        say(f"load {load_id} is {manifest.state}")


_T = TypeVar("_T")


def found_load(ask: Callable[[], _T], load_id: str) -> _T:
    """Return what is asked of a load; ``ConfigurationError`` if there is no such load."""
    if _LOAD_ID.fullmatch(load_id):
        try:
            return ask()
        except MissingObjectError:
            pass
    raise ConfigurationError(f"there is no load {load_id}; `mdm-stream files list` shows all")


def _summary(manifest: FileManifest) -> dict[str, Any]:
    """Return what a listing has of a load."""
    shown = {"load_id", "revision", "state", "domain", "source", "as_of", "load", "route", "rows", "accepted",
             "rejected", "skipped", "sent", "deleted", "chunks", "chunks_checked", "chunks_sent", "received_at",
             "ended_at", "job"}  # fmt: skip
    document = manifest.model_dump(mode="json", include=shown)
    place = f"s3://{manifest.object.bucket}/{manifest.object.key}"
    return {**document, "object": place, "reasons": [each.code for each in manifest.reasons]}


def _row(manifest: FileManifest) -> tuple[str, ...]:
    source = f"{manifest.domain or '?'}/{manifest.source or '?'}"
    counts = (manifest.rows, manifest.accepted, manifest.rejected, manifest.skipped, manifest.sent)
    return (
        manifest.load_id,
        manifest.state,
        source,
        manifest.as_of,
        *(f"{count:,}" for count in counts),
        manifest.object.key,
    )


def _tell(manifest: FileManifest) -> None:
    m = manifest
    say(f"Load {m.load_id}: {m.state}, revision {m.revision}; {m.domain or '?'}/{m.source or '?'}, {m.load} load")
    say(f"  s3://{m.object.bucket}/{m.object.key}, {m.object.size_bytes:,} bytes, as of {m.as_of}"
        f"{'' if m.as_of_declared else ' (not declared)'}")  # fmt: skip
    if m.form is not None:
        packed = "" if m.form.compression is None else f", {m.form.compression}"
        say(f"  {m.form.format}{packed}, {len(m.form.columns):,} columns; route {m.route or 'not known'}")
    say(f"  {m.rows:,} rows = {m.accepted:,} accepted + {m.rejected:,} rejected + {m.skipped:,} skipped")
    say(f"  {m.sent:,} events sent, {m.deleted:,} of them deletions")
    say(f"  {m.chunks:,} chunks, {m.chunks_checked:,} checked, {m.chunks_sent:,} sent")
    if m.job is not None:
        say(f"  Spark job {m.job}")
    if m.released_by is not None:
        say(f"  decided on by {m.released_by}")
    for each in m.deliveries:
        say(f"  delivered {each.delivered_at} as s3://{each.bucket}/{each.key}")
    for reason in m.reasons:
        say(f"{m.state}: {reason.code} at {reason.path}: {reason.message}")
    for warning in m.warnings:
        say(f"warning: {warning.code} at {warning.path}: {warning.message}")
    if m.rejected_rows:
        rows = [(f"{each.rows:,}", f"{each.first_row:,}", each.reason.code, each.reason.path, each.reason.message)
                for each in m.rejected_rows]  # fmt: skip
        print_table("", ("rejected", "first row", "reason", "at", "what"), rows, texts=True)
    if m.rejected_rows_at is not None:
        say(f"each rejected row: {m.rejected_rows_at}")
    if m.profile:
        heads = ("attribute", "values", "complete", "unique", "conform", "outliers", "mean length", "longest")
        print_table("", heads, [_profile_row(each) for each in m.profile], texts=True)


def _profile_row(each: AttributeProfile) -> tuple[str, ...]:
    shares = (each.completeness, each.uniqueness, each.conformity, each.outliers)
    return (
        each.attribute,
        f"{each.values:,}",
        *("" if share is None else f"{share:.1%}" for share in shares),
        "" if each.length_mean is None else f"{each.length_mean:.1f}",
        f"{each.length_max:,}",
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise ConfigurationError("this user has no name: say who decides with --by") from error
