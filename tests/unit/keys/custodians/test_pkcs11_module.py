"""A module is initialised for many threads, or called by one at a time; and anew in every process."""

import ctypes
from collections.abc import Callable
from threading import Lock, Thread
from types import SimpleNamespace
from typing import Any

import pkcs11
import pytest

from mintkey import ConfigurationError, KeyProviderError
from mintkey.keys.custodians import pkcs11_module
from mintkey.keys.custodians.pkcs11_module import Module, held, load
from tests.support.hsm import LABEL, Hsm, handle_of

pytest_plugins = ["tests.support.hsm_fixtures"]

OK, CANT_LOCK, NOT_INITIALIZED, ALREADY_INITIALIZED = 0x0, 0xA, 0x190, 0x191


class Spied:
    """The functions of a module, and what it is asked to initialise."""

    def __init__(self, hsm: Hsm) -> None:
        self.real = ctypes.CDLL(str(hsm.module))
        self.with_locks: list[bool] = []
        self.cannot_lock = False
        self.broken = OK

    def C_GetInfo(self, info: Any) -> int:  # noqa: N802 - the name is theirs
        answer: int = self.real.C_GetInfo(info)
        return answer

    def C_GetSessionInfo(self, session: int, info: Any) -> int:  # noqa: N802
        answer: int = self.real.C_GetSessionInfo(ctypes.c_ulong(session), info)
        return answer

    def C_Finalize(self, _: None) -> int:  # noqa: N802
        answer: int = self.real.C_Finalize(None)
        return answer

    def C_Initialize(self, arguments: Any) -> int:  # noqa: N802
        if self.broken:
            return self.broken
        if arguments is not None and self.cannot_lock and self.C_GetInfo((ctypes.c_ulong * 64)()) == NOT_INITIALIZED:
            return CANT_LOCK
        answer: int = self.real.C_Initialize(arguments)
        if answer == OK:
            self.with_locks.append(arguments is not None)
        return answer


def is_alone(module: Module) -> bool:
    """Whether a thread has the module to itself."""
    with module.turn(1):
        return is_barred(module)


def is_barred(module: Module) -> bool:
    """Whether another thread has to wait for its turn."""
    entered = Lock()
    other = Thread(target=lambda: _try(module, entered))
    other.start()
    other.join()
    return not entered.locked()


def _try(module: Module, entered: Lock) -> None:
    try:
        with module.turn(0.01):
            entered.acquire()
    except KeyProviderError:
        pass


def test_it_is_initialised_for_many_threads(hsm: Hsm):
    functions = Spied(hsm)
    module = Module(str(hsm.module), functions)
    assert functions.with_locks == [True]
    assert not is_alone(module)
    assert [token.label for token in module.tokens(LABEL)] == [LABEL]


def test_many_threads_may_use_it_indeed(hsm: Hsm):
    """With the locks off, as python-pkcs11 leaves them, this ends the process."""
    module, problems = load(str(hsm.module), 1), []

    def work() -> None:
        try:
            for _ in range(100):
                session = module.tokens(LABEL)[0].open()
                module.is_logged_in(handle_of(session))
                list(session.get_objects())
                session.close()
        except Exception as error:  # noqa: BLE001 - whatever it is
            problems.append(error)

    threads = [Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


def test_one_that_cannot_lock_is_called_by_one_at_a_time(hsm: Hsm):
    functions = Spied(hsm)
    functions.cannot_lock = True
    module = Module(str(hsm.module), functions)
    assert functions.with_locks == [False]
    assert is_alone(module)
    module.forget_parent()
    assert is_alone(module)


def test_one_that_somebody_initialised_is_left_as_it_is(hsm: Hsm):
    theirs = pkcs11.lib(str(hsm.module)).get_token(token_label=LABEL).open()
    functions = Spied(hsm)
    module = Module(str(hsm.module), functions)
    assert functions.with_locks == []
    assert is_alone(module)
    assert not module.renew(1)
    assert list(theirs.get_objects()) == []


def test_one_that_another_library_initialised_is_not_started(hsm: Hsm):
    assert ctypes.CDLL(str(hsm.module)).C_Initialize(None) == OK
    with pytest.raises(KeyProviderError, match="the PKCS#11 module does not start"):
        load(str(hsm.module), 1)


def test_one_that_was_finalised_is_initialised_again(hsm: Hsm):
    functions = Spied(hsm)
    module = Module(str(hsm.module), functions)
    era = module.era
    module.revive(1)
    assert module.era == era
    functions.C_Finalize(None)
    module.revive(1)
    assert module.era == era + 1
    assert functions.with_locks == [True, True]


@pytest.mark.parametrize("lose", [lambda functions: None, lambda functions: functions.C_Finalize(None)])
def test_a_copy_of_the_process_begins_anew(hsm: Hsm, lose: Callable[[Spied], None]):
    """Modules that know the process by its number are not initialised in the copy; SoftHSM seems to be."""
    functions = Spied(hsm)
    module = Module(str(hsm.module), functions)
    session, era = module.tokens(LABEL)[0].open(), module.era
    module.lock.acquire()  # a thread of the parent holds it, and is not here
    module.forget_parent()
    lose(functions)
    module.revive(1)
    assert module.era > era
    with pytest.raises(pkcs11.SessionHandleInvalid):
        module.is_logged_in(handle_of(session))
    module.revive(1)
    assert functions.with_locks == [True, True]


def test_it_is_renewed_when_nobody_calls_it(hsm: Hsm):
    functions = Spied(hsm)
    module = Module(str(hsm.module), functions)
    with module.turn(1), module.turn(1), pytest.raises(KeyProviderError, match="keeps all sessions busy"):
        module.renew(0.01)
    assert functions.with_locks == [True]
    assert module.renew(1)
    assert functions.with_locks == [True, True]
    with module.turn(1):
        assert module.tokens(LABEL)


def test_nobody_calls_it_while_it_is_renewed(hsm: Hsm):
    entered: list[bool] = []

    class Watched(Spied):
        def C_Initialize(self, arguments: Any) -> int:  # noqa: N802
            if self.with_locks:
                entered.append(not is_barred(module))
            return super().C_Initialize(arguments)

    module = Module(str(hsm.module), Watched(hsm))
    assert module.renew(1)
    assert entered == [False, False]  # before and behind C_Finalize


def test_a_copy_of_the_process_has_its_modules(hsm: Hsm):
    module = load(str(hsm.module), 1)
    pkcs11_module._modules._lock.acquire()
    pkcs11_module._modules.forget_parent()
    assert load(str(hsm.module), 1) is module


def test_one_that_does_not_start_again_says_so(hsm: Hsm):
    functions = Spied(hsm)
    functions.broken = 0x30
    with pytest.raises(KeyProviderError, match="does not start: C_Initialize returns 0x30"):
        Module(str(hsm.module), functions)


def test_one_that_names_no_functions_is_none(monkeypatch: pytest.MonkeyPatch):
    for answer in (OK, 0x6):
        library = SimpleNamespace(C_GetFunctionList=lambda _, answer=answer: answer)
        monkeypatch.setattr(ctypes, "CDLL", lambda _path, library=library: library)
        with pytest.raises(ConfigurationError, match=f"names no functions: {answer:#x}"):
            load("/some/module.so", 1)


def test_who_waits_too_long_is_told():
    lock = Lock()
    with held(lock, 1), pytest.raises(KeyProviderError, match="keeps all sessions busy"), held(lock, 0.01):
        pass
    assert not lock.locked()
