"""Answers that a provider has at hand, for callers that would otherwise begin a coroutine for every token.

A provider that has the capability is asked by it first, and by `resolve` or `acquire` where that finds nothing. Who
derives from it and overrides only the latter means to be asked every time, and is.
"""

from collections.abc import Callable

from mintkey.keys.base import KeyResolver, KeysAtHand, MintsAtHand, SigningGrant, VerificationKey

__all__ = ["grants_of", "keys_of"]


def keys_of(keys: KeyResolver, /) -> Callable[[str], VerificationKey | None]:
    """What finds a key without waiting; it finds none where `resolve` has to be asked.

    Example:
        >>> class Resolver:
        ...     async def resolve(self, kid, /): ...
        ...     async def aclose(self): ...
        >>> keys_of(Resolver())("kid") is None
        True
    """
    if isinstance(keys, KeysAtHand) and _are_of_one_class(keys, "at_hand", "resolve"):
        return keys.at_hand
    return lambda _kid: None


def grants_of(keys: KeyResolver, /) -> Callable[[], SigningGrant | None]:
    """What gives leave to sign one token without waiting; it gives none where `acquire` has to be asked."""
    if isinstance(keys, MintsAtHand) and _are_of_one_class(keys, "grant_at_hand", "acquire"):
        return keys.grant_at_hand
    return lambda: None


def _are_of_one_class(provider: object, *names: str) -> bool:
    """Whether one class, or the object itself, defines all of these methods as they are called."""
    namespaces = (getattr(provider, "__dict__", {}), *map(vars, type(provider).__mro__))
    definitions = ([name in namespace for name in names] for namespace in namespaces)
    return next((all(defined) for defined in definitions if any(defined)), False)
