"""Every family of attacks finds the defect that it is about: a verifier with that defect does not get past it.

The defects are those of other libraries (see the advisories), put into ours for the length of a test.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mintkey import PurposeMismatchError, Reason
from mintkey.claims import registered, strict_json, typed
from mintkey.jose import compact, header, signatures
from mintkey.jose.header import NO_HEADERS
from tests.security.attacks.case import LOGIN
from tests.security.attacks.corpus import FAMILIES, cases, forge_of
from tests.security.attacks.trial import Trial

Patch = pytest.MonkeyPatch
authenticate, split, take_registered = compact.authenticate, compact.split, registered.take_registered


def none_is_an_algorithm(patch: Patch) -> None:
    def lax(alg: str, key: Any, signed: bytes, signature: bytes, /) -> None:
        if alg.lower() != "none":
            authenticate(alg, key, signed, signature)

    patch.setattr("mintkey.verifier.authenticate", lax)


def the_public_key_is_a_secret(patch: Patch) -> None:
    def lax(alg: str, key: Any, signed: bytes, signature: bytes, /) -> None:
        public = forge_of("ES256").key.public
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        if alg != "HS256" or hmac.new(pem, signed, hashlib.sha256).digest() != signature:
            authenticate(alg, key, signed, signature)

    patch.setattr("mintkey.verifier.authenticate", lax)


def a_secret_is_read_as_text(patch: Patch) -> None:
    def lax(secret: bytes, digest: str) -> Callable[[bytes, bytes], bool]:
        secrets = (secret, base64.b64encode(secret))
        return lambda signed, signature: signature in [hmac.new(one, signed, digest).digest() for one in secrets]

    patch.setattr(signatures, "_hmac_verifier", lax)


def the_algorithm_is_not_compared(patch: Patch) -> None:
    patch.setattr("mintkey.verifier.authenticate", lambda _, *rest: authenticate(rest[0].algorithm, *rest))


def kids_are_not_looked_at(patch: Patch) -> None:
    patch.setattr(header, "check_kid", lambda _: True)


def foreign_members_are_skipped(patch: Patch) -> None:
    patch.setattr(header, "_private", lambda *_: NO_HEADERS)


def any_private_member_is_fine(patch: Patch) -> None:
    patch.setattr(header, "_private", lambda members, _: {name: members[name] for name in members.keys() - {"alg"}})


def json_is_read_by_the_standard_library(patch: Patch) -> None:
    def lax(data: bytes, **_: Any) -> Any:
        try:
            found = json.loads(data)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise strict_json.StrictJSONError("no object")
        return found

    patch.setattr(strict_json, "loads", lax)


def base64_is_read_by_the_standard_library(patch: Patch) -> None:
    patch.setattr(compact, "decode_base64", lambda text: base64.b64decode(text.rstrip(b"\0") + b"==="))


def what_follows_three_segments_is_skipped(patch: Patch) -> None:
    def lax(token: Any, max_bytes: int, /) -> Any:
        three = ".".join(token.strip().split(".")[:3]) if isinstance(token, str) else token
        return split(three, max_bytes)

    patch.setattr("mintkey.verifier.split", lax)


def bytes_are_taken_for_text(patch: Patch) -> None:
    def lax(token: Any, max_bytes: int, /) -> Any:
        return split(token.decode() if isinstance(token, bytes) else token, max_bytes)

    patch.setattr("mintkey.verifier.split", lax)


def any_length_is_read(patch: Patch) -> None:
    patch.setattr("mintkey.verifier.split", lambda token, _: split(token, 10**9))


def part_of_a_signature_is_enough(patch: Patch) -> None:
    def lax(secret: bytes, digest: str) -> Callable[[bytes, bytes], bool]:
        # Only as long as what came in: none at all is good.
        return lambda signed, signature: hmac.new(secret, signed, digest).digest().startswith(signature)

    patch.setattr(signatures, "_hmac_verifier", lax)


def signatures_of_any_size_are_read(patch: Patch) -> None:
    def lax(raw: bytes, _size: int) -> bytes:
        half = len(raw) // 2
        return der(raw[:half], half) if raw[:1] != b"0" else raw

    der = signatures._der
    patch.setattr(signatures, "_der", lambda raw, size: lax(raw, size) if len(raw) != 2 * size else der(raw, size))
    patch.setattr(signatures, "len", lambda _: 64, raising=False)


def points_of_low_order_are_fine(patch: Patch) -> None:
    patch.setattr(signatures, "LOW_ORDER", frozenset())
    patch.setattr("mintkey.jose.sodium._library", lambda: None)


def salts_and_paddings_are_guessed(patch: Patch) -> None:
    from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS

    digest = signatures._HASHES["sha256"]
    patch.setattr(signatures, "_rsa_padding", lambda _: PSS(MGF1(digest), PSS.AUTO))


def times_are_not_looked_at(patch: Patch) -> None:
    patch.setattr("mintkey.verifier.admit", lambda *_: None)


class _PartOf(str):
    """A string that is equal to whatever it contains."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __ne__(self, other: object) -> bool:
        return not (isinstance(other, str) and other in str(self))


