"""Many signatures of one key: in one go where it can do that, a few at a time where it is kept elsewhere."""

import asyncio
from collections.abc import Sequence

import pytest

from mintkey.errors import KeyProviderError, Reason
from mintkey.jose.batches import sign_all
from mintkey.jose.prepared import signing_key, verification_key
from mintkey.keys.base import Algorithm, BatchSigning, SigningKey
from tests.support.signing_keys import key_for

INPUTS = [b"%d" % number for number in range(100)]


def echo(signing_input: bytes) -> bytes:
    return b"signed " + signing_input


class Elsewhere:
    """A key that signs one by one, each in a few turns of the loop, the later the sooner; notes what is under way."""

    kid = "elsewhere"
    algorithm: Algorithm = "EdDSA"

    def __init__(self, **fails: BaseException) -> None:
        self.fails = {name.removeprefix("at_").encode(): error for name, error in fails.items()}
        self.under_way = 0
        self.most = 0
        self.begun: list[bytes] = []

    async def sign(self, signing_input: bytes, /) -> bytes:
        self.begun.append(signing_input)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            for _ in range(5 - int(signing_input) % 5):
                await asyncio.sleep(0)
            if signing_input in self.fails:
                raise self.fails[signing_input]
        finally:
            self.under_way -= 1
        return echo(signing_input)


class AtOnce(Elsewhere):
    """A key that signs many in one go."""

    calls = 0

    async def sign_many(self, signing_inputs: Sequence[bytes], /) -> Sequence[bytes]:
        self.calls += 1
        return [echo(signing_input) for signing_input in signing_inputs]


async def test_a_key_that_signs_many_in_one_go_is_asked_once() -> None:
    key = AtOnce()
    assert await sign_all(key, INPUTS) == [echo(text) for text in INPUTS]
    assert (key.calls, key.begun) == (1, [])


@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, 64, 65, 100])
async def test_signatures_come_in_the_order_of_their_inputs_whoever_is_first(count) -> None:
    key = Elsewhere()
    assert not isinstance(key, BatchSigning)
    assert await sign_all(key, INPUTS[:count]) == [echo(text) for text in INPUTS[:count]]
    assert key.begun == INPUTS[:count]


async def test_a_few_are_under_way_at_a_time() -> None:
    key = Elsewhere()
    await sign_all(key, INPUTS)
    assert key.most == 32


async def test_one_that_fails_is_the_callers_when_all_others_have_ended() -> None:
    away = KeyProviderError("away", reason=Reason.SIGNING_FAILED)
    key = Elsewhere(at_34=away)
    with pytest.raises(KeyProviderError) as caught:
        await sign_all(key, INPUTS)
    assert caught.value is away
    assert key.under_way == 0
    assert key.begun == INPUTS[:64]  # nothing is begun in vain


async def test_of_several_that_fail_the_first_is_told() -> None:
    errors = [KeyProviderError(name, reason=Reason.SIGNING_FAILED) for name in ("sixth", "tenth")]
    key = Elsewhere(at_6=errors[0], at_9=errors[1])
    with pytest.raises(KeyProviderError, match="sixth"):
        await sign_all(key, INPUTS)


async def test_a_key_that_cancels_itself_is_cancelled() -> None:
    key = Elsewhere(at_3=asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        await sign_all(key, INPUTS)
    assert key.under_way == 0


@pytest.mark.parametrize("turns", range(1, 16))
async def test_whoever_is_cancelled_leaves_nothing_under_way(turns) -> None:
    key = Elsewhere()
    before = asyncio.all_tasks()
    task = asyncio.create_task(sign_all(key, INPUTS))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert key.under_way == 0
    assert asyncio.all_tasks() == before
    assert len(key.begun) < 100


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "RS256", "HS256"])
async def test_keys_in_memory_sign_many_in_one_go(algorithm) -> None:
    key: SigningKey = signing_key(key_for(algorithm))
    assert isinstance(key, BatchSigning)
    signatures = await sign_all(key, INPUTS[:40])
    verify = verification_key(key_for(algorithm)).verify
    assert all(verify(text, signature) for text, signature in zip(INPUTS[:40], signatures, strict=True))


@pytest.mark.parametrize("made", [99, 101])
async def test_a_key_that_makes_too_few_or_too_many_did_not_sign(made) -> None:
    class Careless(Elsewhere):
        async def sign_many(self, signing_inputs: Sequence[bytes], /) -> Sequence[bytes]:
            return [b"signature"] * made

    with pytest.raises(KeyProviderError) as caught:
        await sign_all(Careless(), INPUTS)
    assert caught.value.reason is Reason.SIGNING_FAILED
