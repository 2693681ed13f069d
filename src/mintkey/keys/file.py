"""Keys in a local directory, rotated by whichever process gets there first."""

import os
from datetime import timedelta

from mintkey.clock import Clock
from mintkey.keys.base import Algorithm
from mintkey.keys.custodians.sealed import custodian_for
from mintkey.keys.engine import RotatingKeyProvider
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.ports import KeyCustodian
from mintkey.keys.sealing import Plaintext, Sealer
from mintkey.keys.stores.file import FileKeyRingStore

__all__ = ["FileKeyProvider"]


class FileKeyProvider(RotatingKeyProvider):
    """An `IKeyProvider` for all processes of one machine: the rotating provider with its ring in a directory.

    The directory has mode 0700 and the files 0600, so private keys may be plain; give a `Sealer` where backups or
    others with the rights of the machine are to be kept out.

    Args:
        path: The directory, on a local file system; it is made with the first key.
        ring: The name of the ring; one directory may hold several.
        algorithm: What new versions are for.
        policy: When versions rotate and how long they verify.
        clock: Where time comes from; by default the machine's.
        sealer: Seals private keys and their ring at rest; by default they are plain.
        custodian: Keeps private keys instead of the ring; not together with `sealer`.
        ring_sealer: Authenticates a ring whose keys the custodian keeps. Without it, whoever can write to the directory
            can put a public key of his own there.
        refresh_interval: How old a process's view of the ring may become.
        outage_tolerance: How long signing and verifying go on while the directory cannot be read.
        max_clock_skew: How far the clocks of processes and verifiers may differ.

    Raises:
        ConfigurationError: A setting does not fit (`configuration`). What is wrong with the directory is said at the
            first use, because a constructor does no I/O.

    Example:
        >>> provider = FileKeyProvider("/var/lib/myapp/keys", policy=RotationPolicy(every=timedelta(days=7)))
        >>> provider.max_token_age
        datetime.timedelta(days=1)
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
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
            FileKeyRingStore(path),
            ring=ring,
            algorithm=algorithm,
            policy=policy,
            clock=clock,
            sealer=ring_sealer if sealer is None else sealer,
            custodian=custodian_for(
                "FileKeyProvider",
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
