"""Private keys on a PKCS#11 token, an HSM above all: made there, used there, and never here."""

import logging
import os
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from threading import Event
from typing import TypeVar

import anyio
from anyio import CapacityLimiter, to_thread

from mintkey.clock import Clock, SystemClock
from mintkey.errors import ConfigurationError, KeyProviderError, Reason
from mintkey.jose.algorithms import AlgorithmSpec, spec_of
from mintkey.keys.base import Algorithm, SigningKey
from mintkey.keys.custodians import pkcs11_pairs
from mintkey.keys.custodians.leftovers import Leftovers
from mintkey.keys.custodians.pkcs11_api import PKCS11Error
from mintkey.keys.custodians.pkcs11_names import Label
from mintkey.keys.custodians.pkcs11_objects import private_key, sign
from mintkey.keys.custodians.pkcs11_pin import Pkcs11Pin
from mintkey.keys.custodians.pkcs11_sessions import OwnSession, Sessions
from mintkey.keys.ports import KeyMaterial
from mintkey.lifecycle import Resource
from mintkey.loops import PerLoop

__all__ = ["Pkcs11Custodian"]

T = TypeVar("T")

_logger = logging.getLogger("mintkey.keys")

_RSA_BITS = range(2048, 16_384 + 1)
_LONGEST_LABEL = 32  # bytes, in a CK_TOKEN_INFO


