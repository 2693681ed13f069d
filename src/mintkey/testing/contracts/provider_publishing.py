"""What verifies and what is published: the third part of the key provider contract."""

from datetime import timedelta

import pytest

from mintkey.errors import Reason
from mintkey.testing.contracts.provider_harness import (
    BY_HAND,
    HOURLY,
    SECOND,
    StartProcess,
    is_refused,
)

__all__ = ["JWKSetContract", "ResolveContract"]


class ResolveContract:
    """Finding the key of a kid."""

    @pytest.mark.parametrize("kid", ["unknown", "", "../../etc/passwd", "a b", "x" * 129, "é", "a\x00"])
    async def test_an_unknown_kid_is_a_bad_token(self, start: StartProcess, kid: str) -> None:
        """Also one that no key of ours could have."""
        provider = start(HOURLY)
        await provider.acquire()
        await is_refused(provider, kid, Reason.KEY_UNKNOWN)

    async def test_kids_are_compared_whole(self, start: StartProcess) -> None:
        """Neither a prefix nor another case will do."""
        provider = start(HOURLY)
        kid = (await provider.acquire()).key.kid
        for other in (kid[:-1], kid + "A", kid.swapcase()):
            await is_refused(provider, other, Reason.KEY_UNKNOWN)

    async def test_a_key_that_is_newer_than_the_snapshot_is_found(self, start: StartProcess) -> None:
        """An unknown kid is worth one look at the store."""
        here, there = start(BY_HAND), start(BY_HAND)
        await there.acquire()
        await here.rotate()
        newest = (await here.versions())[0].kid
        assert (await there.resolve(newest)).kid == newest


class JWKSetContract:
    """The public keys, as others see them."""

    async def test_the_jwk_set_holds_what_verifies(self, start: StartProcess) -> None:
        """Pending, active and retiring versions, public halves only."""
        provider = start(HOURLY)
        await provider.acquire()
        await provider.rotate()
        published = (await provider.jwks()).as_dict()["keys"]
        assert [key["kid"] for key in published] == [v.kid for v in await provider.versions()]
        assert not any({"d", "p", "q", "dp", "dq", "qi", "k", "oth"} & key.keys() for key in published)
        assert all({"kty", "kid", "alg"} <= key.keys() for key in published)

    async def test_the_jwk_set_may_be_cached_until_the_next_key_could_sign(self, start: StartProcess) -> None:
        """Less the time that other processes and clocks may be behind; without publication ahead not at all."""
        assert (await start(HOURLY).jwks()).max_age == HOURLY.publish_ahead - 10 * SECOND
        assert (await start(BY_HAND).jwks()).max_age == timedelta(0)

    async def test_the_etag_changes_with_the_content(self, start: StartProcess) -> None:
        """And is the same in every process."""
        provider = start(BY_HAND)
        before = (await provider.jwks()).etag
        assert before.startswith('"')
        assert before == (await provider.jwks()).etag == (await start(BY_HAND).jwks()).etag
        await provider.rotate()
        assert (await provider.jwks()).etag != before
