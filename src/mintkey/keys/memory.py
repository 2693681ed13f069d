"""Keys in this process's memory, gone with it."""

from datetime import timedelta

from mintkey.clock import Clock
from mintkey.keys.base import Algorithm
from mintkey.keys.custodians.sealed import custodian_for
from mintkey.keys.engine import RotatingKeyProvider
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.ports import KeyCustodian
from mintkey.keys.sealing import Plaintext, Sealer
from mintkey.keys.stores.memory import MemoryKeyRingStore

__all__ = ["MemoryKeyProvider"]


class MemoryKeyProvider(RotatingKeyProvider):
    """An `IKeyProvider` for one process, for development and for tests: the rotating provider with its ring in memory.

    After a restart nothing that was signed before verifies any more.

    Args:
        store: Where the ring lives; give several providers the same one and they behave like a fleet. By default each
            has its own.
        ring: The ring's name.
        algorithm: What new versions are for.
        policy: When versions rotate and how long they verify.
        clock: Where time comes from; by default the machine's.
        sealer: Seals private keys within the ring, and the ring; by default they are plain.
        custodian: Keeps private keys instead of the ring; not together with `sealer`.
        ring_sealer: Authenticates a ring whose keys the custodian keeps. Without it, whoever can write to the store
            can put a public key of his own there.
        refresh_interval: How old a provider's view of a shared store may become.
        outage_tolerance: As for every rotating provider; memory is never away.
        max_clock_skew: How far the clocks of verifiers may differ.

    Raises:
        ConfigurationError: A setting does not fit (`configuration`).

    Example:
        >>> import asyncio
        >>> async def sign() -> int:
        ...     async with MemoryKeyProvider(policy=RotationPolicy(max_mints=1000)) as keys:
        ...         grant = await keys.acquire()
        ...         return len(await grant.key.sign(b"header.payload"))
        >>> asyncio.run(sign())
        64
    """

    def __init__(
        self,
        *,
        store: MemoryKeyRingStore | None = None,
        ring: str = "default",
        algorithm: Algorithm = "EdDSA",
        policy: RotationPolicy = RotationPolicy(),  # noqa: B008 - immutable
        clock: Clock | None = None,
        sealer: Sealer | Plaintext | None = None,
        custodian: KeyCustodian | None = None,
        ring_sealer: Sealer | None = None,
        refresh_interval: timedelta = timedelta(seconds=5),
        outage_tolerance: timedelta = timedelta(minutes=10),
        max_clock_skew: timedelta = timedelta(seconds=5),
    ) -> None:
        super().__init__(
            MemoryKeyRingStore() if store is None else store,
            ring=ring,
            algorithm=algorithm,
            policy=policy,
            clock=clock,
            sealer=ring_sealer if sealer is None else sealer,
            custodian=custodian_for(
                "MemoryKeyProvider",
                ring=ring,
                sealer=sealer,
                custodian=custodian,
                ring_sealer=ring_sealer,
                default=Plaintext(),
            ),
            refresh_interval=refresh_interval,
            outage_tolerance=outage_tolerance,
            max_clock_skew=max_clock_skew,
        )
