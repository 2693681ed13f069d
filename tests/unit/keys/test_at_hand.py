"""What is at hand is used, and never in place of what somebody overrode."""

from datetime import timedelta

import pytest

from mintkey import Purpose, TokenService
from mintkey.jose.jwk import generate
from mintkey.keys import MemoryKeyProvider, StaticKeyProvider
from mintkey.keys.at_hand import grants_of, keys_of

ACCESS = Purpose("access", lifetime=timedelta(minutes=10))


async def test_a_rotating_provider_has_keys_and_grants_at_hand_once_it_was_asked() -> None:
    keys = MemoryKeyProvider()
    find, grant = keys_of(keys), grants_of(keys)
    assert (find("kid"), grant()) == (None, None)
    kid = (await keys.acquire(4)).key.kid
    for _ in range(100):
        await keys.acquire()
    found, granted = find(kid), grant()
    assert found is not None
    assert granted is not None
    assert (found.kid, granted.key.kid, granted.count) == (kid, kid, 1)
    assert find("another") is None


async def test_a_provider_without_the_capability_is_asked() -> None:
    keys = StaticKeyProvider({"keys": [dict(generate("EdDSA").private_jwk or {})]})
    assert keys_of(keys)("kid") is None
    assert grants_of(keys)() is None
    tokens = TokenService(issuer="i", keys=keys)
    assert (await tokens.verify(await tokens.mint(ACCESS, subject="20"), ACCESS)).subject == "20"


class Watched(MemoryKeyProvider):
    """Overrides what everybody calls, and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    async def resolve(self, kid, /):
        self.asked.append("resolve")
        return await super().resolve(kid)

    async def acquire(self, want=1, /, *, kid=None):
        self.asked.append("acquire")
        return await super().acquire(want, kid=kid)


async def test_who_overrides_what_is_asked_is_asked_every_time() -> None:
    keys = Watched()
    tokens = TokenService(issuer="i", keys=keys)
    for _ in range(3):
        await tokens.verify(await tokens.mint(ACCESS), ACCESS)
    assert keys.asked == ["acquire", "resolve"] * 3


async def test_so_is_an_object_whose_methods_were_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = MemoryKeyProvider()
    monkeypatch.setattr(keys, "resolve", keys.resolve)
    kid = (await keys.acquire(4)).key.kid
    assert keys_of(keys)(kid) is None
    assert keys.at_hand(kid) is not None
