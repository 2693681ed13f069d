"""The keys that an operator rotates, from what the settings say of them."""

from mintkey.clock import Clock
from mintkey.keys.base import Algorithm
from mintkey.keys.env import EnvKeyProvider
from mintkey.settings.table import PREFIX, variable_of

__all__ = ["fixed_keys"]


def fixed_keys(
    keys: str,
    /,
    *,
    active_kid: str | None = None,
    algorithm: Algorithm | None = None,
    prefix: str = PREFIX,
    clock: Clock | None = None,
) -> EnvKeyProvider:
    """A provider of these keys; files are read later, as `EnvKeyProvider` says.

    Args:
        keys: The text of the setting `keys`.
        active_kid: The setting of that name.
        algorithm: What a key is for that does not say so itself.
        prefix: What stands in front of the variables, for errors.
        clock: Where time comes from.

    Raises:
        ConfigurationError: They cannot be used; all problems at once (`configuration`).

    Example:
        >>> fixed_keys("/run/secrets/keys")
        <EnvKeyProvider of MINTKEY_KEYS>
    """
    environ = {variable_of("keys", prefix=prefix): keys}
    if active_kid is not None:
        environ[variable_of("active_kid", prefix=prefix)] = active_kid
    return EnvKeyProvider(environ, prefix=prefix.upper(), algorithm=algorithm, clock=clock)
