"""Going back to the epoch before: a rebuild under its rules that begins with a copy of it, and not with the archive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import redis

from mdm_stream.archive import Exclusion
from mdm_stream.core.canonical import digest_of
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.errors import TerminalError
from mdm_stream.index.redis.kept import KeptEpoch, copy_epoch, kept_epoch
from mdm_stream.rebuild.fill import FirstFilled, Progress
from mdm_stream.rebuild.load import LoadCounters


class CopyOfKept:
    """A ``FirstFill`` from the epoch that is kept. What was archived since is filled in after it, as with any."""

    def __init__(self, client: redis.Redis, rules: Ruleset, namespace: str) -> None:
        """Find it. ``TerminalError`` if none is kept, or one of other rules."""
        self._client = client
        self._rules = rules
        self._namespace = namespace
        self.kept = self._found()

    def __call__(self, epoch: int, exclusions: Sequence[Exclusion], on_progress: Progress) -> FirstFilled:
        """Copy it. ``TerminalError`` if a source was taken out or put back since: it would have what is out now."""
        if digest_of_exclusions(exclusions) != self.kept.exclusions_digest:
            raise TerminalError(
                f"sources of domain {self._rules.domain!r} were taken out, or put back, since epoch {self.kept.epoch} "
                "was replaced, so it cannot be gone back to; rebuild under its rules: mdm-stream rebuild --rules"
            )
        copy_epoch(
            self._client,
            self._rules,
            self._namespace,
            self.kept,
            epoch,
            lambda copied: on_progress(f"copying epoch {self.kept.epoch}", copied, 0),
        )
        return FirstFilled(LoadCounters(), self.kept.objects)

    def _found(self) -> KeptEpoch:
        found, domain = kept_epoch(self._client, self._rules, self._namespace), self._rules.domain
        if found is None:
            raise TerminalError(
                f"no epoch of domain {domain!r} is kept; rebuild under the rules before: mdm-stream rebuild --rules"
            )
        if found.rules_digest != self._rules.digest:
            raise TerminalError(
                f"epoch {found.epoch} of domain {domain!r}, which is kept, is of rules and F {found.rules_digest}, and "
                f"these are {self._rules.digest}; give the rules that it is of"
            )
        return found


def digest_of_exclusions(exclusions: Sequence[Exclusion]) -> str:
    """Return the digest of what was taken out, in whatever order it was."""
    return digest_of(sorted(digest_of(asdict(each)) for each in exclusions))
