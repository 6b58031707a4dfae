"""Why something was rejected, as every contract says it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class QuarantineReason(BaseModel):
    """One reason: a stable code, where in the event, and a sentence that repeats no value of it."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    code: str
    path: str
    message: str
