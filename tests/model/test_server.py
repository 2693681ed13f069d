"""The server of the model answers as a real one, in the states and to the commands that a search comes to."""

from functools import partial
from typing import Any

import redis

from mintkey.redis.protocol import Reply
from mintkey.replay.redis_scripts import COMMIT, REVOKE, TAKE_BACK
from tests.model.claims import ClaimWorld
from tests.model.redis import Command, Server
from tests.model.scenarios import SCENARIOS
from tests.model.search import explore
from tests.support.servers import RedisServer

Data = tuple[tuple[bytes, bytes], ...]
Step = tuple[Data, Command]
ENOUGH = ("two redeem", "one redeems in vain, one spends", "one revokes, one redeems", "memory is lost, one redeems")


def steps() -> dict[Step, tuple[Reply, Data]]:
    """What the server was asked in which state, what it answered and what it held then."""
    seen: dict[Step, tuple[Reply, Data]] = {}

    class Recording(Server):
        def execute(self, command: Command) -> Reply:
            before = tuple(sorted(self.data.items()))
            reply = super().execute(command)
            seen[before, command] = reply, tuple(sorted(self.data.items()))
            return reply

    for name in ENOUGH:
        explore(partial(ClaimWorld, *SCENARIOS[name], server_type=Recording))
    return seen


def test_it_answers_as_a_real_one(valkey: RedisServer) -> None:
    client: Any = redis.Redis(host="127.0.0.1", port=valkey.port, password=valkey.password)
    with client:
        for script in (COMMIT, TAKE_BACK, REVOKE):
            client.script_load(script._source)
        seen = steps()
        keys = sorted({key for before, _ in seen for key, _ in before})
        for (before, command), (reply, after) in seen.items():
            pipeline = client.pipeline(transaction=False).flushdb()
            for key, value in before:
                pipeline.execute_command("SET", key, value, "PX", 60_000)
            *_, answered, held, size = pipeline.execute_command(*command).mget(keys).dbsize().execute()
            # redis-py says True where the server says OK.
            assert (b"OK" if answered is True else answered) == reply, (before, command)
            found = {key: value for key, value in zip(keys, held, strict=True) if value is not None}
            assert (tuple(sorted(found.items())), len(found)) == (after, size), (before, command)
    assert {command[0] for _, command in seen} == {b"SET", b"GET", b"EVALSHA"}
    assert len(seen) > 80
