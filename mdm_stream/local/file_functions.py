"""The gatekeeper of files and its workers on the local stack, called by queues as Lambda calls them.

As Lambda's they start when there is something to do: with the first message. What the stack's memory loses when it
ends is made up for at the next start, from what lasts: loads that were begun go on where they were, by their store, and
files that no load knows of are put to the drop bucket again.
"""

from __future__ import annotations

import getpass
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import ValidationError

from mdm_stream.contracts.file_notice import FileNotice
from mdm_stream.core.file_names import file_names
from mdm_stream.core.file_rules import FileRules
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.deployment import FILES_FOLDER, QUARANTINE_FOLDER
from mdm_stream.errors import MdmError
from mdm_stream.files import make_folder
from mdm_stream.local.drop_folder import DropFolder, PutSettings
from mdm_stream.local.event_source.queue import QueueSource
from mdm_stream.local.file_places import FUNCTION_TIMEOUT_S, FilePlaces, messages_in
from mdm_stream.local.stack import CHANGES_STREAM, GOLDEN_STREAM, LocalStack, QueueConsumerSpec
from mdm_stream.objects.opening import open_object_store
from producers.files.addresses import FilesSettings
from producers.files.admission import Admission
from producers.files.build import surroundings_of
from producers.files.loads import LoadStore
from producers.files.manifest import view_of
from producers.files.settings import FileLimits
from producers.files.steps import LoadSteps

GATEKEEPER = "files"
WORKER = "files-worker"
DROP_MEMORY = "drop.json"
DROP_FOLDER = "drop"

_NOTICES_PER_LOOK = 10
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FunctionOptions:
    """How the functions of files run: so many worker processes, and settings of ``FileLimits`` as environment."""

    workers: int = 2
    environment: Mapping[str, str] | None = None


class FileFunctions:
    """What handles dropped files on a running stack. ``look`` is to be called every half second or so."""

    def __init__(
        self,
        stack: LocalStack,
        rules: Sequence[str],
        rulesets: Mapping[str, Ruleset],
        places: FilePlaces,
        options: FunctionOptions | None = None,
    ) -> None:
        """Take a running stack; ``rules`` are absolute paths or names of packs. Nothing is started yet."""
        self._stack, self._places = stack, places
        self._options = options or FunctionOptions()
        self._sqs = stack.kinesis.client("sqs")
        self._rulesets = rulesets
        self.settings = files_settings(stack, rules, places)
        self.running = False

    def recover(self) -> int:
        """Have every load go on that was begun before the stack last ended; return how many were looked at.

        Call it once, before anything is dropped. Loads of which no plan is there are left to their files, which are
        put again.
        """
        environment = dict(self._options.environment or {})
        limits: FileLimits = FileLimits.from_environment(environment)
        steps = LoadSteps(surroundings_of(self.settings, limits, keys=self._stack.kinesis.keys))
        count = 0
        for load_id in list(steps.store.open_loads()):
            if steps.store.find(load_id) is None or view_of(steps.store.attempt(load_id)).state == "received":
                continue
            count += 1
            try:
                steps.advance(load_id)
            except MdmError as error:
                _LOG.warning("load %s does not go on: %s", load_id, error)
        return count

    def look(self) -> None:
        """Start the functions once a message waits for them. ``TransientError`` if the queues cannot be asked."""
        queues = (self._places.files_queue_url, self._places.chunks_queue_url)
        if not self.running and any(messages_in(self._sqs, url) for url in queues):
            self.start()

    def start(self) -> None:
        """Start the functions."""
        self.running = True
        environment = self.settings.to_environment() | dict(self._options.environment or {})
        environment = {name: value for name, value in environment.items() if value}
        for name, handler, queue_url, processes in (
            (GATEKEEPER, "producers.files.gatekeeper_handler:handler", self._places.files_queue_url, 1),
            (WORKER, "producers.files.worker_handler:handler", self._places.chunks_queue_url, self._options.workers),
        ):
            self._stack.start_queue_consumer(
                QueueConsumerSpec(
                    name=name,
                    handler=handler,
                    queue_url=queue_url,
                    # One message an invocation: a chunk may take as long as a function may.
                    source=QueueSource(batch_size=1, maximum_concurrency=max(2, processes)),
                    environment=environment,
                    processes=processes,
                    function_timeout_s=FUNCTION_TIMEOUT_S,
                )
            )

    def notices(self) -> list[FileNotice]:
        """Return notices of loads since the last time, and take them off their queue."""
        try:
            url = self._places.notices_queue_url
            found = self._sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=_NOTICES_PER_LOOK).get("Messages", ())
            notices = [_notice(message["Body"]) for message in found]
            for message in found:
                self._sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        except (BotoCoreError, ClientError) as error:
            _LOG.warning("the notices of files cannot be read: %s", type(error).__name__)
            return []
        return [notice for notice in notices if notice is not None]

    def drop_folder(self, folder: Path) -> DropFolder:
        """Return the watched folder, a subfolder a source; what a stack that ended had not taken up is put again."""
        state = self._stack.state_dir
        admission = Admission(self._rulesets)
        drop = DropFolder(
            folder,
            self._stack.kinesis.client("s3"),
            self._places.bucket,
            state / DROP_MEMORY,
            lambda key: put_settings(admission, key),
        )
        for _, _, rules in admission.sources:
            make_folder(folder / rules.prefix)
        known = _taken_up(LoadStore(open_object_store(self.settings.files_url)))
        drop.forget_unless(lambda key, etag: (key, etag) in known)
        return drop


