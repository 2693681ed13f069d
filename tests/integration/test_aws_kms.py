"""Keys in AWS KMS, end to end: minted there, verified by others from the published keys, counted, pruned, swept."""

import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import jwt
import pytest
from aiobotocore.session import get_session  # type: ignore[import-untyped]  # it has no types

from mintkey import ConfigurationError, KeyProviderError, Purpose, Reason, TokenService
from mintkey.keys import (
    AwsKmsCustodian,
    KeyMaterial,
    RotatingKeyProvider,
    RotationPolicy,
    Sealer,
    SQLKeyProvider,
    adopt,
    sweep,
)
from mintkey.keys.base import Algorithm
from mintkey.keys.stores.memory import MemoryKeyRingStore
from mintkey.testing import FakeClock
from tests.support.kms import REGION, WITHOUT_ED25519, KmsProxy, KmsServer
from tests.support.ring_faults import BY_COUNT, BY_HAND

pytest_plugins = ["tests.support.kms_fixtures"]

ISSUER = "https://myapp.example"
ACCESS = Purpose("access", lifetime=timedelta(minutes=5), audience="app")
DAY = timedelta(days=1)
ALGORITHMS: list[Algorithm] = ["ES256", "ES384", "ES512", "EdDSA", "RS256", "RS512", "PS256", "PS384"]


@pytest.fixture
async def custodian(kms: KmsServer) -> AsyncIterator[AwsKmsCustodian]:
    async with AwsKmsCustodian(endpoint_url=kms.url, rsa_bits=2048) as custodian:
        yield custodian


def provider(custodian: AwsKmsCustodian, policy: RotationPolicy = BY_HAND, **settings: Any) -> RotatingKeyProvider:
    settings = {"algorithm": "ES256", "clock": FakeClock(), "store": MemoryKeyRingStore(), **settings}
    return RotatingKeyProvider(settings.pop("store"), custodian=custodian, policy=policy, **settings)


async def opened(custodian: AwsKmsCustodian, material: KeyMaterial) -> bytes:
    return await (await custodian.open(material)).sign(b"input")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_others_verify_from_the_published_keys(custodian: AwsKmsCustodian, algorithm: Algorithm) -> None:
    """Long tokens too, whose digest is all that KMS gets; of EdDSA it has to get everything."""
    keys = provider(custodian, algorithm=algorithm)
    sizes = (10,) if algorithm == "EdDSA" else (10, 5000)
    async with TokenService(issuer=ISSUER, keys=keys) as tokens:
        for size in sizes:
            token = await tokens.mint(ACCESS, subject="20", claims={"filler": "x" * size})
            published = jwt.PyJWKSet.from_dict((await tokens.jwks()).as_dict())
            key = published[jwt.get_unverified_header(token)["kid"]]
            options: Any = {"verify_exp": False, "verify_iat": False}
            claims = jwt.decode(token, key, algorithms=[algorithm], audience="app", issuer=ISSUER, options=options)
            assert claims["sub"] == "20"
            assert (await tokens.verify(token, ACCESS)).subject == "20"


async def test_a_key_says_whose_it_is(kms: KmsServer, custodian: AwsKmsCustodian) -> None:
    material = await custodian.create("ES256")
    assert kms.tags(material.handle) == {"mintkey": "made", "mintkey-ring": "default", "mintkey-kid": material.kid}
    about = kms.call("DescribeKey", KeyId=material.handle)["KeyMetadata"]
    assert (about["KeyUsage"], about["KeySpec"], about["Arn"]) == ("SIGN_VERIFY", "ECC_NIST_P256", material.handle)


async def test_edwards_keys_only_sign_what_kms_takes_whole(custodian: AwsKmsCustodian) -> None:
    key = await custodian.open(await custodian.create("EdDSA"))
    await key.sign(b"x" * 4096)
    with pytest.raises(KeyProviderError, match="at most 4096 bytes with EdDSA") as caught:
        await key.sign(b"x" * 4097)
    assert (caught.value.reason, caught.value.retryable) == (Reason.SIGNING_FAILED, False)


async def test_a_region_without_edwards_keys_is_named(kms: KmsServer) -> None:
    async with AwsKmsCustodian(endpoint_url=kms.url, region_name=WITHOUT_ED25519) as custodian:
        with pytest.raises(ConfigurationError, match=r"no keys for EdDSA in this region .*ECC_NIST_EDWARDS25519"):
            await custodian.create("EdDSA")


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
async def test_secrets_do_not_go_to_kms(kms: KmsServer, custodian: AwsKmsCustodian, algorithm: Algorithm) -> None:
    """KMS would have to be asked for every verification."""
    for doing in (custodian.create(algorithm), custodian.adopt("alias/mine", algorithm)):
        with pytest.raises(ConfigurationError, match=f"not for {algorithm}"):
            await doing
    assert kms.arns() == []


