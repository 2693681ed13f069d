"""Sessions with a token: one for each thread that is at work, logged in together, replaced when they are lost."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Semaphore
from types import MappingProxyType
from typing import Any, TypeVar

from mintkey.clock import Clock
from mintkey.errors import ConfigurationError, KeyProviderError, MintkeyError
from mintkey.keys.custodians.pkcs11_api import (
    LOST,
    AbsentKeyError,
    MultipleObjectsReturned,
    PKCS11Error,
    Session,
    Token,
    pkcs11,
)
from mintkey.keys.custodians.pkcs11_module import ALREADY_LOGGED_IN, OK, Module, held, load
from mintkey.keys.custodians.pkcs11_pin import Pkcs11Pin

__all__ = ["OwnSession", "Sessions"]

T = TypeVar("T")

_REFUSALS: Mapping[int, str] = MappingProxyType(
    {
        0xA0: "the PIN is wrong",
        0xA1: "the PIN has characters that the token does not take",
        0xA2: "the PIN is too short or too long",
        0xA3: "the PIN has expired",
        0xA4: "the PIN is locked after too many wrong ones",
        0x102: "no PIN was ever set for its user",
    }
)
_SECONDS_BETWEEN_LOOKS = 60.0
_VENDOR_DEFINED = 0x80000000
_BEFORE_THE_PIN = frozenset({0x3, 0x30, 0x32, 0xB0, 0xB3, 0xE0, 0x190})
"""The session, the slot or the token is gone, so nobody looked at the PIN."""


@dataclass(eq=False, slots=True)
class OwnSession:
    """A read-only session that one thread has to itself.

    Attributes:
        raw: The session.
        era: The module's, in which it was opened.
        keys: Private keys that were found in it, by their handles.
    """

    raw: Session
    era: int
    keys: dict[str, Any] = field(default_factory=dict[str, Any])

    @contextmanager
    def writing(self) -> Generator[Session]:
        """A second session that may write, inside the block."""
        session = self.raw.token.open(rw=True)
        try:
            yield session
        finally:
            _close(session)


@dataclass(eq=False, slots=True)
class _Pool:
    """The sessions of one era of the module."""

    era: int
    seats: Semaphore
    idle: list[OwnSession] = field(default_factory=list[OwnSession])

    def take(self) -> OwnSession | None:
        with suppress(IndexError):  # another thread may be faster than a look
            return self.idle.pop()
        return None


class Sessions:
    """The sessions of one custodian. All methods block, and are called in worker threads.

    Args:
        module: The file of the module.
        token_label: The token's label.
        pin: Of the token's user.
        concurrency: How many sessions are open at most, but for those that write.
        patience: How long, in seconds, to wait for a session.
        clock: Says how long ago a key was looked for in vain.
    """

    def __init__(
        self, module: str, token_label: str, pin: Pkcs11Pin, *, concurrency: int, patience: float, clock: Clock
    ) -> None:
        self._path = module
        self._label = token_label
        self._pin = pin
        self._concurrency = concurrency
        self._patience = patience
        self._module: Module | None = None
        self._token: Token | None = None
        self._pool: _Pool | None = None
        self._refusal: str | None = None
        self._clock = clock
        self._absent: dict[str, float] = {}

    def run(self, work: Callable[[OwnSession], T], /) -> T:
        """What the work returns. If its session turns out to be lost it is done again in a new one, once.

        Raises:
            ConfigurationError: There is no such module, no PIN, or several such tokens (`configuration`).
            KeyProviderError: The token is not there, or refuses the PIN; then it is never asked again
                (`keys_unavailable`).
            PKCS11Error: The token could not do it.
        """
        module = self._module = self._module or load(self._path, self._patience)
        try:
            return self._attempt(module, work, anew=False)
        except AbsentKeyError as error:
            # Looking anew disturbs everybody: once for a key, and again when another process may have made it since.
            now = self._clock.monotonic()
            if now < self._absent.get(error.wanted, now) or not module.renew(self._patience):
                raise
            self._absent = {wanted: until for wanted, until in self._absent.items() if now < until}
            self._absent[error.wanted] = now + _SECONDS_BETWEEN_LOOKS
        except PKCS11Error as error:
            if not isinstance(error, LOST) and self._is_up(module):
                raise
        return self._attempt(module, work, anew=True)

    def close(self) -> None:
        """Close all sessions, when those who are at work have finished; who hangs for too long is left alone."""
        module, pool, self._pool = self._module, self._pool, None
        if module is None or pool is None:
            return
        with suppress(KeyProviderError), module.turn(self._patience):
            for _ in range(self._concurrency):
                if not pool.seats.acquire(timeout=self._patience):
                    break
            while (session := pool.take()) is not None:
                _close_in(module, session)

    def _is_up(self, module: Module) -> bool:
        with module.turn(self._patience):
            return module.is_initialized()

    def _pool_of(self, module: Module) -> _Pool:
        module.revive(self._patience)
        with held(module.lock, self._patience):
            if self._pool is None or self._pool.era != module.era:
                self._pool = _Pool(module.era, Semaphore(self._concurrency))
            return self._pool

    def _attempt(self, module: Module, work: Callable[[OwnSession], T], *, anew: bool) -> T:
        with module.turn(self._patience), held((pool := self._pool_of(module)).seats, self._patience):
            session = (None if anew else self._idle(module, pool)) or self._open(module, anew=anew)
            is_fine = False
            try:
                result = work(session)
                is_fine = True
            except (MintkeyError, AbsentKeyError, MultipleObjectsReturned):  # said by us: the session answers
                is_fine = True
                raise
            finally:
                if is_fine and self._pool is pool and session.era == pool.era == module.era:
                    pool.idle.append(session)
                else:
                    _close_in(module, session)
            return result

    def _idle(self, module: Module, pool: _Pool) -> OwnSession | None:
        """A session that is open. If somebody logged this process out, it would see no private keys and say so."""
        while (session := pool.take()) is not None:
            with suppress(PKCS11Error):
                if session.era == module.era and module.is_logged_in(_handle(session.raw)):
                    return session
            _close_in(module, session)
        return None

    def _open(self, module: Module, *, anew: bool) -> OwnSession:
        if self._token is None or anew:
            self._token = self._find_token(module)
        session = OwnSession(self._token.open(), module.era)
        try:
            self._log_in(module, session.raw)
        except BaseException:
            _close(session.raw)
            raise
        return session

    def _find_token(self, module: Module) -> Token:
        found = module.tokens(self._label)
        if len(found) > 1:
            raise ConfigurationError(f"Pkcs11Custodian: token_label {self._label!r} is that of {len(found)} tokens")
        if not found:
            raise KeyProviderError(f"there is no token with the label {self._label!r} (token_label) in {self._path!r}")
        return found[0]

    def _log_in(self, module: Module, session: Session) -> None:
        # One at a time, and whoever comes later looks first: a token locks itself after a few wrong PINs.
        with held(module.lock, self._patience):
            answer = OK
            if self._refusal is None and not module.is_logged_in(_handle(session)):
                answer = module.log_in(_handle(session), self._pin.read())
                if answer in _REFUSALS or answer >= _VENDOR_DEFINED:
                    self._refusal = _REFUSALS.get(answer, f"C_Login returns {answer:#x}")
        if self._refusal is not None:
            refused = KeyProviderError(
                f"the token {self._label!r} refuses to log in: {self._refusal}; a few more tries would lock it, so it "
                "is not asked again: correct the PIN, then restart"
            )
            refused.retryable = False
            raise refused
        if answer in _BEFORE_THE_PIN:
            raise pkcs11.SessionHandleInvalid(f"C_Login: {answer:#x}")
        if answer not in {OK, ALREADY_LOGGED_IN}:
            raise KeyProviderError(f"the token {self._label!r} does not log in: C_Login returns {answer:#x}")


def _handle(session: Session) -> int:
    handle: int = getattr(session, "handle")  # noqa: B009 - it is there, but has no type
    return handle


def _close_in(module: Module, session: OwnSession) -> None:
    if session.era == module.era:  # else its number may be that of another one by now
        _close(session.raw)


def _close(session: Session) -> None:
    with suppress(PKCS11Error):
        session.close()
