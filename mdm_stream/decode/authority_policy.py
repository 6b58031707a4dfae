"""The setting that says who may say what (``MDM_AUTHORITY``): a JSON document, checked and made a ``Policy``.

::

    {
      "streams": {
        "mdm-changes": {"allowed_sources": ["crm", "erp"], "allowed_ops": ["upsert", "patch", "delete"]},
        "mdm-steward": {"allowed_sources": "*", "allowed_ops": ["verdict", "override", "override_expired", "erase"]}
      },
      "keys": {"shop-2026": {"allowed_sources": ["shop"], "allowed_ops": ["upsert", "delete"]}},
      "signed_sources": ["shop"],
      "callers": {"arn:aws:sts::123456789012:assumed-role/crm/*": {"allowed_sources": ["crm"]}},
      "viewers": {"group:stewards": {"sensitive": ["birth_date"]}, "user:auditor": {"values": false}}
    }

What is left out has its default: every source, and the operations of records; the steward stream's grant is everything,
unless the document names that stream. The grant under the name ``*`` is that of all streams that are not named.
``callers`` of the events API that AWS has identified (IAM) are named by their ARN, or by its beginning and ``*``.
``viewers`` may see values: accounts and groups of the machine that a command runs on, and ARNs; each the values of
attributes that are not sensitive, unless ``values`` is false, and the ``sensitive`` ones that are named (``*``: all).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mdm_stream.core.name_patterns import KEY_ID_PATTERN, SOURCE_PATTERN
from mdm_stream.decode.authority import EVERYTHING, OTHER_STREAMS, RECORD_OPS, RECORDS, Grant, Op, Policy, ViewGrant
from mdm_stream.errors import ConfigurationError

AUTHORITY_BYTES_MAX = 262_144
"""Some thousand streams and keys; a larger document is a wrong file."""

_Source = Annotated[str, Field(pattern=f"^{SOURCE_PATTERN}$")]
_KeyId = Annotated[str, Field(pattern=f"^{KEY_ID_PATTERN}$")]
_Caller = Annotated[str, Field(pattern=r"^arn:[A-Za-z0-9+=,.@_:/-]{1,2048}\*?$")]
_Viewer = Annotated[
    str,
    Field(pattern=r"^((user|group):[A-Za-z0-9_][A-Za-z0-9_.@-]{0,127}\$?|arn:[A-Za-z0-9+=,.@_:/-]{1,2048}\*?)$"),
]
_Stream = Annotated[str, Field(pattern=r"^([A-Za-z0-9_.-]{1,128}|\*)$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _GrantModel(_Model):
    allowed_sources: list[_Source] | Literal["*"] = "*"
    allowed_ops: list[Op] = Field(default_factory=lambda: sorted(RECORD_OPS))

    def grant(self) -> Grant:
        """Return it as the authority takes it."""
        sources = None if self.allowed_sources == "*" else frozenset(self.allowed_sources)
        return Grant(sources, frozenset(self.allowed_ops))


class _ViewModel(_Model):
    values: bool = True
    sensitive: list[str] | Literal["*"] = []

    def grant(self) -> ViewGrant:
        """Return it as the policy has it."""
        return ViewGrant(self.values, None if self.sensitive == "*" else frozenset(self.sensitive))


class _PolicyModel(_Model):
    streams: dict[_Stream, _GrantModel] = {}
    keys: dict[_KeyId, _GrantModel] = {}
    signed_sources: list[_Source] = []
    callers: dict[_Caller, _GrantModel] = {}
    viewers: dict[_Viewer, _ViewModel] = {}


def policy_of(setting: str, steward_stream: str) -> Policy:
    """Return the policy of a setting: nothing (all defaults), a JSON object, or the path of a file that holds one.

    ``ConfigurationError`` names the place in the document and what it may hold.
    """
    text = setting.strip()
    if not text:
        return _policy(_PolicyModel(), steward_stream)
    place = "MDM_AUTHORITY" if text.startswith("{") else f"MDM_AUTHORITY ({text})"
    try:
        content = text.encode() if text.startswith("{") else _content(Path(text))
        if len(content) > AUTHORITY_BYTES_MAX:
            raise ConfigurationError(f"{place} has more than {AUTHORITY_BYTES_MAX:,} bytes; name the right file")
        return _policy(_PolicyModel.model_validate(orjson.loads(content)), steward_stream)
    except OSError as error:
        raise ConfigurationError(f"{place} cannot be read: {error.strerror}") from error
    except orjson.JSONDecodeError as error:
        raise ConfigurationError(f"{place} is no JSON at line {error.lineno}, column {error.colno}") from None
    except ValidationError as error:
        raise ConfigurationError(f"{place}: {_wrong(error)}") from None


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(AUTHORITY_BYTES_MAX + 1)


def _policy(model: _PolicyModel, steward_stream: str) -> Policy:
    streams = {OTHER_STREAMS: RECORDS, steward_stream: EVERYTHING}
    streams |= {name: each.grant() for name, each in model.streams.items()}
    keys = {name: each.grant() for name, each in model.keys.items()}
    callers = {name: each.grant() for name, each in model.callers.items()}
    viewers = {name: each.grant() for name, each in model.viewers.items()}
    return Policy(streams, keys, frozenset(model.signed_sources), callers, viewers)


def _wrong(error: ValidationError) -> str:
    first: Any = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"] if part != "[key]") or "the document"
    if first["type"] == "extra_forbidden":
        known = (
            "streams, keys, signed_sources, callers and viewers, in a grant allowed_sources and allowed_ops, and of a "
            "viewer values and sensitive"
        )
        return f"{where} is no setting of it; there are {known}"
    return f"{where} should {str(first['msg']).partition('should ')[2] or first['msg']}"
