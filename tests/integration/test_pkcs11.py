"""Key pairs on a PKCS#11 token: what they sign, what is known of them, and that they stay there."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, get_args

import jwt
import pkcs11
import pytest
from pkcs11 import Attribute, ObjectClass

from mintkey import ConfigurationError, KeyProviderError, Purpose, TokenService
from mintkey.errors import UnsupportedOperationError
from mintkey.jose.jwk import load_jwk, thumbprint
from mintkey.jose.prepared import verification_key
from mintkey.keys.base import Algorithm
from mintkey.keys.custodians import pkcs11_pairs
from mintkey.keys.custodians.pkcs11_objects import generate
from mintkey.keys.engine import RotatingKeyProvider
from mintkey.keys.ports import KeyMaterial
from mintkey.keys.stores.memory import MemoryKeyRingStore
from mintkey.testing import FakeClock
from tests.support.hsm import PIN, Hsm, Officer

pytest_plugins = ["tests.support.hsm_fixtures"]

ISSUER = "https://myapp.example"
ACCESS = Purpose("access", lifetime=timedelta(minutes=5), audience="myapp.api")
ASYMMETRIC = [name for name in get_args(Algorithm) if not name.startswith("HS")]
PRIVATE, PUBLIC = ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
async def test_other_libraries_verify_what_the_token_signed(hsm: Hsm, algorithm: Algorithm) -> None:
    keys = RotatingKeyProvider(MemoryKeyRingStore(), algorithm=algorithm, custodian=hsm.custodian())
    async with TokenService(issuer=ISSUER, keys=keys) as tokens:
        token = await tokens.mint(ACCESS, subject="20")
        served = jwt.PyJWKSet.from_dict((await tokens.jwks()).as_dict())
    claims = jwt.decode(token, served[token.key_id], algorithms=[algorithm], audience="myapp.api", issuer=ISSUER)
    assert claims["sub"] == "20"


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "RS256"])
async def test_the_token_does_not_give_a_private_key_away(hsm: Hsm, officer: Officer, algorithm: Algorithm) -> None:
    await hsm.custodian().create(algorithm)
    with officer.session() as session:
        (key,) = session.get_objects({Attribute.CLASS: PRIVATE})
        assert key[Attribute.SENSITIVE] is key[Attribute.ALWAYS_SENSITIVE] is key[Attribute.NEVER_EXTRACTABLE] is True
        assert key[Attribute.EXTRACTABLE] is False
        with pytest.raises(pkcs11.AttributeSensitive):
            key[Attribute.PRIVATE_EXPONENT if algorithm == "RS256" else Attribute.VALUE]


async def test_the_ring_holds_no_private_half(hsm: Hsm) -> None:
    store = MemoryKeyRingStore()
    async with RotatingKeyProvider(store, algorithm="ES256", custodian=hsm.custodian()) as keys:
        await keys.rotate()
        with pytest.raises(UnsupportedOperationError):
            await keys.rewrap()
        ring = await store.load("default")
    assert ring is not None
    assert b'"d"' not in ring.document
    assert ring.document.count(b"pkcs11:id=") == len(await keys.versions())
    assert PIN.encode() not in ring.document


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
async def test_secrets_are_not_kept_on_a_token(hsm: Hsm, algorithm: Algorithm) -> None:
    with pytest.raises(ConfigurationError, match=f"no secret for {algorithm}"):
        await hsm.custodian().create(algorithm)


async def test_what_the_token_does_not_do_is_a_matter_of_settings(hsm: Hsm, monkeypatch: pytest.MonkeyPatch) -> None:
    def unable(*_: object, **__: object) -> None:
        raise pkcs11.MechanismInvalid

    monkeypatch.setattr(pkcs11_pairs, "generate", unable)
    with pytest.raises(ConfigurationError, match="the token makes no keys for EdDSA: MechanismInvalid"):
        await hsm.custodian().create("EdDSA")


async def test_a_token_that_says_once_that_it_cannot_is_asked_again(hsm: Hsm, monkeypatch: pytest.MonkeyPatch) -> None:
    """SoftHSM did so, of a template that it took before and after, while several threads were making keys."""
    asked = 0

    def unable_at_first(*arguments: Any, **named: Any) -> tuple[Any, Any]:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise pkcs11.TemplateInconsistent
        return generate(*arguments, **named)

    monkeypatch.setattr(pkcs11_pairs, "generate", unable_at_first)
    custodian = hsm.custodian()
    key = await custodian.open(await custodian.create("ES256"))
    assert len(await key.sign(b"input")) == 64
    assert asked == 2


async def test_a_key_pair_says_what_it_is_for(hsm: Hsm, officer: Officer) -> None:
    clock = FakeClock()
    material = await hsm.custodian(ring="sessions of ours", clock=clock).create("ES256")
    label = f"mintkey:sessions%20of%20ours:{int(clock.time())}:{material.kid}"
    for kind in (PRIVATE, PUBLIC):
        (found,) = officer.objects(kind)
        assert found[Attribute.LABEL] == label
        assert material.handle == "pkcs11:id=" + "".join(f"%{byte:02X}" for byte in found[Attribute.ID])


async def test_a_version_that_is_pruned_leaves_the_token(hsm: Hsm, officer: Officer) -> None:
    custodian = hsm.custodian()
    kept, gone = await custodian.create("ES256"), await custodian.create("ES256")
    await custodian.destroy(gone)
    assert [found[Attribute.LABEL].endswith(kept.kid) for found in officer.objects()] == [True]
    assert [found[Attribute.LABEL].endswith(kept.kid) for found in officer.objects(PUBLIC)] == [True]
    with pytest.raises(KeyProviderError, match="there is no such key"):
        await custodian.open(gone)


async def test_a_handle_that_was_erased_is_gone(hsm: Hsm, officer: Officer) -> None:
    material = await hsm.custodian().create("ES256")
    await hsm.custodian().destroy(replace(material, handle=""))
    assert len(officer.objects()) == 1


async def test_half_of_a_pair_is_deleted_too(hsm: Hsm, officer: Officer) -> None:
    custodian = hsm.custodian()
    material = await custodian.create("ES256")
    with officer.session() as session:
        (private,) = session.get_objects({Attribute.CLASS: PRIVATE})
        private.destroy()
    await custodian.destroy(material)
    assert officer.objects(PUBLIC) == []


async def _signs(hsm: Hsm, material: KeyMaterial) -> bool:
    signature = await (await hsm.custodian().open(material)).sign(b"input")
    assert material.public_jwk is not None
    return verification_key(load_jwk(material.public_jwk, source="the test")).verify(b"input", signature)


class TestWhoCanWriteToTheRing:
    async def test_does_not_choose_what_is_deleted(self, hsm: Hsm) -> None:
        custodian = hsm.custodian()
        mine, other = await custodian.create("ES256"), await custodian.create("EdDSA")
        for lie in (replace(mine, handle=other.handle), replace(mine, kid=other.kid), replace(mine, algorithm="RS256")):
            await custodian.destroy(lie)
        assert await _signs(hsm, mine)
        assert await _signs(hsm, other)

    async def test_does_not_delete_for_another_ring(self, hsm: Hsm) -> None:
        material = await hsm.custodian(ring="one").create("ES256")
        await hsm.custodian(ring="two").destroy(material)
        assert await _signs(hsm, material)

    async def test_does_not_reach_keys_of_others(self, hsm: Hsm, officer: Officer) -> None:
        custodian = hsm.custodian()
        mine = await custodian.create("ES256")
        officer.add_pair("authority")
        lie = replace(mine, handle="pkcs11:object=authority")
        with pytest.raises(KeyProviderError, match="names another key"):
            await custodian.open(lie)
        await custodian.destroy(lie)
        assert "authority" in [found[Attribute.LABEL] for found in officer.objects()]

    @pytest.mark.parametrize(
        "handle", ["authority", "pkcs11:", "pkcs11:id=", "pkcs11:id=é", "pkcs11:id=%0", "pkcs11:x=1"]
    )
    async def test_has_to_keep_to_the_form_of_a_handle(self, hsm: Hsm, handle: str) -> None:
        custodian = hsm.custodian()
        material = replace(await custodian.create("ES256"), handle=handle)
        for call in (custodian.open, custodian.destroy):
            with pytest.raises(KeyProviderError, match="the handle is not that of a key"):
                await call(material)


class TestAdopting:
    @pytest.fixture
    async def custodian(self, hsm: Hsm) -> Any:
        custodian = hsm.custodian()
        async with custodian:
            yield custodian

    @pytest.mark.parametrize("name", ["payments 2025", "pkcs11:object=payments%202025", "pkcs11:id=payments%202025"])
    async def test_a_key_of_the_token_becomes_one_of_the_ring(
        self, hsm: Hsm, officer: Officer, custodian: Any, name: str
    ) -> None:
        officer.add_pair("payments 2025")
        material = await custodian.adopt(name, "ES256")
        assert material.public_jwk is not None
        assert material.kid == thumbprint(material.public_jwk)
        assert await _signs(hsm, material)

    async def test_it_is_never_deleted_from_here(self, officer: Officer, custodian: Any) -> None:
        officer.add_pair("payments")
        material = await custodian.adopt("payments", "ES256")
        await custodian.destroy(material)
        assert await custodian.sweep([], older_than=timedelta(days=1)) == ()
        assert len(officer.objects()) == 1

    async def test_a_key_without_an_id_is_known_by_its_label(self, hsm: Hsm, officer: Officer, custodian: Any) -> None:
        officer.add_pair("payments; 2025")
        with officer.session() as session:
            for half in session.get_objects({Attribute.LABEL: "payments; 2025"}):
                half[Attribute.ID] = b""
        material = await custodian.adopt("payments; 2025", "ES256")
        assert material.handle == "pkcs11:object=payments%3B%202025"
        assert await _signs(hsm, material)

    @pytest.mark.parametrize("lax", [{"extractable": True}, {"sensitive": False}])
    async def test_one_that_could_leave_the_token_is_refused(self, officer: Officer, custodian: Any, lax: Any) -> None:
        officer.add_pair("payments", **lax)
        with pytest.raises(ConfigurationError, match="set CKA_SENSITIVE and clear CKA_EXTRACTABLE"):
            await custodian.adopt("payments", "ES256")

    @pytest.mark.parametrize("algorithm", ["ES384", "EdDSA", "RS256"])
    async def test_one_of_another_kind_is_refused(self, officer: Officer, custodian: Any, algorithm: Algorithm) -> None:
        officer.add_pair("payments")
        with pytest.raises(ConfigurationError, match="the key on the token"):
            await custodian.adopt("payments", algorithm)

    async def test_one_that_must_not_sign_is_refused(self, officer: Officer, custodian: Any) -> None:
        officer.add_pair("payments", sign=False)
        with pytest.raises(KeyProviderError, match="not for signing"):
            await custodian.adopt("payments", "ES256")

    async def test_halves_of_two_keys_are_refused(self, officer: Officer, custodian: Any) -> None:
        officer.add_pair("payments")
        officer.add_pair("invoices")
        with officer.session() as session:
            for label, kind in (("payments", PUBLIC), ("invoices", PRIVATE)):
                (half,) = session.get_objects({Attribute.CLASS: kind, Attribute.LABEL: label})
                half.destroy()
            (private,) = session.get_objects({Attribute.CLASS: PRIVATE, Attribute.LABEL: "payments"})
            private[Attribute.ID] = b"invoices"
        with pytest.raises(KeyProviderError, match="is that of another"):
            await custodian.adopt("payments", "ES256")

    async def test_it_has_to_be_there_once(self, officer: Officer, custodian: Any) -> None:
        with pytest.raises(KeyProviderError, match="could not adopt the key: there is no such key"):
            await custodian.adopt("payments", "ES256")
        officer.add_pair("payments")
        officer.add_pair("payments")
        with pytest.raises(KeyProviderError, match="could not adopt the key: there are several such keys"):
            await custodian.adopt("payments", "ES256")


class TestSweeping:
    async def test_keys_that_never_got_into_the_ring_go(self, hsm: Hsm, officer: Officer) -> None:
        clock = FakeClock()
        custodian = hsm.custodian(clock=clock)
        left, used = await custodian.create("ES256"), await custodian.create("ES256")
        await hsm.custodian(clock=clock, ring="other").create("ES256")
        officer.add_pair("authority")
        clock.advance(timedelta(hours=3))
        young = await custodian.create("ES256")
        assert await custodian.sweep([used], older_than=timedelta(hours=2)) == (left.handle,)
        assert await _signs(hsm, used)
        assert await _signs(hsm, young)
        assert len(officer.objects()) == len(officer.objects(PUBLIC)) == 4

    async def test_a_key_in_use_is_known_by_its_kid_too(self, hsm: Hsm) -> None:
        clock = FakeClock()
        custodian = hsm.custodian(clock=clock)
        used = await custodian.create("ES256")
        clock.advance(timedelta(days=1))
        assert await custodian.sweep([replace(used, handle="")], older_than=timedelta(hours=2)) == ()

    async def test_and_by_its_handle(self, hsm: Hsm) -> None:
        """A token that lets no label be changed has no kids in them."""
        clock = FakeClock()
        custodian = hsm.custodian(clock=clock)
        used = await custodian.create("ES256")
        clock.advance(timedelta(days=1))
        assert await custodian.sweep([replace(used, kid="unknown")], older_than=timedelta(hours=2)) == ()

    async def test_keys_that_are_being_made_have_time(self, hsm: Hsm) -> None:
        with pytest.raises(ConfigurationError, match="at least two hours"):
            await hsm.custodian().sweep([], older_than=timedelta(minutes=119))
