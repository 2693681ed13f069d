"""What does each feature cost that is turned on? EdDSA tokens and stores in memory, each against the plain case."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from benchmarks import ours
from benchmarks.ours import SUBJECT
from benchmarks.question import ask
from benchmarks.report import Figure, Line, Plot, Report
from benchmarks.rounds import Sample, Scale, Subject, interleaved
from benchmarks.services import AUDIENCE, SESSION, TICKET
from mintkey import MintRequest, Purpose, TokenService
from mintkey.events import Event
from mintkey.replay import MemoryReplayStore

__all__ = ["measure"]

_CALLS = 300
_KNOWN = 64
_LIFETIME = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Profile:
    """Private claims of a usual size."""

    email: str
    tenant: int
    roles: list[str]


TYPED = Purpose("typed", lifetime=_LIFETIME, audience=AUDIENCE, claims=Profile)
REVOCABLE = Purpose[dict[str, Any]]("revocable", lifetime=_LIFETIME, audience=AUDIENCE, revocable=True)

_PROFILE = Profile(email="alice@example.com", tenant=7, roles=["reader", "editor"])
_CLAIMS = {"email": _PROFILE.email, "tenant": _PROFILE.tenant, "roles": _PROFILE.roles}


class _Listener:
    def __call__(self, event: Event, /) -> None:
        """Be told, and do nothing."""


async def measure(scale: Scale) -> Report:
    """Minting and verifying, with one feature at a time."""
    calls = scale.of(_CALLS)
    async with (
        ours.service(replay=MemoryReplayStore()) as tokens,
        ours.service(hooks=[_Listener()]) as listened,
    ):
        claimed = [await tokens.mint(SESSION, subject=SUBJECT, claims=_CLAIMS) for _ in range(_KNOWN)]
        typed = [await tokens.mint(TYPED, subject=SUBJECT, claims=_PROFILE) for _ in range(_KNOWN)]
        mints: dict[str, Subject] = {
            "plain": ours.minting(tokens),
            "a hook": ours.minting(listened),
            "private claims": ours.minting(tokens, claims=_CLAIMS),
            "typed claims": ours.minting(tokens, TYPED, claims=_PROFILE),
            "mint_many": _many(tokens),
        }
        verifies: dict[str, Subject] = {
            "plain": ours.verifying(tokens, await ours.minted(tokens, _KNOWN)),
            "a hook": ours.verifying(listened, await ours.minted(listened, _KNOWN)),
            "private claims": ours.verifying(tokens, claimed),
            "typed claims": ours.verifying(tokens, typed, TYPED),
            "revocable": ours.verifying(tokens, await ours.minted(tokens, _KNOWN, REVOCABLE), REVOCABLE),
            # Its turns and the one before them: each needs tokens that nobody has spent.
            "single use": _spending(tokens, await ours.minted(tokens, calls * (scale.rounds + 1), TICKET)),
            "redeem": _redeeming(tokens, await ours.minted(tokens, calls * (scale.rounds + 1), TICKET)),
        }
        minted = await interleaved(mints, scale=scale)
        verified = await interleaved(verifies, scale=scale, calls=calls)
    figures = [
        Figure("", f"{what}: {name} / plain, time", 1 / sample.times_faster_than(samples["plain"]), at_least=False)
        for what, samples in (("mint", minted), ("verify", verified))
        for name, sample in samples.items()
        if name != "plain"
    ]
    return Report(tuple(figures), (_plot(minted, verified),))


def _plot(minted: dict[str, Sample], verified: dict[str, Sample]) -> Plot:
    def line(name: str, samples: dict[str, Sample]) -> Line:
        plain = samples["plain"]
        return Line(name, tuple(samples), tuple(1 / one.times_faster_than(plain) for one in samples.values()))

    return Plot(
        file="features",
        title="What a feature costs (EdDSA, stores in memory)",
        x="",
        y="time, times the plain call",
        lines=(line("mint", minted), line("verify", verified)),
        kind="bars",
        values=True,
    )


def _many(tokens: TokenService) -> Subject:
    async def subject(calls: int) -> None:
        await tokens.mint_many(SESSION, [MintRequest(subject=SUBJECT) for _ in range(calls)])

    return subject


def _spending(tokens: TokenService, unspent: list[str]) -> Subject:
    left = iter(unspent)

    async def subject(calls: int) -> None:
        for token in _next(left, calls):
            await tokens.verify(token, TICKET)

    return subject


def _redeeming(tokens: TokenService, unspent: list[str]) -> Subject:
    left = iter(unspent)

    async def subject(calls: int) -> None:
        for token in _next(left, calls):
            async with tokens.redeem(token, TICKET):
                pass

    return subject


def _next(tokens: Iterator[str], count: int) -> Iterator[str]:
    return (next(tokens) for _ in range(count))


if __name__ == "__main__":
    sys.exit(ask(measure, sys.argv[1:]))
