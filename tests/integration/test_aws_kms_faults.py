"""AWS KMS that is late, throttles, fails, hangs, loses answers, or says no: what callers get, and what KMS gets."""

import random
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import anyio
import pytest

from mintkey import ConfigurationError, KeyProviderError, Purpose, Reason, TokenService
from mintkey.keys import AwsKmsCustodian, KeyMaterial, RotatingKeyProvider, SigningKey
from mintkey.keys.custodians import aws_calls, aws_faults
from mintkey.keys.stores.memory import MemoryKeyRingStore
from mintkey.testing import FakeClock
from tests.support.http_server import Reply, Request, json_reply
from tests.support.kms import KmsProxy, KmsServer, operation_of
from tests.support.ring_faults import BY_HAND, HOURLY

pytest_plugins = ["tests.support.kms_fixtures"]

ACCESS = Purpose("access", lifetime=timedelta(minutes=5))
WORDS = ("secret words", "of-others", "arn:", "nothing", "nobody", "AKIA", "RequestId")


@pytest.fixture
async def custodian(kms_proxy: KmsProxy) -> AsyncIterator[AwsKmsCustodian]:
    async with AwsKmsCustodian(endpoint_url=kms_proxy.url()) as custodian:
        yield custodian


@pytest.fixture
async def material(custodian: AwsKmsCustodian) -> KeyMaterial:
    return await custodian.create("ES256")


@pytest.fixture
async def key(custodian: AwsKmsCustodian, material: KeyMaterial, kms_proxy: KmsProxy) -> SigningKey:
    key = await custodian.open(material)
    kms_proxy.asked.clear()
    return key


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ThrottlingException", 400),
        ("TooManyRequestsException", 429),
        ("KMSInternalException", 500),
        ("KeyUnavailableException", 500),
        ("DependencyTimeoutException", 503),
    ],
)
async def test_what_passes_is_tried_again(key: SigningKey, kms_proxy: KmsProxy, code: str, status: int) -> None:
    kms_proxy.refuse(code, status=status, times=3)
    assert len(await key.sign(b"input")) == 64
    assert kms_proxy.asked == ["Sign"] * 4


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("AccessDeniedException", "the credentials do not allow it"),
        ("DisabledException", "the key is disabled"),
        ("NotFoundException", "there is no such key"),
        ("KMSInvalidStateException", "the key is to be deleted"),
        ("InvalidSignatureException", "AWS does not accept the credentials"),
        ("UnrecognizedClientException", "AWS does not accept the credentials"),
        ("InvalidKeyUsageException", "the key is for something else"),
        ("SomethingNewException", "it refused with SomethingNewException"),
        ("no code of ours", "it refused with Unknown"),
    ],
)
async def test_what_does_not_pass_is_told_at_once(key: SigningKey, kms_proxy: KmsProxy, code: str, says: str) -> None:
    """And in our own words: those of AWS name accounts, roles and other people's keys."""
    kms_proxy.refuse(code)
    with pytest.raises(KeyProviderError) as caught:
        await key.sign(b"input")
    error = caught.value
    assert says in str(error)
    assert f"sign with key {key.kid}" in str(error)
    assert (error.reason, error.retryable, error.details["kid"]) == (Reason.SIGNING_FAILED, False, key.kid)
    assert kms_proxy.asked == ["Sign"]
    assert error.__cause__ is None
    assert error.__context__ is None
    assert not any(word in f"{error} {error.details}" for word in WORDS)


async def test_a_disabled_key_does_not_sign(kms: KmsServer, key: SigningKey, material: KeyMaterial) -> None:
    kms.call("DisableKey", KeyId=material.handle.rpartition("/")[2])
    with pytest.raises(KeyProviderError, match="the key is disabled"):
        await key.sign(b"input")


@pytest.mark.parametrize("fault", ["drop", "lose", "hang"])
async def test_an_answer_that_is_lost_is_asked_for_again(
    kms_proxy: KmsProxy, material: KeyMaterial, fault: str
) -> None:
    """Signing twice does no harm."""
    async with AwsKmsCustodian(endpoint_url=kms_proxy.url(), timeout=timedelta(seconds=20)) as custodian:
        key = await custodian.open(material)
        custodian._calls._timeout = 6.0
        if fault == "drop":
            kms_proxy.drop("Sign", times=2)
        elif fault == "hang":
            kms_proxy.hang("Sign", times=1)
        else:
            kms_proxy.lose("Sign", times=2)
        assert len(await key.sign(b"input")) == 64
        assert kms_proxy.asked.count("Sign") > 1


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("ThrottlingException", "it is asked too often"),
        ("hang", "it did not answer in time"),
        ("drop", "the connection broke"),
        ("away", "it cannot be reached"),
    ],
)
async def test_the_deadline_holds(kms_proxy: KmsProxy, material: KeyMaterial, fault: str, says: str) -> None:
    async with AwsKmsCustodian(endpoint_url=kms_proxy.url(), timeout=timedelta(seconds=20)) as custodian:
        key = await custodian.open(material)
        custodian._calls._timeout = 0.5  # a client that takes its time to be made is not what this is about
        if fault == "away":
            await kms_proxy.__aexit__()
        elif fault in {"hang", "drop"}:
            getattr(kms_proxy, fault)("Sign")
        else:
            kms_proxy.refuse(fault, "Sign")
        began = anyio.current_time()
        with pytest.raises(KeyProviderError, match=says) as caught:
            await key.sign(b"input")
        assert 0.4 < anyio.current_time() - began < 5
    assert caught.value.retryable


