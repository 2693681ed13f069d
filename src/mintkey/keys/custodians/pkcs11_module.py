"""A PKCS#11 module as one process uses it: initialised for many threads, and once more in every copy of the process.

python-pkcs11 calls `C_Initialize(NULL)`. That says that only one thread will ever call (PKCS#11 2.40 §5.4), and yet it
lets go of the interpreter during every call. SoftHSM takes it at its word and uses no locks: two threads are enough to
break its memory. So the module is initialised here, with `CKF_OS_LOCKING_OK`. For logging in, too, the module is called
without python-pkcs11, which would open a session that nobody can close where the PIN is refused, and would log every
other session out together with the one that logged in.
"""

import ctypes
import os
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from threading import Condition, Lock
from typing import Any, Protocol

from mintkey.errors import ConfigurationError, KeyProviderError
from mintkey.keys.custodians.pkcs11_api import PKCS11Error, Token, pkcs11

__all__ = ["ALREADY_LOGGED_IN", "OK", "Module", "held", "load"]

OK = 0x0
_CANT_LOCK = 0xA
ALREADY_LOGGED_IN = 0x100
_NOT_INITIALIZED = 0x190
_ALREADY_INITIALIZED = 0x191
_OS_LOCKING_OK = 0x2
_USER = 1
_USER_STATES = frozenset({1, 3})  # read-only and read-write sessions of a user who is logged in

_Number = ctypes.c_ulong
_TakesOne = ctypes.CFUNCTYPE(_Number, ctypes.c_void_p)


class _InitializeArguments(ctypes.Structure):
    _fields_ = (("mutex_functions", ctypes.c_void_p * 4), ("flags", _Number), ("reserved", ctypes.c_void_p))


class _SessionInfo(ctypes.Structure):
    _fields_ = (("slot", _Number), ("state", _Number), ("flags", _Number), ("device_error", _Number))


class _Functions(ctypes.Structure):
    """The head of a `CK_FUNCTION_LIST`; the order of the functions is that of the standard."""

    _fields_ = (
        ("version", ctypes.c_ubyte * 2),
        ("C_Initialize", _TakesOne),
        ("C_Finalize", _TakesOne),
        ("C_GetInfo", _TakesOne),
        ("from_C_GetFunctionList_to_C_CloseAllSessions", ctypes.c_void_p * 12),
        ("C_GetSessionInfo", ctypes.CFUNCTYPE(_Number, _Number, ctypes.c_void_p)),
        ("C_GetOperationState_and_C_SetOperationState", ctypes.c_void_p * 2),
        ("C_Login", ctypes.CFUNCTYPE(_Number, _Number, _Number, ctypes.c_char_p, _Number)),
    )


class _Lock(Protocol):
    def acquire(self, *, timeout: float) -> bool: ...
    def release(self) -> None: ...


@contextmanager
def held(lock: _Lock, seconds: float, /) -> Generator[None]:
    """Hold a lock inside the block.

    Raises:
        KeyProviderError: It was not to be had in time: those who hold it wait for the token (`keys_unavailable`).
    """
    if not lock.acquire(timeout=seconds):
        raise KeyProviderError("the token keeps all sessions busy")
    try:
        yield
    finally:
        lock.release()


