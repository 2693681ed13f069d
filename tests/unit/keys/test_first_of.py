"""Several sources as one: in order, and none of them hides another."""

import asyncio
from contextlib import suppress
from datetime import timedelta

import anyio
import pytest

from mintkey.errors import (
    ConfigurationError,
    KeyNotFoundError,
    KeyProviderError,
    KeyRevokedError,
    Reason,
    RemoteKeysError,
)
from mintkey.jose.jwk import generate
from mintkey.keys import (
    FirstOfKeyResolver,
    JWKSKeyResolver,
    MemoryKeyProvider,
    RotationPolicy,
    StaticKeyResolver,
    VerificationKey,
)
from mintkey.keys.at_hand import keys_of
from mintkey.lifecycle import Resource
from mintkey.testing import FakeClock
from tests.support.remote import Endpoint, jwks, public

ONE, TWO = generate("EdDSA"), generate("ES256")


def static(*keys) -> StaticKeyResolver:
    return StaticKeyResolver({"keys": [public(key) for key in keys]})


class Source(Resource):
    """Answers what a test says; the same to everybody."""

    def __init__(self, answer: VerificationKey | Exception | None = None) -> None:
        self.answer = answer
        self.asked = 0
        self.openings: list[str] = []
        self.cannot_open: BaseException | None = None

    async def resolve(self, kid: str, /) -> VerificationKey:
        self.asked += 1
        if self.answer is None:
            await anyio.sleep_forever()
        if isinstance(self.answer, Exception):
            raise self.answer
        assert self.answer is not None
        return self.answer

    async def _open(self) -> None:
        if self.cannot_open is not None:
            raise self.cannot_open
        self.openings.append("open")

    async def _close(self) -> None:
        self.openings.append("close")


class Quick(Source):
    """One that answers at hand."""

    def at_hand(self, kid: str, /) -> VerificationKey | None:
        return self.answer if self.answer is not None and not isinstance(self.answer, Exception) else None

    async def resolve(self, kid: str, /) -> VerificationKey:
        return await super().resolve(kid)


class Revoking(Quick):
    """One that can revoke, too."""

    def at_hand(self, kid: str, /) -> VerificationKey | None:
        return super().at_hand(kid)

    async def resolve(self, kid: str, /) -> VerificationKey:
        return await super().resolve(kid)

    async def revoke(self, kid: str, /) -> None: ...


UNKNOWN = KeyNotFoundError("unknown")
RETIRED = KeyNotFoundError("retired", reason=Reason.KEY_RETIRED)
REVOKED = KeyRevokedError("revoked")
AWAY = RemoteKeysError("away")


async def key_of(loaded) -> VerificationKey:
    return await static(loaded).resolve(loaded.kid)


async def error_of(*answers: Exception) -> Exception:
    with pytest.raises((KeyNotFoundError, RemoteKeysError, KeyProviderError)) as caught:
        await FirstOfKeyResolver(*map(Source, answers)).resolve("kid")
    return caught.value


# What they say together


async def test_the_first_that_has_a_key_answers():
    first, second = Source(await key_of(ONE)), Source(await key_of(TWO))
    assert (await FirstOfKeyResolver(first, second).resolve("kid")).kid == ONE.kid
    assert second.asked == 0


async def test_later_sources_have_what_earlier_ones_have_not():
    resolver = FirstOfKeyResolver(static(ONE), static(TWO))
    assert [(await resolver.resolve(key.kid)).kid for key in (ONE, TWO)] == [ONE.kid, TWO.kid]


async def test_an_outage_hides_no_key_of_another_source():
    assert (await FirstOfKeyResolver(Source(AWAY), static(ONE)).resolve(ONE.kid)).kid == ONE.kid


async def test_only_if_all_say_so_a_key_is_unknown():
    assert (await error_of(UNKNOWN, UNKNOWN)).reason is Reason.KEY_UNKNOWN
    assert (await error_of(UNKNOWN, AWAY, UNKNOWN)) is AWAY
    assert (await error_of(AWAY, KeyProviderError("another"))) is AWAY


async def test_a_key_that_one_of_them_had_once_is_past_its_time():
    assert await error_of(UNKNOWN, RETIRED, UNKNOWN) is RETIRED


async def test_whoever_knows_a_key_as_revoked_has_the_last_word():
    later = static(ONE)
    with pytest.raises(KeyRevokedError):
        await FirstOfKeyResolver(Source(AWAY), Source(REVOKED), later).resolve(ONE.kid)


async def test_a_ring_that_revoked_a_key_is_not_overruled_by_where_the_key_was_before():
    clock = FakeClock()
    new = MemoryKeyProvider(clock=clock, policy=RotationPolicy(every=None))
    kid = (await new.acquire()).key.kid
    old = Quick(await new.resolve(kid))
    resolver = FirstOfKeyResolver(new, old)
    assert keys_of(resolver)(kid) is not None
    await new.revoke(kid)
    assert keys_of(resolver)(kid) is None
    with pytest.raises(KeyRevokedError):
        await resolver.resolve(kid)