async def test_whoever_writes_to_the_ring_chooses_no_key(kms: KmsServer, custodian: AwsKmsCustodian) -> None:
    """Neither which one signs nor which one is deleted, whatever he puts in the place of a handle."""
    mine, other = [await custodian.create("ES256") for _ in range(2)]
    async with AwsKmsCustodian(endpoint_url=kms.url, ring="others") as elsewhere:
        foreign = await elsewhere.create("ES256")
    secret = kms.call("CreateKey")["KeyMetadata"]["Arn"]
    for handle in (other.handle, foreign.handle, secret, f"{mine.handle} ", f"alias/{mine.kid}"):
        forged = KeyMaterial(kid=mine.kid, algorithm="ES256", public_jwk=mine.public_jwk, handle=handle)
        with pytest.raises(KeyProviderError) as caught:
            await opened(custodian, forged)
        assert not caught.value.retryable
        await custodian.destroy(forged)
    assert len(kms.arns("Enabled")) == 4
    for jwk in (other.public_jwk, None):
        with pytest.raises(KeyProviderError, match="another key there"):
            await opened(custodian, KeyMaterial(kid=mine.kid, algorithm="ES256", public_jwk=jwk, handle=mine.handle))


async def test_a_key_signs_with_its_algorithm_alone(custodian: AwsKmsCustodian) -> None:
    """RSA keys in KMS do all six; the ring says which one it is, and the kid does not."""
    material = await custodian.create("ES256")
    with pytest.raises(KeyProviderError, match=r"does not sign with ES384 \(ECDSA_SHA_384\)"):
        await opened(
            custodian,
            KeyMaterial(kid=material.kid, algorithm="ES384", public_jwk=material.public_jwk, handle=material.handle),
        )


async def test_public_keys_are_asked_for_once(kms_proxy: KmsProxy) -> None:
    async with AwsKmsCustodian(endpoint_url=kms_proxy.url()) as custodian:
        material = await custodian.create("ES256")
        kms_proxy.asked.clear()
        for _ in range(3):
            await opened(custodian, material)
    assert kms_proxy.asked == ["GetPublicKey", "Sign", "Sign", "Sign"]


async def test_pruned_versions_are_deleted_and_no_others(kms: KmsServer, custodian: AwsKmsCustodian) -> None:
    clock = FakeClock()
    keys = provider(custodian, clock=clock)
    async with keys:
        first = (await keys.acquire()).key.kid
        await keys.rotate()
        await keys.prune()
        assert kms.arns("PendingDeletion") == []
        clock.advance(timedelta(minutes=41))
        assert await keys.prune() == 1
        deleted = kms.arns("PendingDeletion")
        assert [kms.tags(arn)["mintkey-kid"] for arn in deleted] == [first]
        assert {version.kid for version in await keys.versions()} == {
            kms.tags(arn)["mintkey-kid"] for arn in kms.arns("Enabled")
        }
        await (await keys.acquire()).key.sign(b"input")
    assert len(kms.arns("Enabled")) == 2, "closing deletes nothing that is in the ring"


async def test_a_deletion_can_be_taken_back_for_as_long_as_was_asked_for(kms: KmsServer) -> None:
    async with AwsKmsCustodian(endpoint_url=kms.url, deletion_window=timedelta(days=7)) as custodian:
        material = await custodian.create("ES256")
        await custodian.destroy(material)
        about = kms.call("DescribeKey", KeyId=material.handle)["KeyMetadata"]
        assert 6 * 86_400 < about["DeletionDate"] - about["CreationDate"] < 8 * 86_400


async def test_the_cap_holds_for_a_fleet(kms: KmsServer) -> None:
    """Three processes, seven mints a key: no key signs an eighth token."""
    store, clock = MemoryKeyRingStore(), FakeClock()
    fleet = [provider(AwsKmsCustodian(endpoint_url=kms.url), BY_COUNT, store=store, clock=clock) for _ in range(3)]
    signed: list[str] = []

    async def mint(keys: RotatingKeyProvider) -> None:
        for _ in range(8):
            grant = await keys.acquire()
            await grant.key.sign(b"input")
            signed.append(grant.key.kid)

    async with anyio.create_task_group() as tasks:
        for keys in fleet:
            tasks.start_soon(mint, keys)
    assert len(signed) == 24
    assert max(signed.count(kid) for kid in signed) <= 7
    for keys in fleet:
        await keys.aclose()