class _Room:
    """Where threads are while they call the module: several at a time, or one alone."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._inside = 0

    @contextmanager
    def enter(self, seconds: float, /, *, alone: bool) -> Generator[None]:
        """Be inside for the block.

        Raises:
            KeyProviderError: Others did not make way in time (`keys_unavailable`).
        """
        with self._changed:
            # Whoever is alone counts as less than nobody.
            if not self._changed.wait_for(lambda: self._inside == 0 or (self._inside > 0 and not alone), seconds):
                raise KeyProviderError("the token keeps all sessions busy")
            self._inside = -1 if alone else self._inside + 1
        try:
            yield
        finally:
            with self._changed:
                self._inside = 0 if alone else self._inside - 1
                self._changed.notify_all()


class Module:
    """A module that is loaded.

    Attributes:
        lock: For what must not happen twice at a time.
        era: Another number whenever the module was initialised again: no session is older than that.
    """

    def __init__(self, path: str, functions: Any, /) -> None:
        self.lock: Lock = Lock()
        self.era: int = 0
        self._functions = functions
        self._is_stale = False
        # Whoever initialised it before us may count on its being as it is, and may not have asked for locks.
        self._is_shared = self.is_initialized()
        self._is_serial = self._is_shared
        self._room = _Room()
        self._library = pkcs11.lib(path)
        if not self._is_shared:
            self._initialize()

    def turn(self, seconds: float, /) -> AbstractContextManager[None]:
        """Call the module inside the block; alone, if it cannot bear several."""
        return self._room.enter(seconds, alone=self._is_serial)

    def renew(self, seconds: float, /) -> bool:
        """Initialise the module again, when nobody calls it; whether that was done.

        SoftHSM overlooks keys that another process made while this one was making some; then it has to look anew.
        """
        if self._is_shared:
            return False
        with self._room.enter(seconds, alone=True), held(self.lock, seconds):
            self._initialize()
        return True

    def is_initialized(self) -> bool:
        """Whether anybody initialised the module in this process, and nobody finalised it since."""
        answer: int = self._functions.C_GetInfo((ctypes.c_ulong * 64)())  # more than a CK_INFO takes
        return answer != _NOT_INITIALIZED

    def revive(self, seconds: float, /) -> None:
        """Initialise the module if this process is a copy of the one that did it, or if somebody finalised it."""
        with held(self.lock, seconds):
            if self._is_stale or not self.is_initialized():
                self._initialize()

    def tokens(self, label: str, /) -> list[Token]:
        """All tokens of this label."""
        return list(self._library.get_tokens(token_label=label))

    def is_logged_in(self, session: int, /) -> bool:
        """Whether the user is logged in, for this session and for all others of this process."""
        info = _SessionInfo()
        if (answer := self._functions.C_GetSessionInfo(session, ctypes.byref(info))) != OK:
            raise pkcs11.SessionHandleInvalid(f"C_GetSessionInfo: {answer:#x}")
        return info.state in _USER_STATES

    def log_in(self, session: int, pin: bytes, /) -> int:
        """Log the user in; what `C_Login` returns."""
        answer: int = self._functions.C_Login(session, _USER, pin, len(pin))
        return answer

    def forget_parent(self) -> None:
        """This process is a copy: what the other one initialised, and its sessions, are not ours."""
        self.lock = Lock()  # a thread that is not here any more may hold the other one
        self._room = _Room()
        self._is_stale = True
        self.era += 1

    def _initialize(self) -> None:
        initialize, self._is_stale = self._functions.C_Initialize, False
        arguments = ctypes.byref(_InitializeArguments(flags=_OS_LOCKING_OK))
        answer = initialize(arguments)
        if answer == _ALREADY_INITIALIZED:  # by python-pkcs11, by us, or in the process of which this is a copy
            self._functions.C_Finalize(None)
            answer = initialize(arguments)
        if answer == _CANT_LOCK:
            self._is_serial = True
            answer = initialize(None)
        self.era += 1
        if answer != OK:
            raise KeyProviderError(f"the PKCS#11 module does not start: C_Initialize returns {answer:#x}")


class _Modules:
    """Every module that this process loaded, by the place of its functions: a file may have several names."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._loaded: dict[int, Module] = {}

    def load(self, path: str, seconds: float) -> Module:
        place = ctypes.c_void_p()
        try:
            answer = ctypes.CDLL(path).C_GetFunctionList(ctypes.byref(place))
        except (OSError, AttributeError) as error:
            raise ConfigurationError(f"Pkcs11Custodian: module {path!r} is no PKCS#11 module, or not there") from error
        if answer != OK or place.value is None:
            raise ConfigurationError(f"Pkcs11Custodian: module {path!r} names no functions: {answer:#x}")
        with held(self._lock, seconds):
            if place.value not in self._loaded:
                try:
                    self._loaded[place.value] = Module(path, _Functions.from_address(place.value))
                except PKCS11Error as error:
                    raise KeyProviderError(f"the PKCS#11 module does not start: {error}") from error
            return self._loaded[place.value]

    def forget_parent(self) -> None:
        self._lock = Lock()
        for module in self._loaded.values():
            module.forget_parent()


# A module belongs to the process: what one initialises or finalises, all share.
_modules = _Modules()
os.register_at_fork(after_in_child=_modules.forget_parent)
load: Callable[[str, float], Module] = _modules.load
"""The module in a file, loaded and initialised when it first is asked for; waits so many seconds for others who do.

Raises:
    ConfigurationError: There is no module (`configuration`).
    KeyProviderError: It does not start (`keys_unavailable`).
"""