# Nobody waits who need not


async def test_a_set_is_not_searched_for_what_a_later_source_has_at_hand():
    hanging, other = Quick(), Quick(await key_of(ONE))
    resolver = FirstOfKeyResolver(hanging, other)
    assert (await resolver.resolve(ONE.kid)).kid == ONE.kid
    assert keys_of(resolver)(ONE.kid) is not None
    assert hanging.asked == 0


@pytest.mark.parametrize("kind", [Source, Revoking])
async def test_who_may_know_better_has_a_moment_to_say_so(kind):
    hanging, other = kind(), Quick(await key_of(ONE))
    resolver = FirstOfKeyResolver(hanging, other)
    assert keys_of(resolver)(ONE.kid) is None
    assert (await resolver.resolve(ONE.kid)).kid == ONE.kid
    assert hanging.asked == 1


async def test_what_a_group_may_know_counts_for_the_group():
    other = Quick(await key_of(ONE))
    assert keys_of(FirstOfKeyResolver(FirstOfKeyResolver(Quick(UNKNOWN)), other))("kid") is not None
    within = FirstOfKeyResolver(Quick(UNKNOWN), Revoking(REVOKED))
    resolver = FirstOfKeyResolver(within, other)
    assert keys_of(resolver)("kid") is None
    with pytest.raises(KeyRevokedError):
        await resolver.resolve("kid")


async def test_two_issuers_of_which_one_hangs():
    away, there = Endpoint(jwks(ONE)), Endpoint(jwks(TWO))
    away.hang()
    keys = [
        JWKSKeyResolver("https://a.example/jwks", transport=away, timeout=timedelta(seconds=0.05)),
        JWKSKeyResolver("https://b.example/jwks", transport=there),
    ]
    async with FirstOfKeyResolver(*keys) as resolver:
        assert (await resolver.resolve(TWO.kid)).kid == TWO.kid
        for _ in range(100):
            assert (await resolver.resolve(TWO.kid)).kid == TWO.kid
        with pytest.raises(RemoteKeysError):
            await resolver.resolve("unknown")
    assert away.count == 1
    assert there.count == 2


# Opening and closing


async def test_it_opens_and_closes_its_sources():
    sources = Source(UNKNOWN), Source(UNKNOWN)
    async with FirstOfKeyResolver(*sources):
        assert [source.openings for source in sources] == [["open"]] * 2
    assert [source.openings for source in sources] == [["open", "close"]] * 2


async def test_without_being_entered_it_opens_them_at_the_first_use():
    source = Source(UNKNOWN)
    resolver = FirstOfKeyResolver(source)
    for _ in range(2):
        with suppress(KeyNotFoundError):
            await resolver.resolve("kid")
    for _ in range(2):
        await resolver.aclose()
    assert source.openings == ["open", "close"]


async def test_a_source_that_somebody_else_has_open_stays_open():
    source = Source(UNKNOWN)
    async with source:
        async with FirstOfKeyResolver(source):
            pass
        assert source.openings == ["open"]
    assert source.openings == ["open", "close"]


async def test_one_that_cannot_be_opened_does_not_keep_the_others_closed():
    away, there = Source(AWAY), Source(await key_of(ONE))
    away.cannot_open = AWAY
    async with FirstOfKeyResolver(away, there) as resolver:
        assert (await resolver.resolve(ONE.kid)).kid == ONE.kid
        assert away.asked == 1
        away.cannot_open = None
        await away.__aenter__()  # somebody else opens it meanwhile, and keeps it
    assert away.openings == ["open"]
    assert there.openings == ["open", "close"]


async def test_a_mistake_closes_what_was_opened():
    good, wrong = Source(UNKNOWN), Source(UNKNOWN)
    wrong.cannot_open = ConfigurationError("wrong")
    with pytest.raises(ConfigurationError):
        await FirstOfKeyResolver(good, wrong).__aenter__()
    assert good.openings == ["open", "close"]


async def test_a_resolver_that_cannot_be_entered_is_closed():
    class Plain:
        closed = 0

        async def resolve(self, kid: str, /) -> VerificationKey:
            raise UNKNOWN

        async def aclose(self) -> None:
            self.closed += 1

    plain = Plain()
    async with FirstOfKeyResolver(plain):
        pass
    assert plain.closed == 1


def test_it_needs_a_source():
    with pytest.raises(ConfigurationError, match="at least one"):
        FirstOfKeyResolver()


def test_it_says_how_many_it_has():
    assert repr(FirstOfKeyResolver(static(ONE), static(TWO))) == "<FirstOfKeyResolver of 2>"


def test_it_can_be_used_by_one_event_loop_after_another():
    resolver = FirstOfKeyResolver(static(ONE))
    for _ in range(2):
        assert asyncio.run(resolver.resolve(ONE.kid)).kid == ONE.kid
