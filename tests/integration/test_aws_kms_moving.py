"""A ring moves from sealed keys to AWS KMS while a fleet mints and verifies: not one token is refused."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mintkey import MintedToken, Purpose, TokenService
from mintkey.keys import (
    AwsKmsCustodian,
    MovingCustodian,
    RedisKeyProvider,
    RotatingKeyProvider,
    RotationPolicy,
    SealedCustodian,
    Sealer,
    SQLKeyProvider,
)
from mintkey.testing import FakeClock
from tests.support.kms import KmsServer

pytest_plugins = ["tests.support.kms_fixtures"]

ACCESS = Purpose("access", lifetime=timedelta(minutes=20))
HOURLY = RotationPolicy(
    every=timedelta(hours=1), previous_ttl=timedelta(minutes=40), publish_ahead=timedelta(minutes=10)
)
Start = Callable[..., RotatingKeyProvider]


@pytest.fixture(params=["sqlite", "valkey"])
def start(request: pytest.FixtureRequest, tmp_path: Path) -> Start:
    """Starts a process of the fleet."""
    if request.param == "sqlite":
        return lambda **settings: SQLKeyProvider(f"sqlite:///{tmp_path}/keys.db", **settings)
    url = request.getfixturevalue("valkey").url
    return lambda **settings: RedisKeyProvider(url, **settings)


class Fleet:
    """Processes, and every token that any of them minted and that has not expired."""

    def __init__(self, stack: AsyncExitStack, start: Start, clock: FakeClock) -> None:
        self._stack, self._start, self._clock = stack, start, clock
        self.processes: list[TokenService] = []
        self.tokens: list[MintedToken] = []

    async def add(self, **settings: Any) -> TokenService:
        keys = self._start(algorithm="ES256", policy=HOURLY, clock=self._clock, **settings)
        tokens = TokenService(issuer="https://myapp.example", keys=keys, clock=self._clock)
        # No background work: the test says what happens when.
        self._stack.push_async_callback(tokens.aclose)
        self.processes.append(tokens)
        return tokens

    async def stop(self, tokens: TokenService) -> None:
        self.processes.remove(tokens)
        await tokens.aclose()

    async def work(self, minters: list[TokenService] | None = None) -> None:
        """Everybody mints, and verifies what anybody minted so far."""
        now = self._clock.time()
        self.tokens = [token for token in self.tokens if token.expires_at.timestamp() > now]
        for tokens in self.processes if minters is None else minters:
            self.tokens.append(await tokens.mint(ACCESS, subject="20"))
        for tokens in self.processes:
            for token in self.tokens:
                assert (await tokens.verify(token, ACCESS)).subject == "20"

    async def pass_time(self, minutes: int) -> None:
        """In steps that are shorter than the refresh interval allows anybody to be out of date by."""
        for _ in range(minutes // 5):
            self._clock.advance(timedelta(minutes=5))
            await self.work()


async def test_every_token_is_accepted_along_the_way(kms: KmsServer, start: Start) -> None:
    clock, sealer = FakeClock(), Sealer([Sealer.generate_key()])
    async with AsyncExitStack() as stack:
        fleet = Fleet(stack, start, clock)

        def moving() -> dict[str, Any]:
            old = SealedCustodian(sealer, ring="default")
            return {
                "custodian": MovingCustodian(AwsKmsCustodian(endpoint_url=kms.url), old),
                "ring_sealer": sealer,
            }

        sealed = [await fleet.add(sealer=sealer) for _ in range(2)]
        await fleet.pass_time(70)
        assert kms.arns() == []

        # One process after the other is started anew; nobody rotates meanwhile.
        for process in sealed:
            await fleet.add(**moving())
            await fleet.work()
            await fleet.stop(process)
            await fleet.work()
        assert kms.arns() == []

        # The ring rotates by time: first the sealed successor signs, then the first key of KMS.
        await fleet.pass_time(60)
        assert len(kms.arns("Enabled")) >= 1
        await fleet.pass_time(60)
        signing = fleet.tokens[-1].key_id
        assert signing in {kms.tags(arn)["mintkey-kid"] for arn in kms.arns("Enabled")}

        # When the last sealed version is past its time, KMS alone will do.
        await fleet.pass_time(60)
        for process in list(fleet.processes):
            await fleet.add(custodian=AwsKmsCustodian(endpoint_url=kms.url), ring_sealer=sealer)
            await fleet.stop(process)
            await fleet.work()
        await fleet.pass_time(120)
        deleted = {kms.tags(arn)["mintkey-kid"] for arn in kms.arns("PendingDeletion")}
        assert not deleted & {token.key_id for token in fleet.tokens}


async def test_a_process_of_the_old_kind_goes_on_verifying(kms: KmsServer, start: Start) -> None:
    """It cannot sign with a key of KMS, so it is not to be there any more when one becomes active."""
    clock, sealer = FakeClock(), Sealer([Sealer.generate_key()])
    async with AsyncExitStack() as stack:
        fleet = Fleet(stack, start, clock)
        await fleet.add(sealer=sealer)
        await fleet.work()
        custodian = MovingCustodian(AwsKmsCustodian(endpoint_url=kms.url), SealedCustodian(sealer, ring="default"))
        new = await fleet.add(custodian=custodian, ring_sealer=sealer)
        keys = new._provider
        assert isinstance(keys, RotatingKeyProvider)
        for _ in range(2):
            await keys.rotate()
            clock.advance(timedelta(seconds=6))
            await fleet.work(minters=[new])
        assert fleet.tokens[-1].key_id in {kms.tags(arn)["mintkey-kid"] for arn in kms.arns()}
