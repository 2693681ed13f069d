"""A foreign JWK Set, key by key."""

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mintkey.jose import base64url
from mintkey.jose.algorithms import SPECS
from mintkey.jose.jwk import generate
from mintkey.keys.base import Algorithm
from mintkey.keys.remote_set import RemoteSet, UnfitSetError, read_set
from tests.support.remote import public

GOOD, EC, OTHER = generate("EdDSA"), generate("ES256"), generate("EdDSA")
RSA = generate("RS256", rsa_bits=2048)
ALL: tuple[Algorithm, ...] = tuple(name for name in get_args(Algorithm) if not SPECS[name].symmetric)
WEAK = base64url.encode(((1 << 1023) + 1).to_bytes(128, "big"))  # 1024 bits


def read(*keys: object, algorithms: tuple[Algorithm, ...] = ALL) -> RemoteSet:
    return read_set({"keys": list(keys)}, algorithms)


def why(*keys: object, algorithms: tuple[Algorithm, ...] = ALL) -> str:
    """Why the first of some keys is skipped beside a good one."""
    found = read(*keys, public(OTHER), algorithms=algorithms)
    assert OTHER.kid in found.verifiers
    return found.skipped[0]


def test_the_keys_by_kid_in_their_order():
    found = read(public(EC), public(GOOD), public(RSA))
    assert list(found.verifiers) == [EC.kid, GOOD.kid, RSA.kid]
    assert [key.algorithm for key in found.verifiers.values()] == ["ES256", "EdDSA", "RS256"]
    assert found.skipped == ()


@pytest.mark.parametrize(
    "key", [generate("ES256"), generate("ES384"), generate("ES512"), GOOD], ids=lambda key: key.algorithm
)
def test_a_key_without_an_algorithm_is_bound_by_its_curve(key):
    (found,) = read(public(key, alg=None, use=None)).verifiers.values()
    assert found.algorithm == key.algorithm


@pytest.mark.parametrize(
    ("algorithms", "bound"),
    [(ALL, "RS256"), (("RS256", "PS256"), "RS256"), (("PS256", "EdDSA"), "PS256"), (("PS256", "PS384"), None)],
)
def test_rsa_means_rs256_unless_another_one_is_the_only_one(algorithms, bound):
    found = read(public(RSA, alg=None), public(OTHER), algorithms=(*algorithms, "EdDSA"))
    assert (found.verifiers[RSA.kid].algorithm if RSA.kid in found.verifiers else None) == bound


def test_its_own_algorithm_comes_first():
    assert "for RS256, which is not among" in why(public(RSA), algorithms=("PS256", "EdDSA"))


def test_members_that_we_do_not_know_are_nothing_to_us():
    found = read(
        public(GOOD, x5c=["MII"], x5t="abc", issuer="https://x.example", nbf=1), public(EC, key_ops=["verify"])
    )
    assert len(found.verifiers) == 2


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (None, "no JWK"),
        ("key", "no JWK"),
        ([], "no JWK"),
        ({}, "without a kid"),
        (public(GOOD, kid=None), "without a kid"),
        (public(GOOD, kid=7), "kid must be"),
        (public(GOOD, kid="../etc/passwd"), "kid must be"),
        (public(GOOD, kid="x" * 129), "kid must be"),
        (public(GOOD, kty=None), "kty"),
        (public(GOOD, kty="AKP", alg=None), "signature algorithm"),
        (public(GOOD, crv="Ed448", alg=None), "signature algorithm"),
        (public(GOOD, crv="X25519", alg=None), "signature algorithm"),
        (public(EC, crv="secp256k1", alg=None), "signature algorithm"),
        (public(EC, alg="ES384"), "does not fit"),
        (public(GOOD, alg="none"), "alg must be"),
        (public(RSA, alg="RSA-OAEP"), "alg must be"),
        (public(RSA, alg="HS256"), "does not fit"),
        (public(RSA, alg=["RS256"]), "alg must be"),
        (public(GOOD, use="enc"), "use must be"),
        (public(GOOD, key_ops=["sign"]), "verify"),
        (public(GOOD, key_ops=["encrypt"]), "key_ops"),
        (public(GOOD, x="AAAA"), "bytes"),
        (public(EC, y=public(EC)["x"]), "do not make up a key"),
        (public(RSA, n=WEAK), "bits"),
        ({"kty": "oct", "k": "c2VjcmV0", "kid": "s", "alg": "HS256"}, "a secret"),
        (public(GOOD, k="c2VjcmV0"), "a secret"),
        (dict(GOOD.private_jwk or {}), "private members"),
        (dict(RSA.private_jwk or {}), "private members"),
        (public(RSA, oth=[]), "private members"),
    ],
)
def test_a_key_that_is_of_no_use_takes_no_other_with_it(key, reason):
    assert reason in why(key)
    assert why(key).startswith("key 1: ")


def test_no_sentence_quotes_a_key():
    private = dict(GOOD.private_jwk or {})
    assert private["d"] not in why(private)
    assert private["x"] not in why(private)


def test_two_keys_of_one_kid_are_both_skipped():
    """Nobody can tell which one a token means, and whoever could add a key could take over a kid."""
    found = read(public(GOOD, kid="a"), public(EC, kid="a"), public(RSA, kid="a"), public(OTHER, kid="b"))
    assert list(found.verifiers) == ["b"]
    assert [each.partition(":")[0] for each in found.skipped] == ["key 2", "key 3"]


def test_the_same_key_twice_is_one():
    found = read(public(GOOD), public(GOOD, x5t="other"), public(GOOD, use="enc"))
    assert list(found.verifiers) == [GOOD.kid]


@pytest.mark.parametrize("keys", [None, {}, "keys", 7])
def test_what_is_no_set_is_refused(keys):
    with pytest.raises(UnfitSetError, match="no JWK Set"):
        read_set({"keys": keys} if keys is not None else {}, ALL)


def test_a_set_without_a_single_key_for_us_is_refused_with_reasons():
    with pytest.raises(UnfitSetError, match=r"no key that can be used$"):
        read()
    with pytest.raises(UnfitSetError, match=r"\(key 1: no JWK; key 2: without a kid\)"):
        read(1, {})


def test_a_set_is_bounded_and_so_is_what_is_told_of_it():
    assert len(read(*[{}] * 999, public(GOOD)).skipped) == 32
    with pytest.raises(UnfitSetError, match="more than 1000"):
        read(*[{}] * 1000, public(GOOD))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = st.sampled_from(["kty", "crv", "x", "y", "n", "e", "kid", "alg", "use", "key_ops"])


@given(st.dictionaries(MEMBERS, JSON, max_size=4), st.sampled_from([GOOD, EC, RSA]))
def test_no_member_is_too_strange(changes: dict[str, Any], key):
    found = read({**public(key), **changes}, public(OTHER))
    assert OTHER.kid in found.verifiers
