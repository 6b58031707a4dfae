"""What the models of the golden feed's messages have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

GoldenValue = str | list[str] | None

INTEGER_MAX = 2**63 - 1
"""The greatest integer of a database's column. One beyond it is refused here, where it is one message's fault."""

Number = Annotated[int, Field(ge=1, le=INTEGER_MAX)]


class RecordKey(BaseModel):
    """The key of one source record."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    source: str
    record_id: str
