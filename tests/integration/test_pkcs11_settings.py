"""The PIN of a token is tried once, and shown nowhere; and what else may be wrong with the settings."""

import ctypes.util
import traceback
from datetime import timedelta
from pathlib import Path

import anyio
import pkcs11
import pytest

from mintkey import ConfigurationError, KeyProviderError
from mintkey.keys.custodians.pkcs11 import Pkcs11Custodian
from mintkey.keys.custodians.pkcs11_module import Module
from mintkey.keys.custodians.pkcs11_pin import Pkcs11Pin
from tests.support.hsm import LABEL, PIN, Hsm, Officer

pytest_plugins = ["tests.support.hsm_fixtures"]


class TestPins:
    async def test_a_wrong_one_is_tried_once(self, hsm: Hsm, logins: list[bytes]) -> None:
        custodian = hsm.custodian(pin="wrong-and-secret")
        refusals: list[KeyProviderError] = []

        async def create() -> None:
            with pytest.raises(KeyProviderError, match="refuses to log in: the PIN is wrong") as raised:
                await custodian.create("ES256")
            refusals.append(raised.value)

        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(create)
        await create()
        assert logins == [b"wrong-and-secret"]
        assert not any(refusal.retryable for refusal in refusals)

    async def test_the_token_counted_one_wrong_try(self, hsm: Hsm, officer: Officer) -> None:
        assert not officer.token.flags & pkcs11.TokenFlag.USER_PIN_COUNT_LOW
        custodian = hsm.custodian(pin="wrong-and-secret")
        for _ in range(3):
            with pytest.raises(KeyProviderError):
                await custodian.__aenter__()
        assert officer.token.flags & pkcs11.TokenFlag.USER_PIN_COUNT_LOW
        await hsm.custodian().create("ES256")
        assert not officer.token.flags & pkcs11.TokenFlag.USER_PIN_COUNT_LOW

    async def test_who_was_refused_does_not_come_in_with_others(self, hsm: Hsm) -> None:
        refused = hsm.custodian(pin="wrong-and-secret")
        with pytest.raises(KeyProviderError):
            await refused.create("ES256")
        async with hsm.custodian():
            with pytest.raises(KeyProviderError, match="refuses to log in"):
                await refused.create("ES256")

    async def test_a_pin_is_in_no_error(self, hsm: Hsm) -> None:
        """Nor in what a report of the error shows: the variables of every frame that it passed, and its causes."""
        custodian = hsm.custodian(pin="wrong-and-secret")
        with pytest.raises(KeyProviderError) as raised:
            await custodian.create("ES256")
        shown = [f"{raised.value!r} {raised.value.details} {custodian!r}"]
        error: BaseException | None = raised.value
        while error is not None:
            passed = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
            shown += [repr(frame.f_locals) for frame in passed if frame.f_code.co_filename != __file__]
            error = error.__cause__ or error.__context__
        assert len(shown) > 5
        assert not [text for text in shown if "wrong-and-secret" in text]

    @pytest.mark.parametrize(
        ("answer", "text", "tries"),
        [
            (0xA4, "the PIN is locked", 1),
            (0xA3, "the PIN has expired", 1),
            (0x102, "no PIN was ever set", 1),
            (0x80000001, "C_Login returns 0x80000001", 1),
            (0x6, "does not log in: C_Login returns 0x6", 2),
        ],
    )
    async def test_what_a_token_says_of_it(
        self, hsm: Hsm, monkeypatch: pytest.MonkeyPatch, answer: int, text: str, tries: int
    ) -> None:
        asked: list[int] = []

        def log_in(_module: Module, session: int, _pin: bytes) -> int:
            asked.append(session)
            return answer

        monkeypatch.setattr(Module, "log_in", log_in)
        custodian = hsm.custodian()
        for _ in range(2):
            with pytest.raises(KeyProviderError, match=text):
                await custodian.create("ES256")
        assert len(asked) == tries

    async def test_a_login_that_finds_no_token_is_made_again(self, hsm: Hsm, monkeypatch: pytest.MonkeyPatch) -> None:
        answers = iter([0x32])  # CKR_DEVICE_REMOVED
        log_in = Module.log_in
        monkeypatch.setattr(
            Module, "log_in", lambda module, session, pin: next(answers, None) or log_in(module, session, pin)
        )
        assert (await hsm.custodian().create("ES256")).handle

    async def test_it_is_read_where_it_is_kept(self, hsm: Hsm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "pin").write_text(f"{PIN}\n", "utf-8")
        monkeypatch.setenv("HSM_PIN", PIN)
        for pin in (Pkcs11Pin.from_file(tmp_path / "pin"), Pkcs11Pin.from_environment("HSM_PIN"), Pkcs11Pin(PIN)):
            async with hsm.custodian(pin=pin) as custodian:
                assert PIN not in repr(custodian)

    async def test_none_at_all_is_a_matter_of_settings(self, hsm: Hsm, logins: list[bytes]) -> None:
        custodian = hsm.custodian(pin=Pkcs11Pin.from_file("/nowhere/pin"))
        with pytest.raises(ConfigurationError, match=r"no PIN of the token in Pkcs11Pin\.from_file"):
            await custodian.create("ES256")
        assert logins == []


class TestSettings:
    async def test_all_that_is_wrong_is_said_at_once(self) -> None:
        with pytest.raises(ConfigurationError) as raised:
            Pkcs11Custodian("", token_label="é" * 17, pin="", rsa_bits=1024, concurrency=0, timeout=timedelta(0))
        assert [problem.split()[0] for problem in str(raised.value).split("; ")] == [
            f"Pkcs11Custodian.{name}" for name in ("module", "token_label", "pin", "rsa_bits", "concurrency", "timeout")
        ]

    @pytest.mark.parametrize("module", ["/nowhere/module.so", ctypes.util.find_library("c") or "libc.so.6", "."])
    async def test_a_file_that_is_no_module(self, module: str) -> None:
        with pytest.raises(ConfigurationError, match="is no PKCS#11 module, or not there"):
            await Pkcs11Custodian(module, token_label=LABEL, pin=PIN).create("ES256")

    async def test_a_token_that_is_not_there(self, hsm: Hsm) -> None:
        with pytest.raises(KeyProviderError, match=r"no token with the label 'elsewhere' \(token_label\)") as raised:
            await hsm.custodian(token_label="elsewhere").create("ES256")
        assert raised.value.retryable  # it may be plugged in later

    async def test_a_label_of_two_tokens(self, hsm: Hsm) -> None:
        hsm.add(LABEL)
        with pytest.raises(ConfigurationError, match="token_label 'tokens' is that of 2 tokens"):
            await hsm.custodian().create("ES256")