async def test_who_waits_for_a_turn_has_a_deadline_too(kms_proxy: KmsProxy, material: KeyMaterial) -> None:
    limits: Any = {"timeout": timedelta(seconds=20), "concurrency": 1}
    async with AwsKmsCustodian(endpoint_url=kms_proxy.url(), **limits) as custodian:
        key = await custodian.open(material)
        custodian._calls._timeout = 0.5
        kms_proxy.hang("Sign")
        said: list[str] = []

        async def sign() -> None:
            with pytest.raises(KeyProviderError) as caught:
                await key.sign(b"input")
            said.append(str(caught.value))

        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(sign)
    assert sum("others had all the turns" in text for text in said) >= 1
    assert sum("did not answer" in text for text in said) >= 1


async def test_no_more_requests_than_turns(kms_proxy: KmsProxy, material: KeyMaterial) -> None:
    under_way, most = 0, 0

    async def count(request: Request) -> Reply:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        reply = await kms_proxy.passed(request)
        under_way -= 1
        return reply

    async with AwsKmsCustodian(endpoint_url=kms_proxy.url(), concurrency=3) as custodian:
        key = await custodian.open(material)
        kms_proxy.latency = 0.02
        kms_proxy.route("/", count)
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(key.sign, b"input")
    assert most == 3


async def test_one_who_is_cancelled_gives_his_turn_back(kms_proxy: KmsProxy, material: KeyMaterial) -> None:
    async with AwsKmsCustodian(endpoint_url=kms_proxy.url(), concurrency=1) as custodian:
        key = await custodian.open(material)
        kms_proxy.hang("Sign", times=1)
        with anyio.move_on_after(0.1):
            await key.sign(b"input")
        assert len(await key.sign(b"input")) == 64


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"Signature": "QUFBQQ=="}, "no ECDSA signature"),
        ({"Signature": "MAYCAQECAQE="}, "no signature by this key"),
        ({}, "what answered is no KMS"),
    ],
)
async def test_what_is_no_signature_is_not_passed_on(
    key: SigningKey, kms_proxy: KmsProxy, answer: Any, says: str
) -> None:
    kms_proxy.say(answer, "Sign")
    with pytest.raises(KeyProviderError, match=says) as caught:
        await key.sign(b"input")
    assert caught.value.reason is Reason.SIGNING_FAILED


async def test_a_public_key_that_is_none_is_refused(custodian: AwsKmsCustodian, kms_proxy: KmsProxy) -> None:
    material = await custodian.create("ES256")
    kms_proxy.say(
        {"KeyUsage": "SIGN_VERIFY", "SigningAlgorithms": ["ECDSA_SHA_256"], "PublicKey": "QUFB"}, "GetPublicKey"
    )
    with pytest.raises(KeyProviderError, match="not a PEM key") as caught:
        await custodian.open(material)
    assert not caught.value.retryable


# 300 ms and one in twenty


async def test_fifty_mints_at_once_over_a_bad_line(kms_proxy: KmsProxy) -> None:
    """300 ms late, one request in twenty fails: no mint fails, and every token is good."""
    lot = random.Random(20)  # noqa: S311 - the same faults every time

    def one_in_twenty(request: Request) -> Reply | None:
        if operation_of(request) != "Sign" or lot.random() > 0.05:
            return None
        code, status = lot.choice([("ThrottlingException", 400), ("KMSInternalException", 500)])
        return json_reply({"__type": code}, status=status, headers={"Content-Type": "application/x-amz-json-1.1"})

    async with TokenService(
        issuer="https://myapp.example",
        keys=provider(kms_proxy, AwsKmsCustodian(endpoint_url=kms_proxy.url(), concurrency=16)),
    ) as tokens:
        await tokens.mint(ACCESS, subject="first")
        kms_proxy.latency, kms_proxy.fates = 0.3, [one_in_twenty]
        minted: list[str] = []

        async def mint(subject: str) -> None:
            minted.append(await tokens.mint(ACCESS, subject=subject))

        async with anyio.create_task_group() as tasks:
            for number in range(50):
                tasks.start_soon(mint, str(number))
        assert {(await tokens.verify(token, ACCESS)).subject for token in minted} == {str(n) for n in range(50)}


