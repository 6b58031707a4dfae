"""What a comparison finds: differences between two schemas, and what each means for a producer or a subscriber."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

Party = Literal["producer", "subscriber"]
"""The other side: a producer sends what we consume (and calls the API), a subscriber reads what we produce."""

Verdict = Literal["breaks_producer", "breaks_subscriber", "safe"]

SAFE: Verdict = "safe"
_BREAKS: dict[Party, Verdict] = {"producer": "breaks_producer", "subscriber": "breaks_subscriber"}
_ROOT = "(the whole document)"


class UncomparableError(ValueError):
    """A document that cannot be compared: it is damaged, of an unknown kind, too large or nested too deep."""


@dataclass(frozen=True, slots=True)
class ContractChange:
    """One change of one document, and what it means. ``where`` is a place in the document, ``why`` a reason."""

    document: str
    verdict: Verdict
    where: str
    what: str
    why: str

    @property
    def breaks(self) -> bool:
        """Whether a party of this contract has to change something."""
        return self.verdict != SAFE


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference of two schemas. ``code`` says of what kind it is: a keyword of JSON Schema, or a word of ours.

    ``path`` begins at the schemas that were compared. One that does not break is for the reader alone.
    """

    path: tuple[str, ...]
    code: str
    said: str
    why: str = ""
    breaks: bool = True

    def under(self, *steps: str) -> Difference:
        """Return it as seen from further out."""
        return replace(self, path=(*steps, *self.path))


def breaking(party: Party, document: str, where: str, what: str, why: str) -> ContractChange:
    """Return a change that breaks a party."""
    return ContractChange(document, _BREAKS[party], where or _ROOT, what, why)


def safe(document: str, where: str, what: str, why: str) -> ContractChange:
    """Return a change that breaks neither party."""
    return ContractChange(document, SAFE, where or _ROOT, what, why)


def distinct(findings: Iterable[ContractChange]) -> list[ContractChange]:
    """Return findings without repetitions: what breaks before what is safe, each in the order of the documents."""
    return sorted(dict.fromkeys(findings), key=lambda finding: not finding.breaks)


def place(path: Iterable[str]) -> str:
    """Return a path as text: ``attributes.*``, ``members[].source``."""
    text = ""
    for step in path:
        text += step if step.startswith("[") or not text else f".{step}"
    return text
