"""Who runs a command, and which values they have the right to see.

A flag says what is wanted, and the policy (``MDM_AUTHORITY``, its ``viewers``) what may be had. A person is the account
and the groups of the process, which the system knows and no variable changes, and where the policy names ARNs the
principal whose credentials AWS knows. Without viewers in the policy, the owner of a local stack sees all that it holds,
and no account sees sensitive values of another index.
"""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mdm_stream.errors import ConfigurationError

if TYPE_CHECKING:
    from mdm_stream.decode.authority import ViewGrant
    from mdm_stream.steward.describe import Sight

_WHERE = "docs/guide/stewards.md says who may see what"


def sight(*, reveal: bool, values: bool, own_stack: bool, environment: Mapping[str, str] = os.environ) -> Sight:
    """Return what is shown to whom this process belongs to: what was asked for, as far as it is their right.

    ``values`` says that values were asked for, ``reveal`` sensitive ones too, ``own_stack`` that the index is that of
    the local stack in a folder of their own. ``ConfigurationError`` where they have no right to any of what was asked
    for.
    """
    from mdm_stream.steward.describe import Sight  # noqa: PLC0415 - --help does without

    right = _right(own_stack=own_stack, environment=environment)
    if values and not right.values:
        raise ConfigurationError(f"{_me()} has no right to see values (viewers in MDM_AUTHORITY); {_WHERE}")
    if reveal and right.sensitive is not None and not right.sensitive:
        raise ConfigurationError(
            f"{_me()} has no right to see sensitive values: --reveal asks for them, and viewers in MDM_AUTHORITY give "
            f"the right; {_WHERE}"
        )
    return Sight(right.values, right.sensitive if reveal else frozenset())


def _right(*, own_stack: bool, environment: Mapping[str, str]) -> ViewGrant:
    from mdm_stream.decode.authority import ViewGrant  # noqa: PLC0415
    from mdm_stream.decode.authority_policy import policy_of  # noqa: PLC0415

    policy = policy_of(environment.get("MDM_AUTHORITY", ""), steward_stream="")
    if not policy.viewers:
        return ViewGrant(values=True, sensitive=None if own_stack else frozenset())
    named_by_arn = any(name.startswith("arn:") for name in policy.viewers)
    return policy.of_viewer([*account_names(), *(aws_names() if named_by_arn else ())])


def account_names() -> list[str]:
    """Return the account and groups that this process has, as the policy names them; those without a name are not."""
    names = []
    with suppress(KeyError):
        names.append(f"user:{pwd.getpwuid(os.geteuid()).pw_name}")
    for group in dict.fromkeys([os.getegid(), *os.getgroups()]):
        with suppress(KeyError):
            names.append(f"group:{grp.getgrgid(group).gr_name}")
    return names


def aws_names(client: Callable[[], Any] | None = None) -> list[str]:
    """Return the ARN of the principal whose credentials this process has, as AWS says it; none if it says none."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - few policies name ARNs

    from mdm_stream.aws.clients import aws_client  # noqa: PLC0415

    try:
        sts = client() if client is not None else aws_client("sts", None, None)
        return [str(sts.get_caller_identity()["Arn"])]
    except (BotoCoreError, ClientError):
        return []


def _me() -> str:
    return next(iter(account_names()), f"the account {os.geteuid()}")
