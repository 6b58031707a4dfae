"""Where a local stack that a test has started is found, as ``mdm-stream up`` writes it down for the commands."""

from __future__ import annotations

from pathlib import Path

from mdm_stream.deployment import WAREHOUSE_FILE, RunningStack
from mdm_stream.local.stack import CHANGES_STREAM, GOLDEN_STREAM, LocalStack


def addresses_of(stack: LocalStack, rules_file: Path) -> RunningStack:
    """Return the addresses of a stack whose consumers have these rules."""
    return RunningStack(
        kinesis_endpoint_url=stack.kinesis.endpoint_url,
        changes_stream=CHANGES_STREAM,
        golden_stream=GOLDEN_STREAM,
        redis_url=stack.redis.url,
        warehouse=str(stack.state_dir / WAREHOUSE_FILE),
        rules=(str(rules_file),),
        keys=stack.kinesis.keys,
    )
