"""What `mdm-stream up` does about files, and says of them: the watched folder, and how each load ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from mdm_stream.contracts.file_notice import FileNotice
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.local.drop_folder import DropFolder, FilePut
from mdm_stream.local.file_functions import DROP_FOLDER, FileFunctions, FunctionOptions, sources_of_files
from mdm_stream.local.file_places import make_places
from mdm_stream.local.housekeeping import Housekeeping
from mdm_stream.local.stack import LocalStack

LOOK_INTERVAL_S = 0.5
REASONS_SHOWN_MAX = 3


class FileWindow:
    """Watches the drop folder of a running stack while it is entered, and says what becomes of its files."""

    def __init__(
        self,
        stack: LocalStack,
        rules: Sequence[str],
        rulesets: Mapping[str, Ruleset],
        drop: Path | None,
        say: Callable[[str], None],
        options: FunctionOptions | None = None,
    ) -> None:
        """Make the places of files; ``drop`` is a folder of the user's choice."""
        self._places = make_places(stack.kinesis)
        self._functions = FileFunctions(stack, rules, rulesets, self._places, options)
        self._folder = (drop or stack.state_dir / DROP_FOLDER).absolute()
        self._drop: DropFolder = self._functions.drop_folder(self._folder)
        self._sources = sources_of_files(rulesets)
        self._say = say
        self._put: list[FilePut] = []
        self._watching = Housekeeping(self._look, LOOK_INTERVAL_S)

    def addresses(self) -> dict[str, str]:
        """Return what the stack's file says of files."""
        return {
            "drop": str(self._folder),
            "drop_bucket": self._places.bucket,
            "files_queue_url": self._places.chunks_queue_url,
            "files_topic_arn": self._places.topic_arn,
        }

    def announce(self, *, quiet: bool) -> None:
        """Say where files go, and have loads go on that an earlier stack had begun."""
        if not quiet:
            self._say(f"Drop files in:    {self._folder} (put to s3://{self._places.bucket})")
            for domain, source, prefix in self._sources:
                self._say(f"  {prefix}  files of {domain}/{source}")
            self._say("  Tags and encryption that the rules demand are added; at AWS the sender sees to them.")
        count = self._functions.recover()
        if count and not quiet:
            self._say(f"{count:,} loads had not ended; those that are not held go on")

    def tell(self, *, quiet: bool) -> None:
        """Say what was put, and which loads are done, held or have failed, since the last time."""
        put, self._put = self._put, []
        notices = self._functions.notices()
        if quiet:
            return
        for each in put:
            self._say(f"file {each.key}: put to s3://{self._places.bucket}")
        for notice in notices:
            self._say(notice_line(notice))

    def __enter__(self) -> Self:
        self._watching.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watching.__exit__(kind, error, trace)

    def _look(self) -> None:
        self._put += self._drop.look()
        self._functions.look()


def notice_line(notice: FileNotice) -> str:
    """Return one line about a load that is done, held or has failed; it has no value of any row."""
    counts = f"{notice.rows:,} rows, {notice.accepted:,} accepted, {notice.rejected:,} rejected"
    counts += f", {notice.skipped:,} skipped" + (f", {notice.deleted:,} deleted" if notice.deleted else "")
    line = f"file {notice.key}: {notice.state}; {counts}; load {notice.load_id}"
    reasons = [f"{each.path} {each.message}" for each in notice.reasons]
    if reasons:
        shown = "; ".join(reasons[:REASONS_SHOWN_MAX])
        line += f"; {shown}" + (f"; and {len(reasons) - REASONS_SHOWN_MAX} more" * (len(reasons) > REASONS_SHOWN_MAX))
    if notice.state == "held":
        line += f"; release it with: mdm-stream files release {notice.load_id}"
    return line