class Pkcs11Custodian(Resource):
    """A `KeyCustodian` whose keys are on a PKCS#11 token: an HSM, a smart card, SoftHSM.

    Every version of a ring is a key pair of its own there, sensitive and not extractable. The ring holds its public
    half and its name, a PKCS#11 URI (RFC 7512). Secrets (HS256 and its kin) cannot be kept there: whoever verifies
    with one needs it at hand.

    The token is called in worker threads, each with a session of its own. A session that is lost is replaced, and the
    call made again, once. A PIN that the token refused is not tried again for as long as the custodian lives, because
    a few wrong ones lock a token. Several event loops may share a custodian, and several custodians a module. A forked
    process begins anew, with sessions of its own.

    Args:
        module: The file of the PKCS#11 module, as in `/usr/lib/softhsm/libsofthsm2.so`.
        token_label: The label of the token, 1 to 32 bytes.
        pin: The PIN of its user, or where that is kept: `Pkcs11Pin.from_file(…)`, `Pkcs11Pin.from_environment(…)`.
        ring: The name of the ring; it is a part of the labels of new keys, by which `sweep` knows them.
        rsa_bits: The modulus of new RSA keys, in bits.
        concurrency: How many sessions, hence how many calls at a time.
        timeout: How long a call may take, the wait for a session included. Making a key takes as long as it takes.
        clock: Says when a key was made.

    Raises:
        MissingExtraError: python-pkcs11 is not installed: `pip install 'mintkey[pkcs11]'` (`extra_missing`).
        ConfigurationError: Settings are out of their bounds; all of them at once (`configuration`).

    Example:
        ```python
        custodian = Pkcs11Custodian(
            "/usr/lib/softhsm/libsofthsm2.so", token_label="tokens", pin=Pkcs11Pin.from_file("/run/secrets/hsm-pin")
        )
        keys = MemoryKeyProvider(algorithm="ES256", custodian=custodian)
        ```
    """

    def __init__(
        self,
        module: str | os.PathLike[str],
        *,
        token_label: str,
        pin: Pkcs11Pin | str,
        ring: str = "default",
        rsa_bits: int = 3072,
        concurrency: int = 8,
        timeout: timedelta = timedelta(seconds=10),
        clock: Clock | None = None,
    ) -> None:
        faults = (
            (not os.fspath(module), "module must be the path of a PKCS#11 module"),
            (not 1 <= len(token_label.encode()) <= _LONGEST_LABEL, "token_label must have 1 to 32 bytes"),
            (pin == "", "pin must not be empty"),
            (rsa_bits not in _RSA_BITS, f"rsa_bits must be {_RSA_BITS[0]} to {_RSA_BITS[-1]}"),
            (concurrency < 1, "concurrency must be at least 1"),
            (timeout <= timedelta(0), "timeout must be positive"),
        )
        ConfigurationError.raise_if(f"Pkcs11Custodian.{problem}" for is_wrong, problem in faults if is_wrong)
        self._module = os.fspath(module)
        self._token_label = token_label
        self._ring = ring
        self._rsa_bits = rsa_bits
        self._clock = clock or SystemClock()
        self._timeout = timeout.total_seconds()
        self._sessions = Sessions(
            self._module,
            token_label,
            Pkcs11Pin(pin) if isinstance(pin, str) else pin,
            concurrency=concurrency,
            patience=self._timeout,
            clock=self._clock,
        )
        self._limiters = PerLoop(partial(CapacityLimiter, concurrency))

    def __repr__(self) -> str:
        return f"Pkcs11Custodian({self._module!r}, token_label={self._token_label!r}, ring={self._ring!r})"

    async def create(self, algorithm: Algorithm, /) -> KeyMaterial:
        """A new key pair on the token.

        Raises:
            ConfigurationError: It is an algorithm of secrets, or one that the token does not do (`configuration`).
            KeyProviderError: The token did not make it (`keys_unavailable`).
        """
        spec, is_given_up = _spec(algorithm), Event()
        label = Label(self._ring, int(self._clock.time()))
        work = partial(pkcs11_pairs.create, spec, label, self._rsa_bits, is_given_up)
        try:
            return await self._ask(work, task=f"make a key for {spec.name}", seconds=None)
        except BaseException:
            is_given_up.set()
            raise

    async def open(self, material: KeyMaterial, /) -> SigningKey:
        """The key, ready to sign, if the token's public key is the one that the ring names.

        Raises:
            KeyProviderError: The token cannot be reached, or has no such key (`keys_unavailable`).
        """
        spec = _spec(material.algorithm)
        work = partial(pkcs11_pairs.check, material, spec)
        size = await self._ask(work, task=f"open key {material.kid}", seconds=self._timeout)
        return _TokenKey(material.kid, spec.name, partial(self._sign, material, spec, size))

    async def destroy(self, material: KeyMaterial, /) -> None:
        """Delete both halves of a key pair that was made here; of what is gone, or was adopted, nothing.

        Raises:
            KeyProviderError: The token cannot be reached (`keys_unavailable`).
        """
        if not material.handle:
            return
        work = partial(pkcs11_pairs.destroy, material, _spec(material.algorithm), self._ring)
        if not await self._ask(work, task=f"destroy key {material.kid}", seconds=self._timeout):
            _logger.info("key %s stays on its token: it is gone, or was not made for %r", material.kid, self._ring)

    async def adopt(self, name: str, algorithm: Algorithm, /) -> KeyMaterial:
        """A key pair that is on the token already, as material for a ring. It is never deleted from here.

        Args:
            name: Its label (`CKA_LABEL`), or a PKCS#11 URI with its id or label (RFC 7512): `pkcs11:id=%01%02`.
            algorithm: What it is used for from now on, and for nothing else.

        Raises:
            ConfigurationError: It does not fit the algorithm, or could leave the token: `CKA_SENSITIVE` has to be set
                and `CKA_EXTRACTABLE` must not be (`configuration`).
            KeyProviderError: The token cannot be reached, has not exactly one such pair, its halves do not belong
                together, or it must not sign (`keys_unavailable`).
        """
        work = partial(pkcs11_pairs.adopt, name, _spec(algorithm))
        return await self._ask(work, task="adopt the key", seconds=self._timeout)

    async def sweep(self, in_use: Collection[KeyMaterial], /, *, older_than: timedelta) -> Sequence[str]:
        """Delete keys that were made for this ring and are not in it: left over by who was killed.

        Args:
            in_use: All that is in the ring now.
            older_than: Younger keys may be on their way into the ring. At least two hours.

        Returns:
            The handles of those keys.

        Raises:
            ConfigurationError: `older_than` is too short (`configuration`).
            KeyProviderError: The token cannot be reached; what was deleted before is gone (`keys_unavailable`).
        """
        leftovers = Leftovers.beside(in_use, older_than=older_than, now=self._clock.time())
        work = partial(pkcs11_pairs.sweep, self._ring, leftovers)
        return await self._ask(work, task="sweep its keys", seconds=None)

    async def _open(self) -> None:
        await self._ask(lambda _: None, task="log in", seconds=self._timeout)

    async def _close(self) -> None:
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(self._sessions.close)

    async def _sign(self, material: KeyMaterial, spec: AlgorithmSpec, size: int, signing_input: bytes) -> bytes:
        def work(session: OwnSession) -> bytes:
            return sign(private_key(session, material.handle), spec, signing_input, size)

        task = f"sign with key {material.kid}"
        return await self._ask(work, task=task, seconds=self._timeout, reason=Reason.SIGNING_FAILED)

    async def _ask(
        self,
        work: Callable[[OwnSession], T],
        /,
        *,
        task: str,
        seconds: float | None,
        reason: Reason = Reason.KEYS_UNAVAILABLE,
    ) -> T:
        """What the work returns, in a worker thread.

        A call that hangs is left to its thread, and keeps its session busy.
        """
        cause, limiter = None, self._limiters.here()
        problem = f"it did not answer within {seconds} s"
        try:
            with anyio.fail_after(seconds):
                return await to_thread.run_sync(self._sessions.run, work, abandon_on_cancel=True, limiter=limiter)
        except TimeoutError:
            pass
        except PKCS11Error as error:
            cause, problem = error, str(error) or type(error).__name__
        raise KeyProviderError(f"token {self._token_label!r} could not {task}: {problem}", reason=reason) from cause


@dataclass(frozen=True, slots=True)
class _TokenKey:
    kid: str
    algorithm: Algorithm
    _sign: Callable[[bytes], Awaitable[bytes]] = field(repr=False)

    async def sign(self, signing_input: bytes, /) -> bytes:
        return await self._sign(signing_input)


def _spec(algorithm: Algorithm) -> AlgorithmSpec:
    spec = spec_of(algorithm)
    if spec.symmetric:
        raise ConfigurationError(
            f"a token keeps no secret for {spec.name}: whoever verifies with it needs it at hand; take ES256, EdDSA or "
            "any other algorithm that has public keys"
        )
    return spec
