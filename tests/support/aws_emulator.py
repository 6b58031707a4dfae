"""The APIs of AWS on loopback, for Terraform: moto, and stubs of what it lacks that Terraform waits for or looks at.

    python tests/support/aws_emulator.py

serves until its standard input ends, and prints its address first. Each stub is a function below ``STUBS``, and its
docstring says what moto does without it; tests/infra/emulator.json has what is left out of an apply all the same.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

STUBS: dict[str, str] = {}
"""What moto does without each stub, by its name."""
_APPLY: list[Callable[[], None]] = []
START_S = 60


def _stub(patch: Callable[[], None]) -> Callable[[], None]:
    STUBS[patch.__name__] = " ".join((patch.__doc__ or "").split())
    _APPLY.append(patch)
    return patch


@_stub
def kinesis_tags_at_create() -> None:
    """CreateStream forgets its tags, so that each plan adds them."""
    from moto.kinesis.responses import KinesisResponse  # noqa: PLC0415 - moto is slow to import

    create = KinesisResponse.create_stream

    def create_stream(self: Any) -> Any:
        answer = create(self)
        if tags := self._get_param("Tags"):
            self.kinesis_backend.add_tags_to_stream(None, self._get_param("StreamName"), tags)
        return answer

    KinesisResponse.create_stream = create_stream  # type: ignore[method-assign]


@_stub
def sqs_attributes_are_kept() -> None:
    """SetQueueAttributes forgets RedriveAllowPolicy, for which Terraform waits, and the policy with each attribute.

    RedrivePolicy comes back with spaces in it, which Terraform takes for another one.
    """
    from moto.sqs.models import Queue  # noqa: PLC0415

    set_all, get_all = Queue._set_attributes, Queue.attributes.fget  # type: ignore[attr-defined]

    def set_attributes(self: Any, attributes: dict[str, Any], now: float | None = None) -> None:
        kept = {"Policy": getattr(self, "policy", None)} | attributes
        set_all(self, kept, now)

    def attributes(self: Any) -> dict[str, Any]:
        kept = {name: value for name, value in get_all(self).items() if name != more or value}
        if "RedrivePolicy" in kept:
            kept["RedrivePolicy"] = json.dumps(self.redrive_policy, separators=(",", ":"))
        return kept

    more = "RedriveAllowPolicy"
    Queue.redrive_allow_policy = None  # type: ignore[attr-defined]
    Queue.BASE_ATTRIBUTES = [*Queue.BASE_ATTRIBUTES, more]
    Queue._set_attributes = set_attributes  # type: ignore[method-assign]
    Queue.attributes = property(attributes)  # type: ignore[assignment]


@_stub
def s3_conditions_of_policies() -> None:
    """A bucket's policy that denies under a condition (no TLS, another key) denies always: here none is evaluated."""
    from moto.iam.access_control import PermissionResult  # noqa: PLC0415
    from moto.s3.models import FakeBucket  # noqa: PLC0415

    FakeBucket.get_permission = lambda *_: PermissionResult.NEUTRAL  # type: ignore[method-assign]


@_stub
def budgets_subscribers_and_tags() -> None:
    """DescribeSubscribersForNotification and ListTagsForResource are not implemented, and tags are not kept."""
    from moto.budgets.responses import BudgetsResponse  # noqa: PLC0415

    create = BudgetsResponse.create_budget
    tags: dict[str, Any] = {}

    def create_budget(self: Any) -> str:
        account, name = self._get_param("AccountId"), self._get_param("Budget")["BudgetName"]
        tags[f"arn:aws:budgets::{account}:budget/{name}"] = self._get_param("ResourceTags", [])
        return create(self)

    def list_tags(self: Any) -> str:
        return json.dumps({"ResourceTags": tags.get(self._get_param("ResourceARN"), [])})

    def describe(self: Any) -> str:
        budget = self.backend.budgets[self._get_param("AccountId")][self._get_param("BudgetName")]
        wanted = self._get_param("Notification")
        found = [
            subscriber
            for each in budget.notifications
            if all(each.details.get(name) == value for name, value in wanted.items() if name != "NotificationState")
            for subscriber in each.subscribers
        ]
        return json.dumps({"Subscribers": found})

    BudgetsResponse.create_budget = create_budget  # type: ignore[method-assign]
    BudgetsResponse.list_tags_for_resource = list_tags  # type: ignore[attr-defined]
    BudgetsResponse.describe_subscribers_for_notification = describe  # type: ignore[attr-defined]


@_stub
def glue_connections() -> None:
    """GetConnection forgets the type, so that each plan changes the connection; DeleteConnection is not implemented."""
    from moto.glue.models import FakeConnection  # noqa: PLC0415
    from moto.glue.responses import GlueResponse  # noqa: PLC0415

    as_dict = FakeConnection.as_dict

    def with_type(self: Any, *words: Any, **named: Any) -> dict[str, Any]:
        return as_dict(self, *words, **named) | {"ConnectionType": self.connection_input.get("ConnectionType")}

    def delete(self: Any) -> str:
        del self.glue_backend.connections[self._get_param("ConnectionName")]
        return "{}"

    FakeConnection.as_dict = with_type  # type: ignore[method-assign]
    GlueResponse.delete_connection = delete  # type: ignore[attr-defined]


@contextmanager
def emulator(log: Path) -> Iterator[str]:
    """Run it in a process of its own while the block runs; yield its address. What it says goes to ``log``."""
    with (
        log.open("wb") as said,
        subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said
        ) as process,
    ):
        try:
            assert process.stdout is not None
            address = process.stdout.readline().decode().strip()
            assert address.startswith("http://127.0.0.1:"), log.read_text()
            yield address
        finally:
            process.terminate()


def main() -> None:
    """Serve until standard input ends."""
    from moto.server import ThreadedMotoServer  # noqa: PLC0415

    for patch in _APPLY:
        patch()
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    sys.stdout.write(f"http://{host}:{port}\n")
    sys.stdout.flush()
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    main()
