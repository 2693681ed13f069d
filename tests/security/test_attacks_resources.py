"""Ten megabytes, a hundred thousand levels, ten million dots: refused quickly and in bounded memory.

Twice: with the default limit, by which none of it is looked at, and with a limit that lets all of it through to the
readers, as somebody might set it who has large tokens.
"""

import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import pytest

from mintkey import InvalidTokenError, Reason, TokenVerifier, speed
from mintkey.jose import verify_compact
from mintkey.testing import FakeClock
from tests.security.attacks.case import LOGIN
from tests.security.attacks.corpus import forge_of
from tests.security.attacks.forge import ISSUER, NOW
from tests.security.attacks.heavy import HEAVY
from tests.security.attacks.trial import Witness, keys_of

SIZE = 10_000_000
SECONDS = 5.0  # of processor time on a busy machine; the slowest takes one
TIMES = 50  # how many bytes of memory a byte of a token may take on its way through the readers


@pytest.mark.parametrize("attack", ["letters", "dots", "not ASCII", "payload of letters", "deep claims"])
async def test_by_default_none_of_it_is_looked_at(attack: str) -> None:
    token, tokens, jwk = token_of(attack, SIZE), verifier(), forge_of("EdDSA").jwk
    with measured(seconds=SECONDS / 10, memory=SIZE // 50):  # not even a copy
        for ask in (tokens.peek, tokens.verify, tokens.revoke):
            with pytest.raises(InvalidTokenError) as refused:
                await ask(token, LOGIN)
            assert refused.value.reason is Reason.TOO_LARGE
            assert len(str(refused.value)) + len(repr(refused.value.details)) < 200
        with pytest.raises(InvalidTokenError):
            async with tokens.redeem(token, LOGIN):
                pass
        with pytest.raises(InvalidTokenError):
            verify_compact(token, jwk, algorithms=["EdDSA"])


@pytest.mark.usefixtures("with_and_without_speed")
@pytest.mark.parametrize("attack", HEAVY)
async def test_whoever_allows_large_tokens_is_not_kept_busy(attack: str) -> None:
    tokens = verifier(max_token_bytes=10 * SIZE)
    # The extra gets a part of it, to whose size all is in proportion.
    token = token_of(attack, SIZE // 5 if speed.json_loads() else SIZE)
    began = time.thread_time()
    await refuse(tokens, token, HEAVY[attack].reason)
    assert time.thread_time() - began < SECONDS
    # Watching memory takes its own time, so it is watched with less.
    token = token_of(attack, SIZE // 20)
    with measured(seconds=SECONDS, memory=TIMES * len(token)):
        await refuse(tokens, token, HEAVY[attack].reason)


async def refuse(tokens: TokenVerifier, token: str, reason: Reason) -> None:
    with pytest.raises(InvalidTokenError) as refused:
        await tokens.verify(token, LOGIN)
    assert refused.value.reason is reason


@lru_cache(maxsize=1)
def token_of(attack: str, size: int) -> str:
    return HEAVY[attack].make(forge_of("EdDSA"), size)


def verifier(**limits: Any) -> TokenVerifier:
    clock = FakeClock(datetime.fromtimestamp(NOW, UTC))
    keys = keys_of(forge_of("EdDSA"))
    return TokenVerifier(issuer=ISSUER, keys=keys, replay=Witness(), clock=clock, **limits)


@contextmanager
def measured(*, seconds: float, memory: int) -> Iterator[None]:
    """Fails where the block takes more processor time, or at any moment more memory."""
    tracemalloc.start()
    began = time.thread_time()
    try:
        yield
        took, (_, peak) = time.thread_time() - began, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert took < seconds
    assert peak < memory
