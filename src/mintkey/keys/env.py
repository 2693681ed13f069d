"""Keys from environment variables, in the state in which environment variables hold them."""

import os
from collections.abc import Mapping, Sequence

import anyio

from mintkey.clock import Clock, SystemClock
from mintkey.errors import ConfigurationError
from mintkey.jose.algorithms import find_spec
from mintkey.jose.prepared import offload
from mintkey.keys.base import Algorithm
from mintkey.keys.fixed import FixedKeyProvider, KeySet
from mintkey.keys.key_sources import KeySource, key_source, load_sources
from mintkey.loops import PerLoop

__all__ = ["EnvKeyProvider"]

# The names that tokenmint reads: its keys and the kids in tokens that are out stay what they are.
_TOKENMINT_KEY = "TOKEN_PRIVATE_KEY_"
_TOKENMINT_ACTIVE = "TOKEN_ACTIVE_KEY_ID"


class EnvKeyProvider(FixedKeyProvider):
    """An `IKeyProvider` over keys in environment variables; like `StaticKeyProvider`, it is rotated by its operator.

    It reads `MINTKEY_KEYS` (a JWK Set, a JWK, one or several PEM keys, or a path to a file or a directory of such) and
    `MINTKEY_ACTIVE_KID`, and the variables of tokenmint: `TOKEN_PRIVATE_KEY_<kid>` and `TOKEN_ACTIVE_KEY_ID`. Both
    may be there, so that tokens minted with either verify.

    A PEM may have lost its line breaks, have them as escapes, be quoted, indented or base64-encoded as a whole. Its kid
    is its RFC 7638 thumbprint, or what stands in the variable's name.

    The constructor reads no file and tests no private RSA key: that happens in a thread at the first use, or when the
    provider is entered.

    Args:
        environ: The variables.
        prefix: What stands in front of `KEYS` and `ACTIVE_KID`.
        active: The kid of the key that signs; by default what the variables say, which may be left out only when one
            key can sign.
        algorithm: What a key is for that does not say so itself; by default its curve decides, and RSA means RS256.
        clock: Where time comes from; by default the machine's.

    Raises:
        ConfigurationError: A variable is missing, holds a placeholder or no key, or it is not clear which key signs;
            all problems at once, naming variables and never their content (`configuration`).

    Example:
        >>> from mintkey.jose.jwk import generate
        >>> import asyncio, json
        >>> key = generate("EdDSA")
        >>> provider = EnvKeyProvider({"MINTKEY_KEYS": json.dumps(dict(key.private_jwk))})
        >>> asyncio.run(provider.acquire()).key.kid == key.kid
        True
    """

    def __init__(
        self,
        environ: Mapping[str, str] = os.environ,
        *,
        prefix: str = "MINTKEY_",
        active: str | None = None,
        algorithm: Algorithm | None = None,
        clock: Clock | None = None,
    ) -> None:
        problems: list[str] = []
        if algorithm is not None and find_spec(algorithm) is None:
            problems.append("EnvKeyProvider.algorithm is none that we know")
        self._sources: Sequence[KeySource] = _sources(environ, prefix, problems)
        self._active, self._setting = _active(environ, prefix, active, problems)
        ConfigurationError.raise_if(problems)
        self._algorithm: Algorithm | None = algorithm
        self._clock: Clock = clock or SystemClock()
        self._loading = PerLoop(anyio.Lock)
        self._name = " and ".join(source.name for source in self._sources)
        self._set: KeySet | None = None
        if not any(source.is_slow for source in self._sources):
            self._set, self._sources = self._load(self._sources), ()

    def __repr__(self) -> str:
        return f"<EnvKeyProvider of {self._name}>"

    async def _open(self) -> None:
        await self._keys()

    async def _keys(self) -> KeySet:
        return await self._loaded() if self._set is None else self._set

    async def _loaded(self) -> KeySet:
        async with self._loading.here():
            sources = self._sources
            if self._set is None:
                self._set = await offload(self._load, sources)
                self._sources = ()  # the texts with the private keys are needed no longer
            return self._set

    def _load(self, sources: Sequence[KeySource]) -> KeySet:
        return KeySet(
            load_sources(sources, algorithm=self._algorithm),
            active=self._active,
            source=self._name,
            setting=self._setting,
            now=self._clock.time(),
        )


def _sources(environ: Mapping[str, str], prefix: str, problems: list[str]) -> Sequence[KeySource]:
    """Every variable that holds keys; what is wrong with one goes to the problems."""
    own = f"{prefix}KEYS"
    wanted = {own: None} if environ.get(own, "").strip() else {}
    named = {name: name.removeprefix(_TOKENMINT_KEY) for name in sorted(environ) if name.startswith(_TOKENMINT_KEY)}
    found: list[KeySource] = []
    for name, kid in (wanted | named).items():
        try:
            found.append(key_source(name, environ[name], kid=kid, may_be_path=name == own))
        except ConfigurationError as error:
            problems.append(str(error))
    if not wanted and not named:
        problems.append(
            f"no keys: set {own} to a JWK Set, a JWK, a PEM, or the path of a file or directory with keys"
            f" (tokenmint's {_TOKENMINT_KEY}<kid> will do too)"
        )
    return found


def _active(environ: Mapping[str, str], prefix: str, active: str | None, problems: list[str]) -> tuple[str | None, str]:
    """The kid that signs, and which setting says so."""
    own = f"{prefix}ACTIVE_KID"
    if active is not None:
        return active, "EnvKeyProvider.active"
    said = {name: environ[name].strip() for name in (own, _TOKENMINT_ACTIVE) if environ.get(name, "").strip()}
    if len(set(said.values())) > 1:
        problems.append(f"{own} and {_TOKENMINT_ACTIVE} name different keys; set one of them")
    return next(((kid, name) for name, kid in said.items()), (None, own))
