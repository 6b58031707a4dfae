"""Whether an object is let in at all: what its key, size, encryption, tags and metadata say, before it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mdm_stream.core.file_names import file_names
from mdm_stream.core.file_rules import FileRules
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.decode.cdc.table_row import column_time_us
from mdm_stream.decode.files.csv_table import LOADED_AT_US_MAX
from mdm_stream.decode.files.file_faults import file_reason
from mdm_stream.errors import ConfigurationError, Reason, RejectedEventError

AS_OF_METADATA = "as-of"
"""The user metadata of an object (``x-amz-meta-as-of``) that declares the time of its load."""

UNSUPPORTED = {
    ".xlsx": "an Excel workbook", ".xls": "an Excel workbook", ".xlsm": "an Excel workbook",
    ".xlsb": "an Excel workbook", ".ods": "a spreadsheet", ".zip": "a ZIP archive", ".7z": "a 7-Zip archive",
    ".rar": "a RAR archive", ".tar": "a tar archive", ".tgz": "a tar archive", ".tar.gz": "a tar archive",
    ".tar.zst": "a tar archive", ".pdf": "a PDF document", ".docx": "a Word document", ".html": "an HTML page",
    ".htm": "an HTML page", ".xml": "an XML document", ".bz2": "compressed by bzip2", ".xz": "compressed by xz",
}  # fmt: skip
"""What is refused by the end of its name, whatever it holds."""
ADVICE = "send the rows as CSV, NDJSON or Parquet, plain or compressed by gzip or zstd"


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """What is known of an object without reading it. ``key`` is decoded; names of metadata are in lower case.

    ``encryption`` is what S3 says of its server-side encryption (``AES256``, ``aws:kms``, ``aws:kms:dsse``), ``None``
    for none. ``written_at_us`` is its LastModified.
    """

    key: str
    size_bytes: int
    written_at_us: int
    encryption: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AdmittedObject:
    """An object that is to be read: whose file it is, by which rules, and the time of its load if it was declared."""

    domain: str
    source: str
    rules: FileRules
    as_of_us: int | None


@dataclass(frozen=True, slots=True)
class RefusedObject:
    """An object that is not read, with every reason; domain and source as far as its key tells them."""

    reasons: tuple[Reason, ...]
    domain: str | None = None
    source: str | None = None


class Admission:
    """Admits objects by the rule sets in use. Immutable once made."""

    def __init__(self, rulesets: Mapping[str, Ruleset]) -> None:
        """Index the sources' prefixes; ``ConfigurationError`` if two overlap, so that an object had two sources."""
        found = [
            (source.files.prefix, domain, source, source.files)
            for domain, rules in sorted(rulesets.items())
            for _, source in sorted(rules.sources.items())
            if source.files is not None
        ]
        self._sources = sorted(found, key=lambda each: each[0])
        for before, after in zip(self._sources, self._sources[1:], strict=False):
            if after[0].startswith(before[0]):
                theirs, own = (f"source {each[2].name} of domain {each[1]}" for each in (before, after))
                raise ConfigurationError(
                    f"files under {after[0]!r} are those of {own}, and of {theirs}, whose prefix is {before[0]!r}; "
                    "give each a prefix of its own"
                )

    @property
    def sources(self) -> tuple[tuple[str, str, FileRules], ...]:
        """Domain, name and rules of each source that delivers files."""
        return tuple((domain, source.name, rules) for _, domain, source, rules in self._sources)

    def admit(self, facts: ObjectFacts) -> AdmittedObject | RefusedObject:
        """Return whose file an object is, or all that keeps it out."""
        found = next((each for each in self._sources if facts.key.startswith(each[0])), None)
        if found is None:
            said = "is under no prefix of a source; put it under that of its source, or add 'files' to its rules"
            return RefusedObject((file_reason("unknown_prefix", "key", said),))
        prefix, domain, owner, rules = found
        source, ahead_us = owner.name, owner.clock_ahead_us
        reasons: list[Reason] = []
        declared = _named(facts.key[len(prefix) :], rules, reasons)
        reasons += [*_about_form(facts.key), *_about_size(facts, rules)]
        reasons += [*_about_encryption(facts, rules), *_about_tags(facts, rules)]
        as_of = facts.metadata.get(AS_OF_METADATA)
        if as_of is not None:
            declared = _declared(as_of, reasons)
        if declared is not None and declared > facts.written_at_us + ahead_us:
            said = "lies further ahead of the object's own time than the source's clock_ahead allows"
            reasons.append(file_reason("load_time", "as_of", said))
        return (
            RefusedObject(tuple(reasons), domain, source)
            if reasons
            else AdmittedObject(domain, source, rules, declared)
        )


def _named(rest: str, rules: FileRules, reasons: list[Reason]) -> int | None:
    """Return the time of the load that a name says."""
    if rules.name is None:
        return None
    try:
        match = file_names(rules.name).match(rest)
    except ValueError as error:
        reasons.append(file_reason("file_name", "key", f"says a time of the load that is {error}"))
        return None
    if match is None:
        reasons.append(file_reason("file_name", "key", f"is not of the source's name pattern {rules.name!r}"))
        return None
    return match.as_of_us


def _declared(text: str, reasons: list[Reason]) -> int | None:
    try:
        time_us = column_time_us(text.strip(), AS_OF_METADATA)
    except RejectedEventError:
        time_us = -1
    if 0 <= time_us <= LOADED_AT_US_MAX:
        return time_us
    said = "is no time of a load, such as 2026-01-31 or 2026-01-31T09:30:00Z"
    reasons.append(file_reason("load_time", f"metadata.{AS_OF_METADATA}", said))
    return None


def _about_form(key: str) -> list[Reason]:
    lowered = key.lower()
    kind = next((kind for suffix, kind in UNSUPPORTED.items() if lowered.endswith(suffix)), None)
    return [] if kind is None else [file_reason("unsupported_form", "key", f"is {kind} by its name; {ADVICE}")]


def _about_size(facts: ObjectFacts, rules: FileRules) -> list[Reason]:
    if facts.size_bytes <= rules.size_bytes_max:
        return []
    said = f"has {facts.size_bytes:,} bytes, and a file of this source at most {rules.size_bytes_max:,}"
    return [file_reason("file_too_large", "size", said)]


def _about_encryption(facts: ObjectFacts, rules: FileRules) -> list[Reason]:
    has = facts.encryption or ""
    if rules.encryption is None or (rules.encryption == "any" and has) or has.startswith("aws:kms"):
        return []
    wanted = "encrypted by a KMS key" if rules.encryption == "kms" else "encrypted by the server"
    said = f"is not {wanted}, which the rules demand; set it for the bucket, or with each upload"
    return [file_reason("not_encrypted", "encryption", said)]


def _about_tags(facts: ObjectFacts, rules: FileRules) -> list[Reason]:
    reasons = []
    for tag, allowed in rules.tags.items():
        if tag not in facts.tags:
            reasons.append(file_reason("tags", f"tags.{tag}", "is missing, and the rules demand it"))
        elif allowed and facts.tags[tag] not in allowed:
            reasons.append(file_reason("tags", f"tags.{tag}", "has none of the values that the rules allow"))
    return reasons
