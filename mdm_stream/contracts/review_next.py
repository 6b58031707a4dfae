"""The next item of the review queue with all that a decision needs: what ``review next --json`` writes."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from mdm_stream.contracts.steward import Explanation, ReviewItem


class ReviewNext(BaseModel):
    """The first open item of the queue, and the explanation of its pair with the values that one may see.

    Both are null where nothing is open. ``held``: why writing to the domain is held back. ``total`` counts the whole
    queue, answered items too.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    domain: str
    rules_version: int
    held: str | None
    total: int
    item: ReviewItem | None
    explanation: Explanation | None

    def document(self) -> dict[str, Any]:
        """Return it for JSON, without what was not asked for."""
        return self.model_dump(mode="json", exclude_unset=True)
