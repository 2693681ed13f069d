"""Cleaning up behind processes that were killed while a key was being made."""

from collections.abc import Sequence
from datetime import timedelta

from mintkey.errors import KeyProviderError, UnsupportedOperationError
from mintkey.keys.engine import RotatingKeyProvider
from mintkey.keys.ports import Sweeping

__all__ = ["sweep"]


async def sweep(provider: RotatingKeyProvider, /, *, older_than: timedelta = timedelta(days=1)) -> Sequence[str]:
    """Destroy keys that were made for the provider's ring and are not in it; what the custodian calls them.

    Keys of other rings and keys that were not made here are never touched. What tells rings apart is the name that the
    custodian was given: two rings of one name, as those of production and of a test, must not share an account.

    Run it now and then, from one place. Nothing breaks without it, but a key elsewhere costs its price until somebody
    destroys it.

    Args:
        provider: Knows the ring; it is looked at anew.
        older_than: Younger keys may be on their way into the ring.

    Raises:
        UnsupportedOperationError: Its custodian has nothing to sweep: private keys are in the ring itself
            (`unsupported`).
        ConfigurationError: `older_than` is too short for this custodian (`configuration`).
        KeyProviderError: The ring cannot be read, or there is none, so nobody knows what is in use; or the custodian
            cannot be reached (`keys_unavailable`).

    Example:
        >>> async def clean_up(keys: RotatingKeyProvider) -> None:
        ...     async with keys:
        ...         for name in await sweep(keys, older_than=timedelta(days=2)):
        ...             print("destroyed:", name)
    """
    workings = provider.workings
    custodian = workings.keychain.custodian
    if not isinstance(custodian, Sweeping):
        raise UnsupportedOperationError("sweep: private keys of this ring leave nothing behind that could be swept")
    versions = (await workings.tasks.run(workings.keeper.refresh())).ring.versions
    if not versions:
        raise KeyProviderError(
            f"sweep: there is no ring {workings.access.ring!r}, so nobody knows which keys are in use"
        )
    return await custodian.sweep([version.material for version in versions], older_than=older_than)