async def test_nothing_of_ours_gets_at_a_private_key(tmp_path: Path, custodian: AwsKmsCustodian) -> None:
    """Not the ring in its store, not a material, not the published keys; there is nothing to call for it either."""
    url = f"sqlite:///{tmp_path}/keys.db"
    sealer = Sealer([Sealer.generate_key()])
    async with SQLKeyProvider(url, algorithm="ES256", custodian=custodian, ring_sealer=sealer) as keys:
        key = (await keys.acquire()).key
        stored = await keys.workings.access.load()
        assert stored is not None
        ring = json.loads(stored.document.rpartition(b"\n")[2])
        texts = [json.dumps(ring), json.dumps((await keys.jwks()).as_dict()), repr(key), repr(custodian)]
    assert all(version["handle"].startswith("arn:aws:kms:") for version in ring["versions"])
    assert not any('"d"' in text or "arn:" in text for text in texts[1:])
    assert '"d"' not in texts[0]


def test_nothing_is_asked_of_kms_that_gives_a_private_key_away() -> None:
    """There is one such call for key pairs made there, `GenerateDataKeyPair`; ours are made by `CreateKey`."""
    modules = set(Path("src/mintkey/keys/custodians").glob("aws_*.py"))
    assert {module.stem for module in modules} >= {"aws_key", "aws_keys", "aws_tags", "aws_envelope"}
    asked = {found for module in modules for found in re.findall(r'ask\(\s*"(\w+)"', module.read_text())}
    assert asked == {
        "create_key",
        "describe_key",
        "get_public_key",
        "list_keys",
        "list_resource_tags",
        "schedule_key_deletion",
        "sign",
        "tag_resource",
        # Of the envelope, whose data keys are symmetric.
        "decrypt",
        "generate_data_key_without_plaintext",
    }


async def test_a_client_that_was_given_stays_open(kms: KmsServer) -> None:
    making = get_session().create_client("kms", endpoint_url=kms.url, region_name=REGION)
    client = await anyio.to_thread.run_sync(anyio.run, making.__aenter__)
    async with provider(AwsKmsCustodian(client)) as keys:
        await (await keys.acquire()).key.sign(b"input")
    assert len((await client.list_keys())["Keys"]) == 2
    await client.close()


async def test_event_loops_of_several_threads_share_a_custodian(kms: KmsServer) -> None:
    """Each has connections of its own, and closes them: what belongs to one loop is of no use in another."""
    custodian = AwsKmsCustodian(endpoint_url=kms.url)
    material = await custodian.create("ES256")
    await opened(custodian, material)

    async def elsewhere() -> int:
        signatures = [await opened(custodian, material) for _ in range(3)]
        await custodian.aclose()
        return len(set(signatures))

    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(anyio.to_thread.run_sync, anyio.run, elsewhere)
        for _ in range(3):
            await opened(custodian, material)
    await custodian.aclose()


