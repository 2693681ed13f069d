"""Which settings do not go together, for an application that takes all of them from its environment. Pure."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, cast

from mintkey.errors import ConfigurationError
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.settings import check_settings
from mintkey.places import kind_of
from mintkey.settings.table import PREFIX, SETTINGS, variable_of

__all__ = ["contradictions", "policy_of"]

_SEALED = frozenset({"sql", "redis"})
# The library speaks of its arguments; the operator set variables.
_ARGUMENT = re.compile(
    r"^(?:ring|algorithm)\b|\bRotationPolicy\.(?P<policy>\w+)|\b(?:refresh_interval|outage_tolerance|max_clock_skew)\b"
)


def contradictions(
    values: Mapping[str, Any],
    /,
    *,
    given: Collection[str],
    unread: Collection[str] = (),
    prefix: str = PREFIX,
) -> Iterator[str]:
    """A sentence for each problem, naming the variables and never what they say.

    Args:
        values: Every setting by its name, secrets in the open; the default where one was not set or cannot be read.
        given: The names of those that were set.
        unread: The names of those that cannot be read; nothing is said of what hangs on them.
        prefix: What stands in front of every variable.

    Example:
        >>> from mintkey.settings.table import SETTINGS
        >>> values = {name: setting.default for name, setting in SETTINGS.items()}
        >>> values |= {"issuer": "https://myapp.example", "store": "memory://", "active_kid": "a"}
        >>> list(contradictions(values, given=["active_kid"]))
        ['MINTKEY_ACTIVE_KID has no effect without MINTKEY_KEYS']
    """

    def variable(name: str) -> str:
        return variable_of(name, prefix=prefix)

    if not values["issuer"] and "issuer" not in unread:
        yield f"{variable('issuer')} is not set: it is the iss of your tokens"
    if values["store"] is None and values["keys"] is None and not {"store", "keys"} & {*unread}:
        yield f"neither {variable('store')} nor {variable('keys')} is set: one of them says where the keys are"
    store: str = values["store"] or ""
    kind = ""
    if store:
        try:
            kind = kind_of(store)
        except ConfigurationError as error:
            yield f"{variable('store')}: {error}"
    if values["keys"] is not None or "keys" in unread:
        useless = [variable(name) for name, setting in SETTINGS.items() if setting.is_of_ring and name in given]
        if useless:
            verb = "has" if len(useless) == 1 else "have"
            yield f"{', '.join(useless)} {verb} no effect beside {variable('keys')}, whose operator rotates them"
        return
    if values["active_kid"] is not None:
        yield f"{variable('active_kid')} has no effect without {variable('keys')}"
    if kind in _SEALED and values["seal_keys"] is None and "seal_keys" not in unread:
        yield (
            f"{variable('seal_keys')} is not set, and {store.partition(':')[0]}:// keeps private keys sealed "
            "only: `mintkey keys seal-key` makes one"
        )
    yield from _of_ring(values, unread, variable)


def policy_of(values: Mapping[str, Any], /) -> RotationPolicy:
    """When keys rotate.

    Raises:
        ConfigurationError: A duration is not positive or a count is below one (`configuration`).

    Example:
        >>> from mintkey.settings.table import SETTINGS
        >>> policy_of({name: setting.default for name, setting in SETTINGS.items()}) == RotationPolicy()
        True
    """
    return RotationPolicy(
        every=values["rotate_every"],
        max_mints=values["max_mints"],
        previous_ttl=values["previous_ttl"],
        publish_ahead=values["publish_ahead"],
    )


def _of_ring(values: Mapping[str, Any], unread: Collection[str], variable: Callable[[str], str]) -> Iterator[str]:
    try:
        policy = policy_of(values)
    except ConfigurationError as error:
        yield from _named(_problems_of(error), unread, variable)
        policy = RotationPolicy()
        unread = {*unread, "publish_ahead"}
    try:
        check_settings(
            ring=values["ring"],
            algorithm=values["algorithm"],
            policy=policy,
            refresh_interval=values["refresh_interval"],
            outage_tolerance=values["outage_tolerance"],
            max_clock_skew=values["max_clock_skew"],
        )
    except ConfigurationError as error:
        yield from _named(_problems_of(error), unread, variable)


def _problems_of(error: ConfigurationError) -> Iterable[str]:
    return cast("Iterable[str]", error.details["problems"])


def _named(problems: Iterable[str], unread: Collection[str], variable: Callable[[str], str]) -> Iterator[str]:
    """The problems in the operator's words, but for those that speak of what could not be read."""
    for problem in problems:
        mentioned = {_setting_of(found) for found in _ARGUMENT.finditer(problem)}
        if not mentioned & {*unread}:
            yield _ARGUMENT.sub(lambda found: variable(_setting_of(found)), problem)


def _setting_of(found: re.Match[str]) -> str:
    name = found["policy"]
    if name is None:
        return found[0]
    return "rotate_every" if name == "every" else name
