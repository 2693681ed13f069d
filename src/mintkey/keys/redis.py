"""Keys in Redis, rotated by whichever process gets there first, and told to the others at once."""

from datetime import timedelta

from redis.asyncio import Redis, RedisCluster

from mintkey.clock import Clock
from mintkey.keys.base import Algorithm
from mintkey.keys.custodians.sealed import custodian_for
from mintkey.keys.engine import RotatingKeyProvider
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.ports import KeyCustodian
from mintkey.keys.sealing import Plaintext, Sealer
from mintkey.keys.stores.redis import RedisKeyRingStore

__all__ = ["RedisKeyProvider"]


class RedisKeyProvider(RotatingKeyProvider):
    """An `IKeyProvider` for a fleet: the rotating provider with its ring in Redis or Valkey.

    A server is read by more people than a key should be, so private keys are sealed, or kept elsewhere, unless the
    caller says `Plaintext()` by name. The ring should outlive a restart: give the server persistence or replicas, and
    `maxmemory-policy noeviction`, which is checked at the first connection.

    Args:
        redis_or_url: A `redis.asyncio.Redis`, also one of `Sentinel.master_for`, a `redis.asyncio.RedisCluster` (none
            is ever used itself, or closed), or a URL: `redis://…`, `rediss://…`, `unix://…`,
            `redis+cluster://host:port,host:port`, `redis+sentinel://host:port,host:port/service`.
        ring: The name of the ring; one server may hold several.
        algorithm: What new versions are for.
        policy: When versions rotate and how long they verify.
        clock: Where time comes from; by default the machine's.
        sealer: Seals private keys and their ring at rest; `Plaintext()` leaves them open to all who get there.
        custodian: Keeps private keys instead of the ring; not together with `sealer`.
        ring_sealer: Authenticates a ring whose keys the custodian keeps. Without it, whoever can write to the server
            can put a public key of his own there.
        refresh_interval: How old a process's view of the ring may become.
        outage_tolerance: How long signing and verifying go on while the server cannot be used.
        max_clock_skew: How far the clocks of processes and verifiers may differ.
        prefix: The beginning of every key in Redis, 1 to 32 characters of `[A-Za-z0-9._:-]`.
        replicas: How many replicas must confirm each write before it counts.

    Raises:
        ConfigurationError: Neither `sealer` nor `custodian` is given, or a setting does not fit (`configuration`).

    Example:
        >>> from mintkey.keys import Sealer
        >>> provider = RedisKeyProvider("redis://localhost", sealer=Sealer([Sealer.generate_key()]))
        >>> provider.max_token_age
        datetime.timedelta(days=1)
    """

    def __init__(
        self,
        redis_or_url: Redis | RedisCluster | str,
        *,
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
        prefix: str = "mk",
        replicas: int = 0,
    ) -> None:
        super().__init__(
            RedisKeyRingStore(redis_or_url, prefix=prefix, replicas=replicas),
            ring=ring,
            algorithm=algorithm,
            policy=policy,
            clock=clock,
            sealer=ring_sealer if sealer is None else sealer,
            custodian=custodian_for(
                "RedisKeyProvider",
                ring=ring,
                sealer=sealer,
                custodian=custodian,
                ring_sealer=ring_sealer,
                default=None,
            ),
            refresh_interval=refresh_interval,
            outage_tolerance=outage_tolerance,
            max_clock_skew=max_clock_skew,
        )