# Keys that are slow to make


def provider(kms_proxy: KmsProxy, custodian: AwsKmsCustodian | None = None, **settings: Any) -> RotatingKeyProvider:
    settings = {"policy": BY_HAND, "clock": FakeClock(), "store": MemoryKeyRingStore(), **settings}
    custodian = custodian or AwsKmsCustodian(endpoint_url=kms_proxy.url())
    return RotatingKeyProvider(settings.pop("store"), custodian=custodian, algorithm="ES256", **settings)


@pytest.mark.parametrize("operation", ["GetPublicKey", "TagResource"])
async def test_what_was_begun_is_finished(kms: KmsServer, kms_proxy: KmsProxy, operation: str) -> None:
    """A rotation that fails every second must not leave a key behind every second."""
    async with AwsKmsCustodian(endpoint_url=kms_proxy.url()) as custodian:
        kms_proxy.refuse("AccessDeniedException", operation, times=3)
        for _ in range(3):
            with pytest.raises(KeyProviderError, match="do not allow it"):
                await custodian.create("ES256")
        material = await custodian.create("ES256")
        assert kms.arns() == [material.handle]
        assert kms.tags(material.handle)["mintkey-kid"] == material.kid


async def test_what_was_begun_is_not_finished_as_something_else(kms: KmsServer, kms_proxy: KmsProxy) -> None:
    """And at the end it is given up."""
    async with AwsKmsCustodian(endpoint_url=kms_proxy.url()) as custodian:
        kms_proxy.refuse("AccessDeniedException", "TagResource", times=1)
        with pytest.raises(KeyProviderError):
            await custodian.create("ES256")
        made = await custodian.create("ES384")
        begun = next(arn for arn in kms.arns() if arn != made.handle)
    assert kms.arns("PendingDeletion") == [begun]


async def test_one_who_cannot_be_given_up_is_left_to_be_swept(
    kms: KmsServer, kms_proxy: KmsProxy, caplog: pytest.LogCaptureFixture
) -> None:
    async with AwsKmsCustodian(endpoint_url=kms_proxy.url()) as custodian:
        kms_proxy.refuse("AccessDeniedException", "TagResource", "ScheduleKeyDeletion")
        with pytest.raises(KeyProviderError):
            await custodian.create("ES256")
    assert "it is left to be swept" in caplog.text
    assert len(kms.arns("Enabled")) == 1


async def test_a_lost_answer_makes_no_second_key(kms: KmsServer, kms_proxy: KmsProxy) -> None:
    """Nobody knows the first one's name; it is swept one day."""
    async with AwsKmsCustodian(endpoint_url=kms_proxy.url()) as custodian:
        kms_proxy.lose("CreateKey", times=1)
        with pytest.raises(KeyProviderError, match="make a key: the connection broke") as caught:
            await custodian.create("ES256")
        assert (caught.value.reason, caught.value.retryable) == (Reason.KEYS_UNAVAILABLE, True)
    assert kms_proxy.asked == ["CreateKey"]
    assert len(kms.arns()) == 1


async def test_a_new_key_may_be_unknown_for_a_moment(kms_proxy: KmsProxy) -> None:
    """KMS tells all of its machines of it, one after the other."""
    async with AwsKmsCustodian(endpoint_url=kms_proxy.url()) as custodian:
        kms_proxy.refuse("NotFoundException", "GetPublicKey", times=2)
        kms_proxy.refuse("NotFoundException", "TagResource", times=1)
        await custodian.create("ES256")
    assert kms_proxy.asked == ["CreateKey", *["GetPublicKey"] * 3, *["TagResource"] * 2]


async def test_a_full_account_is_no_missing_region(kms_proxy: KmsProxy) -> None:
    async with AwsKmsCustodian(endpoint_url=kms_proxy.url()) as custodian:
        kms_proxy.refuse("LimitExceededException", "CreateKey")
        with pytest.raises(KeyProviderError, match="a quota of the AWS account is used up"):
            await custodian.create("ES256")