def files_settings(stack: LocalStack, rules: Sequence[str], places: FilePlaces) -> FilesSettings:
    """Return what the functions of files of a stack are told of their surroundings."""
    endpoint = stack.kinesis.endpoint_url
    return FilesSettings(
        rules=",".join(rules),
        files_url=(stack.state_dir / FILES_FOLDER).as_uri(),
        changes_stream=CHANGES_STREAM,
        golden_stream=GOLDEN_STREAM,
        quarantine_url=(stack.state_dir / QUARANTINE_FOLDER).as_uri(),
        redis_url=stack.redis.url,
        files_queue_url=places.chunks_queue_url,
        files_topic_arn=places.topic_arn,
        kinesis_endpoint_url=endpoint,
        files_endpoint_url=endpoint,
    )


def sources_of_files(rulesets: Mapping[str, Ruleset]) -> list[tuple[str, str, str]]:
    """Return domain, name and prefix of each source that delivers files."""
    return [(domain, source, rules.prefix) for domain, source, rules in Admission(rulesets).sources]


def put_settings(admission: Admission, key: str) -> PutSettings:
    """Return how a file of the drop folder is to be put, so that its source's rules take it.

    What a sender at AWS has to see to is seen to here: tags get the first value that is allowed, or the user's name
    where any is, and the object is encrypted as demanded. The file's time is declared unless its name says one.
    """
    rules = next((rules for _, _, rules in admission.sources if key.startswith(rules.prefix)), None)
    if rules is None:
        return PutSettings()
    return PutSettings(
        tags={tag: allowed[0] if allowed else _user() for tag, allowed in rules.tags.items()},
        encryption="aws:kms" if rules.encryption == "kms" else "AES256",
        declare_as_of=not _names_time(rules),
    )


def _names_time(rules: FileRules) -> bool:
    return rules.name is not None and file_names(rules.name).as_of is not None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "local"


def _notice(body: str) -> FileNotice | None:
    try:
        return FileNotice.model_validate_json(body)
    except ValidationError:
        _LOG.warning("a message on the topic of files is no notice of a load")
        return None


def _taken_up(store: LoadStore) -> set[tuple[str, str]]:
    """Return key and ETag of every delivery whose load needs its object no more: it has its rows, or a verdict."""
    found: set[tuple[str, str]] = set()
    for domain, source in store.sources():
        for listed in store.loads_of(domain, source):
            attempt = store.attempt(listed.load_id)
            if attempt.has("plan.json") or attempt.has("verdict.json"):
                found.update((each.key, each.etag) for each in store.deliveries(listed.load_id))
    return found
