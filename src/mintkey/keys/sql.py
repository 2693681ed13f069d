"""Keys in a database, rotated by whichever process gets there first."""

from datetime import timedelta

from mintkey.clock import Clock
from mintkey.keys.base import Algorithm
from mintkey.keys.custodians.sealed import custodian_for
from mintkey.keys.engine import RotatingKeyProvider
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.ports import KeyCustodian
from mintkey.keys.sealing import Plaintext, Sealer
from mintkey.keys.stores.sql import SQLKeyRingStore
from mintkey.sql.engine import EngineOrURL

__all__ = ["SQLKeyProvider"]


class SQLKeyProvider(RotatingKeyProvider):
    """An `IKeyProvider` for any number of processes: the rotating provider with its ring in SQLite or PostgreSQL.

    A database is read by more people than a key should be, so private keys are sealed, or kept elsewhere, unless the
    caller says `Plaintext()` by name.

    Any number of event loops may share one; only a database in memory and an engine of the caller's belong to one loop.

    Args:
        engine_or_url: `sqlite:///file.db`, `sqlite://` (in memory, forgotten when closed), `postgresql://…`, or an
            `AsyncEngine` that stays the caller's and is never closed here.
        ring: The name of the ring; one database may hold several.
        algorithm: What new versions are for.
        policy: When versions rotate and how long they verify.
        clock: Where time comes from; by default the machine's.
        sealer: Seals private keys and their ring at rest; `Plaintext()` leaves them open to all who get there.
        custodian: Keeps private keys instead of the ring; not together with `sealer`.
        ring_sealer: Authenticates a ring whose keys the custodian keeps. Without it, whoever can write to the database
            can put a public key of his own there.
        refresh_interval: How old a process's view of the ring may become.
        outage_tolerance: How long signing and verifying go on while the database cannot be used.
        max_clock_skew: How far the clocks of processes and verifiers may differ.

    Raises:
        ConfigurationError: Neither `sealer` nor `custodian` is given, or a setting does not fit (`configuration`).
        MissingExtraError: The driver is not installed (`extra_missing`).

    Example:
        >>> from mintkey.keys import Sealer
        >>> provider = SQLKeyProvider("sqlite:///keys.db", sealer=Sealer([Sealer.generate_key()]))
        >>> provider.max_token_age
        datetime.timedelta(days=1)
    """

    def __init__(
        self,
        engine_or_url: EngineOrURL,
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
    ) -> None:
        super().__init__(
            SQLKeyRingStore(engine_or_url),
            ring=ring,
            algorithm=algorithm,
            policy=policy,
            clock=clock,
            sealer=ring_sealer if sealer is None else sealer,
            custodian=custodian_for(
                "SQLKeyProvider",
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
