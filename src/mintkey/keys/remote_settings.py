"""The settings of a resolver of remote keys, checked together."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlsplit

from mintkey.errors import ConfigurationError
from mintkey.http.urls import url_problem
from mintkey.jose.algorithms import SPECS, find_spec
from mintkey.keys.base import Algorithm
from mintkey.keys.remote_state import Lifetimes

__all__ = ["RemoteSettings"]

_PUBLIC: tuple[Algorithm, ...] = tuple(name for name, spec in SPECS.items() if not spec.symmetric)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteSettings:
    """What `JWKSKeyResolver` was given, checked.

    Attributes:
        url: Of the JWK Set.
        timeout: For a whole fetch.
        max_bytes: The largest set.
        cooldown: Seconds.
        algorithms: What keys may be for.
        lifetimes: The bounds on how long a set is used.
    """

    url: str = field(repr=False)
    timeout: timedelta
    max_bytes: int
    cooldown: float
    algorithms: tuple[Algorithm, ...]
    lifetimes: Lifetimes

    @classmethod
    def checked(
        cls,
        url: str,
        /,
        *,
        timeout: timedelta,
        default_ttl: timedelta,
        min_ttl: timedelta,
        max_ttl: timedelta,
        max_stale: timedelta,
        cooldown: timedelta,
        max_bytes: int,
        algorithms: Collection[str] | None,
    ) -> "RemoteSettings":
        """The settings, if they fit.

        Raises:
            ConfigurationError: They do not; all problems at once (`configuration`).
        """
        problems = [] if (problem := url_problem(url)) is None else [f"url {problem}"]
        if timeout <= timedelta(0):
            problems.append("timeout must be positive")
        others = {"default_ttl": default_ttl, "min_ttl": min_ttl, "max_stale": max_stale, "cooldown": cooldown}
        problems += [f"{name} must not be negative" for name, value in others.items() if value < timedelta(0)]
        if min_ttl == max_stale == timedelta(0):
            problems.append("min_ttl or max_stale must be positive, or no key would live to be used")
        if max_ttl < min_ttl:
            problems.append("max_ttl must not be shorter than min_ttl")
        if max_bytes < 1:
            problems.append("max_bytes must be positive")
        named = _PUBLIC if algorithms is None else _named(algorithms)
        if not named:
            problems.append(f"algorithms must name some of {', '.join(_PUBLIC)}, and no others")
        ConfigurationError.raise_if(f"JWKSKeyResolver: {problem}" for problem in problems)
        lifetimes = Lifetimes(
            default=default_ttl.total_seconds(),
            least=min_ttl.total_seconds(),
            most=max_ttl.total_seconds(),
            stale=max_stale.total_seconds(),
        )
        return cls(
            url=url,
            timeout=timeout,
            max_bytes=max_bytes,
            cooldown=cooldown.total_seconds(),
            algorithms=named,
            lifetimes=lifetimes,
        )

    @property
    def name(self) -> str:
        """The URL as it is shown, without its query: nobody knows what that holds."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}{parts.path}"


def _named(algorithms: Collection[str]) -> tuple[Algorithm, ...]:
    """The algorithms in any of their spellings; none if one of them is not for public keys."""
    # One string is a collection of strings too: of its letters, none of which is an algorithm.
    named: list[Algorithm] = []
    for name in algorithms:
        spec = find_spec(name)
        if spec is None or spec.symmetric:
            return ()
        named.append(spec.name)
    return tuple(named)
