"""Private keys are out of reach in a custodian; whoever can write to the ring's store tries public keys of his own.

What he may do in every one of our stores: read the ring, and put another document in its place, under its very seal or
without one.
"""

import json
from collections.abc import Callable
from contextlib import aclosing, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mintkey import KeyNotFoundError, KeyProviderError, MintedToken, Purpose, Reason, TokenService
from mintkey.errors import MintkeyError, UnsupportedOperationError
from mintkey.jose.generation import generate
from mintkey.jose.loaded import LoadedKey
from mintkey.keys import (
    FileKeyProvider,
    KeyRingStore,
    MemoryKeyProvider,
    RedisKeyProvider,
    RotatingKeyProvider,
    Sealer,
    SQLKeyProvider,
    StaticKeyProvider,
)
from mintkey.keys.stores.file import FileKeyRingStore
from mintkey.keys.stores.memory import MemoryKeyRingStore
from mintkey.keys.stores.redis import RedisKeyRingStore
from mintkey.keys.stores.sql import SQLKeyRingStore
from mintkey.lifecycle import Resource
from mintkey.testing import FakeClock
from tests.support.ring_faults import FaultyCustodian

ISSUER = "https://myapp.example"
ACCESS = Purpose("access", lifetime=timedelta(minutes=5))
OLD, NEW = bytes(range(32)), bytes(range(32, 64))

Start = Callable[..., RotatingKeyProvider]


class Place:
    """A store of a kind, and what reaches it: processes of the application, and he."""

    def __init__(self, provider: Start, attacker: Callable[[], KeyRingStore]) -> None:
        self._provider = provider
        self.attacker = attacker
        self.custodian = FaultyCustodian()
        self.clock = FakeClock()

    def start(self, **settings: Any) -> RotatingKeyProvider:
        return self._provider(clock=self.clock, custodian=self.custodian, **settings)

    async def mint(self, keys: RotatingKeyProvider) -> MintedToken:
        async with aclosing(TokenService(issuer=ISSUER, keys=keys, clock=self.clock)) as tokens:
            return await tokens.mint(ACCESS, subject="20")

    async def subject(self, keys: RotatingKeyProvider, token: str) -> str | None:
        """Whoever is let in by a token."""
        async with aclosing(TokenService(issuer=ISSUER, keys=keys, clock=self.clock)) as tokens:
            return (await tokens.verify(token, ACCESS)).subject


@pytest.fixture(params=["memory", "file", "sqlite", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "memory":
        store = MemoryKeyRingStore()
        return Place(lambda **settings: MemoryKeyProvider(store=store, **settings), lambda: store)
    if request.param == "file":
        return Place(lambda **settings: FileKeyProvider(tmp_path, **settings), lambda: FileKeyRingStore(tmp_path))
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/keys.db"
        return Place(lambda **settings: SQLKeyProvider(url, **settings), lambda: SQLKeyRingStore(url))
    redis = request.getfixturevalue("valkey").url
    return Place(lambda **settings: RedisKeyProvider(redis, **settings), lambda: RedisKeyRingStore(redis))


async def smuggle(place: Place, key: LoadedKey, *, keeps_seal: bool = True) -> None:
    """Add a public key to the ring, as one that signed before and verifies still."""
    store = place.attacker()
    async with store if isinstance(store, Resource) else nullcontext():
        stored = await store.load("default")
        assert stored is not None
        line, sealed, document = stored.document.rpartition(b"\n")
        members: dict[str, Any] = json.loads(document)
        his = {"kid": key.kid, "public_jwk": key.public_jwk, "handle": ""}
        times = {"retires_at": place.clock.time(), "verify_until": place.clock.time() + 1e6}
        active = next(version for version in members["versions"] if version["activates_at"] is not None)
        members["versions"].insert(0, active | his | times)
        forged = json.dumps(members).encode()
        if keeps_seal:
            forged = line + sealed + forged
        assert await store.compare_and_swap("default", expected=stored.revision, document=forged)


async def token_of(key: LoadedKey, clock: FakeClock) -> str:
    keys = StaticKeyProvider({"keys": [key.private_jwk]})
    return await TokenService(issuer=ISSUER, keys=keys, clock=clock).mint(ACCESS, subject="admin")


@pytest.mark.parametrize("keeps_seal", [True, False])
async def test_a_sealed_ring_takes_no_key_of_his(place: Place, keeps_seal: bool) -> None:
    key = generate("EdDSA")
    async with place.start(ring_sealer=Sealer([OLD])) as running:
        ours = await place.mint(running)
        await smuggle(place, key, keeps_seal=keeps_seal)
        his = await token_of(key, place.clock)
        place.clock.advance(timedelta(seconds=6))
        async with place.start(ring_sealer=Sealer([OLD])) as fresh:
            for keys in (fresh, running):
                with pytest.raises(MintkeyError) as caught:
                    await place.subject(keys, his)
                assert caught.value.reason in {Reason.KEYS_UNAVAILABLE, Reason.KEY_UNKNOWN}
            with pytest.raises(KeyProviderError, match="seal"):
                await fresh.acquire()
        assert await place.subject(running, ours) == "20"  # goes on with what it knows


async def test_without_a_seal_he_gets_in(place: Place) -> None:
    """What the seal is there for; a custodian alone hides private keys and proves nothing about public ones."""
    key = generate("EdDSA")
    async with place.start() as before:
        await before.acquire()
    await smuggle(place, key)
    async with place.start() as keys:
        his = await token_of(key, place.clock)
        assert await place.subject(keys, his) == "admin"


async def test_a_sealed_ring_signs_verifies_and_rotates(place: Place) -> None:
    async with place.start(ring_sealer=Sealer([OLD])) as keys, place.start(ring_sealer=Sealer([OLD])) as other:
        token = await place.mint(keys)
        assert (await keys.rotate()).kid != token.key_id
        assert await place.subject(other, token) == "20"


async def test_the_key_of_the_seal_is_replaced_as_that_of_keys(place: Place) -> None:
    """No key is sealed anew, because none is here."""
    async with place.start(ring_sealer=Sealer([OLD])) as old:
        kid = (await old.acquire()).key.kid
    async with place.start(ring_sealer=Sealer([NEW, OLD])) as both:
        assert await both.rewrap() == 0
    async with place.start(ring_sealer=Sealer([NEW])) as new:
        assert (await new.resolve(kid)).kid == kid
    async with place.start(ring_sealer=Sealer([OLD])) as old:
        with pytest.raises(KeyProviderError, match="does not pass its seal"):
            await old.acquire()


async def test_a_ring_without_a_seal_has_nothing_to_seal_anew(place: Place) -> None:
    async with place.start() as keys:
        await keys.acquire()
        with pytest.raises(UnsupportedOperationError, match="kept elsewhere"):
            await keys.rewrap()


async def test_one_who_forgets_the_sealer_is_told(place: Place) -> None:
    async with place.start(ring_sealer=Sealer([OLD])) as keys:
        kid = (await keys.acquire()).key.kid
    async with place.start() as keys:
        with pytest.raises(KeyProviderError, match="give the sealer"):
            await keys.resolve(kid)


async def test_he_is_nobody_to_a_ring_he_did_not_write_to(place: Place) -> None:
    """The attack works by the ring alone, or this module proves nothing."""
    async with place.start() as keys:
        await keys.acquire()
        his = await token_of(generate("EdDSA"), place.clock)
        with pytest.raises(KeyNotFoundError):
            await place.subject(keys, his)