async def test_while_no_key_can_be_made_the_active_one_goes_on(kms: KmsServer, kms_proxy: KmsProxy) -> None:
    """Rotation is overdue, `health` says so, and it is made up for as soon as that is possible."""
    clock = FakeClock()
    keys = provider(kms_proxy, policy=HOURLY, clock=clock)
    async with TokenService(issuer="https://myapp.example", keys=keys, clock=clock) as tokens:
        first = await tokens.mint(ACCESS, subject="20")
        assert (await tokens.health()).checks["keys.rotation"].word == "on_time"
        kms_proxy.refuse("LimitExceededException", "CreateKey")
        clock.advance(timedelta(hours=1, seconds=10))
        for _ in range(5):
            assert (await tokens.mint(ACCESS, subject="20")).key_id == first.key_id
        check = (await tokens.health()).checks["keys.rotation"]
        assert (check.ok, check.word) == (False, "overdue")
        assert check.figure >= 10
        kms_proxy.fates.clear()
        clock.advance(timedelta(seconds=2))
        second = await tokens.mint(ACCESS, subject="20")
        assert second.key_id != first.key_id
        assert (await tokens.health()).checks["keys.rotation"].ok
        assert (await tokens.verify(second, ACCESS)).subject == "20"
    assert len(kms.arns()) == 3


async def test_a_rotation_that_is_killed_leaves_a_key_for_the_next(kms: KmsServer, kms_proxy: KmsProxy) -> None:
    """Cancelled while it was being named: the same custodian goes on with it."""
    async with AwsKmsCustodian(endpoint_url=kms_proxy.url()) as custodian:
        kms_proxy.hang("TagResource", times=1)
        with anyio.move_on_after(1.5):
            await custodian.create("ES256")
        assert "TagResource" in kms_proxy.asked
        material = await custodian.create("ES256")
    assert kms.arns() == [material.handle]


# Deleting


@pytest.mark.parametrize("code", ["NotFoundException", "KMSInvalidStateException"])
async def test_deleting_what_is_gone_does_nothing(
    custodian: AwsKmsCustodian, material: KeyMaterial, kms_proxy: KmsProxy, code: str
) -> None:
    kms_proxy.refuse(code, "ScheduleKeyDeletion")
    await custodian.destroy(material)
    kms_proxy.refuse("NotFoundException", "ListResourceTags")
    await custodian.destroy(material)


@pytest.mark.parametrize("operation", ["ScheduleKeyDeletion", "ListResourceTags"])
async def test_a_deletion_that_fails_is_told(
    custodian: AwsKmsCustodian, material: KeyMaterial, kms_proxy: KmsProxy, operation: str
) -> None:
    kms_proxy.refuse("AccessDeniedException", operation)
    with pytest.raises(KeyProviderError, match="do not allow it"):
        await custodian.destroy(material)


# Settings from outside


async def test_without_credentials(kms: KmsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    async with AwsKmsCustodian(endpoint_url=kms.url) as custodian:
        with pytest.raises(KeyProviderError, match="there are no AWS credentials") as caught:
            await custodian.create("ES256")
    assert not caught.value.retryable


async def test_without_a_region(kms: KmsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    async with AwsKmsCustodian(endpoint_url=kms.url) as custodian:
        with pytest.raises(ConfigurationError, match="needs a region"):
            await custodian.create("ES256")


async def test_with_settings_that_make_no_client(kms: KmsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "of-others")
    async with AwsKmsCustodian(endpoint_url=kms.url) as custodian:
        with pytest.raises(ConfigurationError, match="no client can be made: ProfileNotFound"):
            await custodian.create("ES256")


async def test_pauses_grow_and_differ() -> None:
    pauses = [[aws_calls._pause(tries) for _ in range(50)] for tries in (0, 3, 200)]
    assert all(0 <= pause <= longest for row, longest in zip(pauses, (0.05, 0.4, 1.0), strict=True) for pause in row)
    assert len({pause for row in pauses for pause in row}) > 100
    assert max(pauses[1]) > max(pauses[0])


async def test_credentials_that_cannot_be_fetched_may_be_there_in_a_moment() -> None:
    """And what a client of the caller's raises is not taken for a setting of ours."""
    from botocore.exceptions import (  # type: ignore[import-untyped]  # it has no types
        CredentialRetrievalError,
        ParamValidationError,
    )

    unfetched = CredentialRetrievalError(provider="web", error_msg="secret words")
    assert aws_faults.unusable_settings(unfetched) is None
    assert aws_faults.unusable_settings(RuntimeError("secret words")) is None
    assert aws_faults.fault_of(unfetched).outcome is aws_faults.Outcome.DEFERRED
    unfit = aws_faults.fault_of(ParamValidationError(report="secret words"))
    assert unfit.outcome is aws_faults.Outcome.REFUSED
    assert "secret words" not in unfit.text


async def test_a_client_that_cannot_be_made_yet_is_made_later(kms: KmsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the machine's role is asked for and does not answer at once."""
    from botocore.exceptions import CredentialRetrievalError

    async with AwsKmsCustodian(endpoint_url=kms.url) as custodian:
        make, failures = custodian._calls._make, [CredentialRetrievalError(provider="web", error_msg="")] * 2

        async def make_later() -> Any:
            if failures:
                raise failures.pop()
            return await make()

        monkeypatch.setattr(custodian._calls, "_make", make_later)
        await custodian.create("ES256")
    assert failures == []
