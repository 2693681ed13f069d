"""The corpus against verifiers that have a past: a warm cache, a spent token, a revoked one."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mintkey import InvalidTokenError, Purpose, Reason, TokenVerifier, VerificationCache
from mintkey.jose.base64url import decode
from mintkey.replay import MemoryReplayStore
from mintkey.testing import FakeClock
from tests.security.attacks.case import LOGIN, Case
from tests.security.attacks.corpus import ONE_OF_A_KIND, cases, families_of, forge_of
from tests.security.attacks.forge import ISSUER, NOW
from tests.security.attacks.trial import Trial, keys_of

MANY_TIMES = Purpose(
    LOGIN.name, lifetime=LOGIN.lifetime, audience=LOGIN.audience, headers=LOGIN.headers, leeway=LOGIN.leeway
)


@pytest.mark.parametrize("algorithm", ONE_OF_A_KIND)
async def test_a_warm_cache_changes_no_verdict(algorithm: str) -> None:
    """Tokens and headers that were good before are remembered; what is near one of them is not."""
    every = [replace(case, purpose=MANY_TIMES) for case in every_case(algorithm) if case.purpose is LOGIN]
    trial = Trial(forge_of(algorithm), cache=VerificationCache())
    await trial.tokens.verify(forge_of(algorithm).good, MANY_TIMES)
    for _ in range(2):  # the second time every accepted one comes from the cache
        assert await trial.objections(every, ("verify",)) == []


@pytest.mark.parametrize("algorithm", ONE_OF_A_KIND)
async def test_a_spent_token_is_spent_in_every_spelling(algorithm: str) -> None:
    """Another signature of ours, an escape, a space: it has the same id, and so it is the same token."""
    tokens = verifier(algorithm)
    await tokens.verify(forge_of(algorithm).good, LOGIN)
    spellings = list(of_the_same_id(algorithm))
    assert len(spellings) > 100
    for case in spellings:
        assert await verdict(tokens, case) == (case.name, Reason.REPLAYED)


@pytest.mark.parametrize("algorithm", ONE_OF_A_KIND)
async def test_a_revoked_token_is_revoked_in_every_spelling(algorithm: str) -> None:
    tokens = verifier(algorithm)
    await tokens.revoke(forge_of(algorithm).good, LOGIN)
    for case in of_the_same_id(algorithm):
        assert await verdict(tokens, case) == (case.name, Reason.REVOKED)


@pytest.mark.parametrize("algorithm", ONE_OF_A_KIND)
async def test_nothing_refused_spends_or_revokes_anything(algorithm: str) -> None:
    """After thousands of attacks on one token its owner can still use it."""
    tokens = verifier(algorithm)
    for family in ("unsecured", "signature-bytes", "header-texts", "times", "audiences"):
        for case in cases(algorithm, family):
            if case.reason is not None:
                with pytest.raises(InvalidTokenError):
                    await tokens.verify(case.token, case.purpose, scopes=case.scopes)
                if case.reason is Reason.SIGNATURE_INVALID:
                    with pytest.raises(InvalidTokenError):
                        await tokens.revoke(case.token, case.purpose)
    assert (await tokens.verify(forge_of(algorithm).good, LOGIN)).id == forge_of(algorithm).claims["jti"]


def every_case(algorithm: str) -> Iterator[Case]:
    return (case for family in families_of(algorithm) for case in cases(algorithm, family))


def of_the_same_id(algorithm: str) -> Iterator[Case]:
    """What is accepted and says that it is the good token."""
    good = forge_of(algorithm).claims["jti"]
    for case in every_case(algorithm):
        if case.reason is None and case.purpose.name == LOGIN.name:
            claims = json.loads(decode(case.token.split(".")[1]))
            if claims["jti"] == good:
                yield case


def verifier(algorithm: str) -> TokenVerifier:
    clock = FakeClock(datetime.fromtimestamp(NOW, UTC))
    # Without a fence: some of the tokens say that they are older than any store.
    store = MemoryReplayStore(clock=clock, fence=False)
    return TokenVerifier(issuer=ISSUER, keys=keys_of(forge_of(algorithm)), replay=store, clock=clock)


async def verdict(tokens: TokenVerifier, case: Case) -> tuple[str, object]:
    try:
        return case.name, await tokens.verify(case.token, case.purpose, scopes=case.scopes)
    except InvalidTokenError as error:
        return case.name, error.reason
