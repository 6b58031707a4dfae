"""What an error of ours says of one of Redis, whose replies repeat arguments."""

from __future__ import annotations

import pytest
import redis
from redis.exceptions import InvalidResponse, NoPermissionError, RedisError, ResponseError

from mdm_stream.errors import MdmError
from mdm_stream.index.redis.said import said_by_redis
from mdm_stream.index.redis.scripts import translated

VALUE = "Wilhelmina"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ResponseError(f"WRONGTYPE Operation against '{VALUE}'"), "ResponseError, WRONGTYPE"),
        (ResponseError(f"value {VALUE} is not an integer"), "ResponseError"),
        (
            ResponseError(f"unknown command 'WAIT', with args beginning with: '{VALUE}'"),
            "ResponseError, the command is WAIT",
        ),
        (
            NoPermissionError("User mdm has no permissions to run the 'wait' command"),
            "NoPermissionError, the command is wait",
        ),
        (
            redis.ConnectionError("Error 111 connecting to 10.0.0.7:6379. Connection refused."),
            "ConnectionError, Error 111 connecting to 10.0.0.7:6379. Connection refused.",
        ),
        (redis.ConnectionError(f"Error 111 connecting to {VALUE} {VALUE}: {VALUE}"), "ConnectionError"),
        (InvalidResponse(f"Protocol Error: b'{VALUE}'"), "InvalidResponse"),
    ],
)
def test_type_code_address_and_command_are_told(error: RedisError, said: str) -> None:
    """They are what an operator needs; the rest of a reply may be a value of a record."""
    assert said_by_redis(error) == said
    with pytest.raises(MdmError, match=r"Redis (did not take|refused) the call") as caught, translated():
        raise error
    assert VALUE not in str(caught.value)