async def test_those_who_come_first_share_a_client(kms: KmsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Making one takes a tenth of a second, and nobody would close the others."""
    async with AwsKmsCustodian(endpoint_url=kms.url) as custodian:
        make, made = custodian._calls._make, 0

        async def count() -> Any:
            nonlocal made
            made += 1
            return await make()

        monkeypatch.setattr(custodian._calls, "_make", count)
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(custodian.create, "ES256")
    assert (made, len(kms.arns())) == (1, 3)


async def test_closing_waits_for_what_is_under_way(kms_proxy: KmsProxy) -> None:
    custodian = AwsKmsCustodian(endpoint_url=kms_proxy.url())
    key = await custodian.open(await custodian.create("ES256"))
    kms_proxy.latency = 0.2
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(key.sign, b"input")
        await kms_proxy.arrived(5)
        await custodian.aclose()
        assert kms_proxy.asked.count("Sign") == 1
    assert len(await key.sign(b"input")) == 64, "and who signs after that opens it again"
    await custodian.aclose()


async def test_a_provider_closes_a_custodian_that_nobody_entered(kms_proxy: KmsProxy) -> None:
    mine = AwsKmsCustodian(endpoint_url=kms_proxy.url())
    async with mine, provider(mine) as keys:
        await keys.acquire()
    async with provider(mine) as keys:
        await keys.acquire()
    assert mine._calls._connections.find() is None


# What is left over


async def test_what_a_killed_process_left_behind_is_swept(kms: KmsServer) -> None:
    """It had made a key, and not put it into the ring yet; named or not."""
    clock = FakeClock(datetime.now(UTC))
    async with (
        AwsKmsCustodian(endpoint_url=kms.url, clock=clock) as custodian,
        provider(custodian, clock=clock) as keys,
    ):
        await keys.acquire()
        orphan = await custodian.create("ES256")
        tags = [{"TagKey": "mintkey", "TagValue": "made"}, {"TagKey": "mintkey-ring", "TagValue": "default"}]
        unnamed = kms.call("CreateKey", KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY", Tags=tags)["KeyMetadata"]
        assert await sweep(keys) == (), "too young: they may be on their way into the ring"
        clock.advance(2 * DAY)
        assert set(await sweep(keys)) == {orphan.handle, unnamed["Arn"]}
        assert await sweep(keys) == ()
        assert set(kms.arns("PendingDeletion")) == {orphan.handle, unnamed["Arn"]}
        await (await keys.acquire()).key.sign(b"input")


async def test_nothing_else_is_swept(kms: KmsServer) -> None:
    """Keys of other rings, keys of other people, and a key in use whose handle is another spelling of it."""
    clock = FakeClock(datetime.now(UTC))
    async with (
        AwsKmsCustodian(endpoint_url=kms.url, clock=clock) as custodian,
        AwsKmsCustodian(endpoint_url=kms.url, ring="others") as elsewhere,
    ):
        await elsewhere.create("ES256")
        kms.call("CreateKey", KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
        used = await custodian.create("ES256")
        clock.advance(2 * DAY)
        by_kid = KeyMaterial(kid=used.kid, algorithm="ES256", public_jwk=used.public_jwk, handle="")
        by_handle = KeyMaterial(kid="another", algorithm="ES256", public_jwk=None, handle=used.handle)
        assert await custodian.sweep([by_kid], older_than=DAY) == ()
        assert await custodian.sweep([by_handle], older_than=DAY) == ()
        assert kms.arns("PendingDeletion") == []


async def test_a_sweep_needs_a_ring_and_time(kms: KmsServer, custodian: AwsKmsCustodian) -> None:
    """A wrong database has no ring: then everything would look left over."""
    async with provider(custodian) as keys:
        with pytest.raises(KeyProviderError, match="there is no ring 'default'"):
            await sweep(keys)
        await keys.acquire()
        with pytest.raises(ConfigurationError, match="at least two hours"):
            await sweep(keys, older_than=timedelta(minutes=119))


async def test_long_lists_of_keys_are_read_to_their_end(kms: KmsServer, kms_proxy: KmsProxy) -> None:
    """And keys that are not for our eyes are left out."""
    clock = FakeClock(datetime.now(UTC))
    async with AwsKmsCustodian(endpoint_url=kms_proxy.url(), clock=clock) as custodian:
        orphan = await custodian.create("ES256")
        clock.advance(2 * DAY)
        hidden = {"KeyId": "x", "KeyArn": orphan.handle[:-4] + "0000"}
        kms_proxy.pages(
            {"Keys": [hidden], "NextMarker": "more", "Truncated": True},
            {"Keys": [{"KeyId": "y", "KeyArn": orphan.handle}], "Truncated": False},
        )
        assert await custodian.sweep([], older_than=DAY) == (orphan.handle,)


# Moving in


@pytest.mark.parametrize("by", ["KeyId", "Arn", "alias"])
async def test_a_key_that_exists_is_adopted(kms: KmsServer, custodian: AwsKmsCustodian, by: str) -> None:
    """In a ring that has keys it is published first, and signs after two rotations; and it is never deleted."""
    about = kms.call("CreateKey", KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
    kms.call("CreateAlias", AliasName="alias/tokens", TargetKeyId=about["KeyId"])
    clock = FakeClock(datetime.now(UTC))
    async with provider(custodian, clock=clock) as keys:
        await keys.acquire()
        material = await custodian.adopt(about.get(by, "alias/tokens"), "ES256")
        assert material.handle == about["Arn"]
        for _ in range(2):
            await adopt(keys, material)
        assert [version.kid for version in await keys.versions()].count(material.kid) == 1
        await keys.rotate()
        assert (await keys.rotate()).kid == material.kid
        grant = await keys.acquire()
        assert (await keys.resolve(material.kid)).verify(b"input", await grant.key.sign(b"input"))
        await keys.rotate()
        clock.advance(timedelta(minutes=41))
        assert await keys.prune() == 3
    assert kms.state(about["Arn"]) == "Enabled"


async def test_an_adopted_key_begins_a_ring(kms: KmsServer, custodian: AwsKmsCustodian) -> None:
    about = kms.call("CreateKey", KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
    async with provider(custodian) as keys:
        material = await custodian.adopt(about["Arn"], "ES256")
        await adopt(keys, material)
        assert (await keys.acquire()).key.kid == material.kid


async def test_what_does_not_sign_is_not_adopted(kms: KmsServer, custodian: AwsKmsCustodian) -> None:
    encrypting = kms.call("CreateKey")["KeyMetadata"]["Arn"]
    with pytest.raises(KeyProviderError):
        await custodian.adopt(encrypting, "ES256")
    disabled = kms.call("CreateKey", KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    material = await custodian.adopt(disabled, "ES256")
    kms.call("DisableKey", KeyId=disabled)
    async with provider(custodian) as keys:
        with pytest.raises(KeyProviderError, match="the key is disabled"):
            await adopt(keys, material)
        assert material.kid not in {version.kid for version in await keys.versions()}