def issuers_are_compared_in_part(patch: Patch) -> None:
    def lax(claims: Any, rules: Any, /, *, issuer: str) -> Any:
        return take_registered(claims, rules, issuer=_PartOf(issuer))

    patch.setattr("mintkey.reading.take_registered", lax)


def audiences_are_compared_in_part(patch: Patch) -> None:
    patch.setattr(registered, "_audience", lambda value, _: (value,) if isinstance(value, str) else tuple(value or ()))


def subjects_are_made_text(patch: Patch) -> None:
    patch.setattr(registered, "_text", lambda value, _: str(value))


def types_are_not_compared(patch: Patch) -> None:
    patch.setattr("mintkey.verifier.same_typ", lambda *_: True)


def scopes_are_compared_in_part(patch: Patch) -> None:
    class Lax(frozenset[str]):
        def issuperset(self, others: Any) -> bool:
            return all(any(other in word for word in self) for other in others)

    for module in ("mintkey.claims.registered", "mintkey.claims.template"):
        patch.setattr(f"{module}.scope_words", lambda scope: Lax(scope.split(" ")))


def types_of_claims_are_made_fit(patch: Patch) -> None:
    patch.setattr(LOGIN_PAYMENT.codec, "_read", lambda claims, _: claims)


LOGIN_PAYMENT = next(case.purpose for case in cases("HS256", "typed-claims") if case.purpose is not LOGIN)
assert isinstance(LOGIN_PAYMENT.codec, typed._Structural)

DEFECTS: dict[str, tuple[str, Callable[[Patch], None]]] = {
    "unsecured": ("EdDSA", none_is_an_algorithm),
    "public-as-secret": ("ES256", the_public_key_is_a_secret),
    "weak-secrets": ("HS256", a_secret_is_read_as_text),
    "algorithms": ("HS256", the_algorithm_is_not_compared),
    "kids": ("HS256", kids_are_not_looked_at),
    "embedded": ("HS256", foreign_members_are_skipped),
    "critical": ("HS256", foreign_members_are_skipped),
    "private-members": ("HS256", any_private_member_is_fine),
    "header-texts": ("HS256", json_is_read_by_the_standard_library),
    "payload-texts": ("HS256", json_is_read_by_the_standard_library),
    "spellings": ("HS256", base64_is_read_by_the_standard_library),
    "structures": ("HS256", what_follows_three_segments_is_skipped),
    "no-texts": ("HS256", bytes_are_taken_for_text),
    "sizes": ("HS256", any_length_is_read),
    "signature-bytes": ("HS256", part_of_a_signature_is_enough),
    "ecdsa": ("ES256", signatures_of_any_size_are_read),
    "eddsa": ("EdDSA", points_of_low_order_are_fine),
    "rsa": ("PS256", salts_and_paddings_are_guessed),
    "times": ("HS256", times_are_not_looked_at),
    "issuers": ("HS256", issuers_are_compared_in_part),
    "audiences": ("HS256", audiences_are_compared_in_part),
    "subjects": ("HS256", subjects_are_made_text),
    "types": ("HS256", types_are_not_compared),
    "purposes": ("HS256", types_are_not_compared),
    "scopes": ("HS256", scopes_are_compared_in_part),
    "typed-claims": ("HS256", types_of_claims_are_made_fit),
}


def test_every_family_has_a_defect_to_find() -> None:
    assert list(DEFECTS) == list(FAMILIES)


@pytest.mark.parametrize("family", DEFECTS)
async def test_the_family_finds_its_defect(family: str, monkeypatch: Patch) -> None:
    algorithm, put_defect = DEFECTS[family]
    tried = cases(algorithm, family)
    trial = Trial(forge_of(algorithm))
    assert await trial.objections(tried, ("verify",)) == []
    put_defect(monkeypatch)
    worse = Trial(forge_of(algorithm))
    assert await worse.objections(tried, ("verify",))


async def test_a_leak_is_found(monkeypatch: Patch) -> None:
    """An error that quotes the token, or comes from one that does."""

    def quote(text: object) -> Callable[..., Any]:
        def fail(*_: Any) -> Any:
            raise PurposeMismatchError("another purpose") from ValueError(text)

        return fail

    forge = forge_of("EdDSA")
    wrong = [case for case in cases("EdDSA", "types") if case.reason is Reason.PURPOSE_MISMATCH][:1]
    for text, is_found in (("nothing of it", False), (forge.segments[1], True), (forge.claims["sub"], True)):
        monkeypatch.setattr("mintkey.verifier.same_typ", quote(text))
        objections = await Trial(forge).objections(wrong, ("verify",))
        assert {"of the token in ValueError" in objection for objection in objections} == (
            {True} if is_found else set()
        )


async def test_a_token_that_is_spent_before_it_is_refused_is_found(monkeypatch: Patch) -> None:
    trial = Trial(forge_of("EdDSA"))
    refused = [case for case in cases("EdDSA", "times") if case.reason is Reason.EXPIRED]

    def spend_first(claims: Any, *rest: Any) -> None:
        trial.witness.changes.append("claim")
        registered.admit(claims, *rest)

    monkeypatch.setattr("mintkey.verifier.admit", spend_first)
    assert any("the store was asked" in objection for objection in await trial.objections(refused, ("verify",)))
