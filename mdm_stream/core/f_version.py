"""The identity of F: what decides values beside the rules.

Standardised values, blocking keys and links are stored, so an index holds the results of one F. A changed standardiser,
word table, phone metadata or Unicode table gives other results for the same rules: mixed in one index, neither F would
describe it. So the identity of F is a part of every rule set's digest, which fences whatever is written by it.

``F_VERSION`` and ``STORED_FORMAT`` are raised by a developer; libraries and word tables are found. numpy and orjson are
not among them: they add doubles and write JSON, which standards define; the golden vectors hold both to that.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any
from unicodedata import unidata_version

import anyascii
import jellyfish
import nameparser
import orjson
import phonenumbers
import rapidfuzz
import re2

from mdm_stream.core.canonical import canonical_json, digest_of
from mdm_stream.core.standardise.text import table_rows
from mdm_stream.errors import ConfigurationError

F_VERSION = 5
"""Raise it when F gives another result for some input: another value, key, score, cluster, golden record or review
item, or other events for the same raw bytes. ``tests/core/golden_vectors`` finds most such changes, and says so."""

STORED_FORMAT = 4
"""Raise it when records, components, edges, blocks or keys are written to an index in another form. The archive has
a number of its own, ``ARCHIVE_FORMAT``, because every release must be able to rebuild from it, an older one too."""

WORD_TABLES = (
    "countries.csv",
    "generations.csv",
    "given_names.csv",
    "greek_digraphs.csv",
    "japanese_surnames.csv",
    "korean_surnames.csv",
    "legal_form_kinds.csv",
    "legal_forms.csv",
    "months.csv",
    "nicknames.csv",
    "organisation_words.csv",
    "placeholder_words.csv",
    "regions.csv",
    "street_words.csv",
)
"""The word tables of ``core/standardise``."""

_LIBRARIES: Mapping[str, ModuleType] = {
    "anyascii": anyascii,  # romanised letters
    "google-re2": re2,  # the patterns that decide what is valid
    "jellyfish": jellyfish,  # blocking keys that sound alike
    "nameparser": nameparser,  # the parts of a full name
    "phonenumbers": phonenumbers,  # its package version is that of its metadata
    "rapidfuzz": rapidfuzz,  # similarities
}
_DIGEST_LENGTH = 16
_JOINT = "+"
_CALLED = {"f_version": "F_VERSION", "stored_format": "stored format", "tables": "word tables"}


@dataclass(frozen=True, slots=True)
class FIdentity:
    """What F is made of. ``libraries`` holds versions by name, ``unicode`` among them; ``tables`` is a digest."""

    f_version: int
    stored_format: int
    libraries: Mapping[str, str]
    tables: str

    def parts(self) -> dict[str, str]:
        """Return every part by name, as texts."""
        numbers = {"f_version": str(self.f_version), "stored_format": str(self.stored_format)}
        return {**numbers, **self.libraries, "tables": self.tables}

    def to_json(self) -> str:
        """Return the parts as an index keeps them beside the digest."""
        return canonical_json(self.parts()).decode()

    @property
    def digest(self) -> str:
        """F version, stored format and a digest of all parts, with dots between."""
        return f"{self.f_version}.{self.stored_format}.{digest_of(self.parts())[:_DIGEST_LENGTH]}"

    def __str__(self) -> str:
        libraries = ", ".join(f"{name} {version}" for name, version in sorted(self.libraries.items()))
        return f"F version {self.f_version}, stored format {self.stored_format} ({libraries}; tables {self.tables[:8]})"


@cache
def f_identity() -> FIdentity:
    """Return the identity of the F that this process runs. Found once; the same for as long as the process lives."""
    libraries = {name: _version_of(name, module) for name, module in _LIBRARIES.items()}
    tables = digest_of({name: table_rows(name) for name in WORD_TABLES})
    return FIdentity(F_VERSION, STORED_FORMAT, {**libraries, "unicode": unidata_version}, tables)


def f_digest() -> str:
    """Return the digest of the F that this process runs, such as ``3.1.0f3a9c...``."""
    return f_identity().digest


def bind(rules_digest: str) -> str:
    """Return the digest of a rule set under this F: the rules' own digest, and F's."""
    return f"{rules_digest}{_JOINT}{f_digest()}"


def rules_part(digest: str) -> str:
    """Return the rules' own part of a digest that ``bind`` made."""
    return digest.partition(_JOINT)[0]


def f_part(digest: str) -> str:
    """Return F's part of a digest that ``bind`` made; nothing if it has none."""
    return digest.partition(_JOINT)[2]


def require_this_f(digest: str) -> None:
    """Check that a digest was bound to the F that this process runs; ``ConfigurationError`` if to another one.

    For what gets a compiled rule set from another process: that one may have been started from another release.
    """
    if f_part(digest) not in {"", f_digest()}:
        raise ConfigurationError(
            f"these rules were compiled by another F ({f_part(digest)}) than the one that runs here ({f_digest()}): "
            "mdm-stream was changed while it ran; start it again"
        )


def parts_from_json(text: str) -> dict[str, str]:
    """Return the parts of an identity that ``FIdentity.to_json`` wrote; none where there is no such text."""
    try:
        parts: Any = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return {str(name): str(value) for name, value in parts.items()} if isinstance(parts, dict) else {}


def differences(there: Mapping[str, str], here: Mapping[str, str]) -> list[str]:
    """Return a phrase a part in which two identities differ, such as ``phonenumbers 9.0.1 there, 9.0.2 here``."""
    return [
        f"{_CALLED.get(name, name)} {_shown(name, there)} there, {_shown(name, here)} here"
        for name in sorted({*there, *here}, key=lambda name: (name not in _CALLED, name))
        if there.get(name) != here.get(name)
    ]


def mismatch(there_digest: str, there_f: str, here_digest: str) -> str:
    """Return how an index differs from who wants to use it: in its rules, in its F, or in both; and what to do.

    ``there_digest`` and ``there_f`` (the JSON of an identity) are what the index holds. Written to follow ``the index
    of domain ...``.
    """
    other_rules = rules_part(there_digest) != rules_part(here_digest)
    if f_part(there_digest) == f_part(here_digest):
        return (
            "was built with another rule set; "
            "use that rule set, or make a new epoch with these rules: mdm-stream rebuild"
        )
    here = f_identity().parts()
    parts = parts_from_json(there_f)
    said = "; ".join(differences(parts, here)) if parts else "it does not say which"
    beside = "with another rule set and by another F" if other_rules else "by another F, from the same rules"
    return (
        f"was built {beside} ({said or 'in more than its parts show'}); go on with the release "
        f"{'and the rules ' if other_rules else ''}that built it, or make a new epoch with this one: mdm-stream rebuild"
    )


def _shown(name: str, parts: Mapping[str, str]) -> str:
    value = parts.get(name, "unknown")
    return value[:8] if name == "tables" else value


def _version_of(name: str, module: ModuleType) -> str:
    """Return the version of the code that runs; what an installer has noted only where the code does not say."""
    version = getattr(module, "__version__", None)
    if version is not None:
        return str(version)
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError as error:
        raise ConfigurationError(
            f"the version of {name} is not known, and F depends on it: install it with its .dist-info folder"
        ) from error
