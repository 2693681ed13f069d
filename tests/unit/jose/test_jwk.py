"""Loading JWKs: what is taken, what is made of it, and everything that is refused."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from mintkey.errors import ConfigurationError
from mintkey.ids import random_bytes
from mintkey.jose.base64url import decode, encode
from mintkey.jose.jwk import check_kid, load_jwk, load_jwks, load_pem, thumbprint
from mintkey.jose.prepared import signing_key, verification_key
from tests.support.refusals import refuse
from tests.support.signing_keys import ALGORITHMS, jwk_of, key_for, other_key_for, public_jwk_of

pytestmark = pytest.mark.usefixtures("with_and_without_speed")

ASYMMETRIC = [name for name in ALGORITHMS if not name.startswith("HS")]
CURVED = ["EdDSA", "ES256", "ES384", "ES512"]
PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "k"}


# --- what is taken


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
async def test_a_private_jwk_signs_and_its_public_half_verifies(algorithm) -> None:
    private = load_jwk(jwk_of(algorithm), source="test")
    public = load_jwk(public_jwk_of(algorithm), source="test")
    assert private.algorithm == public.algorithm == algorithm
    assert private.can_sign
    assert not public.can_sign
    assert public.private_jwk is None
    assert verification_key(public).verify(b"input", await signing_key(private).sign(b"input"))


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
async def test_a_secret_signs_and_verifies_and_has_no_public_half(algorithm) -> None:
    key = load_jwk(jwk_of(algorithm), source="test")
    assert key.public_jwk is None
    assert verification_key(key).verify(b"input", await signing_key(key).sign(b"input"))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_loading_what_was_loaded_changes_nothing(algorithm) -> None:
    key = key_for(algorithm)
    assert load_jwk(key.private_jwk, source="test") == key
    assert json.loads(json.dumps(key.private_jwk)) == key.private_jwk


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_the_public_jwk_has_what_it_needs_and_nothing_else(algorithm) -> None:
    jwk = {**jwk_of(algorithm), "x5c": ["AAAA"], "x5t": "AAAA", "foreign": {"a": 1}, "ext": True}
    key: Any = load_jwk(jwk, source="test")
    members = {"OKP": {"crv", "x"}, "EC": {"crv", "x", "y"}, "RSA": {"n", "e"}}[jwk["kty"]]
    assert set(key.public_jwk) == members | {"kty", "kid", "alg", "use"}
    assert (key.public_jwk["kid"], key.public_jwk["alg"], key.public_jwk["use"]) == (key.kid, algorithm, "sig")
    assert set(key.private_jwk) - set(key.public_jwk) <= PRIVATE_MEMBERS


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_repr_shows_no_secret(algorithm) -> None:
    key: Any = load_jwk(jwk_of(algorithm), source="test")
    assert key.kid in repr(key)
    for value in (key.private_jwk[name] for name in PRIVATE_MEMBERS & key.private_jwk.keys()):
        secret = decode(value)
        for spelled in (value, secret.hex(), repr(secret)[2:-1], str(list(secret))):
            assert spelled not in repr(key)


@pytest.mark.parametrize(
    ("jwk", "given", "bound"),
    [
        ("EdDSA", None, "EdDSA"),
        ("ES256", None, "ES256"),
        ("ES384", None, "ES384"),
        ("ES512", None, "ES512"),
        ("RS256", None, "RS256"),
        ("RS256", "PS512", "PS512"),
        ("EdDSA", "Ed25519", "EdDSA"),
    ],
)
def test_a_key_without_alg_is_bound_by_the_caller_else_by_its_curve(jwk, given, bound) -> None:
    members = {name: value for name, value in public_jwk_of(jwk).items() if name != "alg"}
    assert load_jwk(members, source="test", algorithm=given).algorithm == bound


def test_its_own_alg_and_kid_go_before_the_callers() -> None:
    key = load_jwk({**public_jwk_of("PS256"), "kid": "own"}, source="test", algorithm="RS512", kid="given")
    assert (key.algorithm, key.kid) == ("PS256", "own")
    assert load_jwk({**public_jwk_of("EdDSA"), "alg": "Ed25519"}, source="test").algorithm == "EdDSA"


def test_without_a_kid_it_has_the_given_one_or_its_thumbprint() -> None:
    members = {name: value for name, value in public_jwk_of("EdDSA").items() if name != "kid"}
    assert load_jwk(members, source="test", kid="given").kid == "given"
    assert load_jwk(members, source="test").kid == key_for("EdDSA").kid


@pytest.mark.parametrize("member", ["x", "y", "d"])
def test_leading_zeros_of_a_coordinate_are_kept(member) -> None:
    """One key in 256 has one; whoever drops it computes another thumbprint than everybody else."""

    def value(key: ec.EllipticCurvePrivateKey) -> int:
        numbers = key.private_numbers()
        point = numbers.public_numbers
        return {"d": numbers.private_value, "x": point.x, "y": point.y}[member]

    keys = (ec.derive_private_key(scalar, ec.SECP256R1()) for scalar in range(1, 5000))
    key = next(key for key in keys if value(key) < 1 << 248)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    jwk: Any = load_pem(pem, source="test").private_jwk
    assert decode(jwk[member])[0] == 0
    assert all(len(decode(jwk[name])) == 32 for name in ("x", "y", "d"))
    assert load_jwk(jwk, source="test").kid == thumbprint(jwk) == jwk["kid"]


# --- what is refused


@pytest.mark.parametrize("jwk", [None, "jwk", [], 1, b"{}", {}, {"kty": 1}, {"kty": "EC"}, {"kty": "OKP", "crv": 5}])
def test_what_is_no_jwk(jwk) -> None:
    refuse(jwk, "not a JWK|missing or no string")


@pytest.mark.parametrize(
    ("kty", "crv"),
    [
        ("EC", "secp256k1"),
        ("EC", "P-224"),
        ("OKP", "Ed448"),
        ("OKP", "X25519"),
        ("AKP", "x"),
        ("EC", "Ed25519"),
        ("rsa", "x"),
    ],
)
def test_key_types_and_curves_that_are_not_used(kty, crv) -> None:
    refuse({"kty": kty, "crv": crv, "x": "AAAA", "y": "AAAA"}, "not those of a signature algorithm")


@pytest.mark.parametrize("alg", ["none", "RSA-OAEP", "ES256K", "", 5, ["ES256"]])
def test_an_alg_that_we_do_not_know(alg) -> None:
    refuse({**jwk_of("EdDSA"), "alg": alg}, "alg must be one of")


@pytest.mark.parametrize(
    ("key", "alg"), [("ES256", "ES384"), ("ES256", "HS256"), ("RS256", "EdDSA"), ("HS256", "RS256")]
)
def test_an_alg_that_the_key_does_not_fit(key, alg) -> None:
    refuse({**jwk_of(key), "alg": alg}, f"does not fit the algorithm {alg}")
    own = {name: value for name, value in jwk_of(key).items() if name != "alg"}
    refuse(own, f"does not fit the algorithm {alg}", algorithm=alg)


def test_an_algorithm_of_the_caller_that_we_do_not_know() -> None:
    with pytest.raises(ConfigurationError, match="algorithm must be one of"):
        load_jwk(jwk_of("EdDSA"), source="test", algorithm="none")


@pytest.mark.parametrize("kid", ["", "a b", "a/b", "../a", "ä", "a" * 129, "a\n", 5, ["a"]])
def test_a_kid_of_another_shape(kid) -> None:
    assert not check_kid(kid)
    refuse({**jwk_of("EdDSA"), "kid": kid}, "kid must be")


@pytest.mark.parametrize("kid", ["a", "A-Z.a~z_09", "a" * 128])
def test_a_kid_of_the_right_shape(kid) -> None:
    assert check_kid(kid)
    assert load_jwk({**jwk_of("EdDSA"), "kid": kid}, source="test").kid == kid


@pytest.mark.parametrize("algorithm", CURVED)
@pytest.mark.parametrize("member", ["x", "y", "d"])
def test_coordinates_of_another_size_or_spelling(algorithm, member) -> None:
    jwk = jwk_of(algorithm)
    if member not in jwk:
        return
    octets = decode(jwk[member])
    for other in (b"\0" + octets, octets[:-1]):
        refuse({**jwk, member: encode(other)}, f"{member} has {len(other)} bytes instead of {len(octets)}")
    for text in ("", jwk[member] + "=", jwk[member] + "\n", "*" + jwk[member][1:]):
        refuse({**jwk, member: text}, f"{member} is not base64url")
    refuse({**jwk, member: None}, f"{member} is missing or no string")


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "ES512"])
def test_points_that_are_not_on_the_curve(algorithm) -> None:
    jwk = public_jwk_of(algorithm)
    size = len(decode(jwk["x"]))
    for x, y in [(jwk["y"], jwk["x"]), (encode(bytes(size)), encode(bytes(size))), (jwk["x"], encode(b"\xff" * size))]:
        refuse({**jwk, "x": x, "y": y}, "do not make up a key")


@pytest.mark.parametrize("x", [bytes(32), (1).to_bytes(32, "little"), (2).to_bytes(32, "little"), b"\xff" * 32])
def test_points_of_low_order_and_points_off_the_edwards_curve(x) -> None:
    refuse({**public_jwk_of("EdDSA"), "x": encode(x)}, "no sound point")


@pytest.mark.parametrize("algorithm", CURVED)
def test_a_private_part_that_belongs_to_another_public_part(algorithm) -> None:
    refuse({**jwk_of(algorithm), "d": other_key_for(algorithm).private_jwk["d"]}, "make up a key|does not belong")


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "ES512"])
def test_a_private_part_that_belongs_to_the_point_on_the_other_side(algorithm) -> None:
    """It has the same x."""
    key: Any = key_for(algorithm).public
    sign, *x = key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    other = ec.EllipticCurvePublicKey.from_encoded_point(key.curve, bytes([sign ^ 1, *x]))
    y = encode(other.public_numbers().y.to_bytes(len(x)))
    assert load_jwk({**public_jwk_of(algorithm), "y": y}, source="test").public == other
    refuse({**jwk_of(algorithm), "y": y}, "do not make up a key")


@pytest.mark.parametrize("d", [0, -1])
def test_a_private_scalar_out_of_range(d) -> None:
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    refuse({**jwk_of("ES256"), "d": encode((d % (order + 1)).to_bytes(32, "big"))}, "do not make up a key")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_a_key_of_our_own_making_is_the_same_key_when_it_comes_back(algorithm) -> None:
    key = load_jwk(jwk_of(algorithm), source="test", made_here=True)
    assert key == key_for(algorithm)
    assert verification_key(key_for(algorithm)).verify(b"input", await signing_key(key).sign(b"input"))


# --- what is refused of secrets


@pytest.mark.parametrize(("algorithm", "size"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_a_secret_is_at_least_as_long_as_the_hash(algorithm, size) -> None:
    jwk = {"kty": "oct", "kid": "1", "alg": algorithm}
    assert load_jwk({**jwk, "k": encode(random_bytes(size))}, source="test").algorithm == algorithm
    refuse({**jwk, "k": encode(random_bytes(size - 1))}, f"at least {size} bytes")


def test_a_secret_needs_an_algorithm_and_a_kid() -> None:
    secret = {"kty": "oct", "k": jwk_of("HS512")["k"]}
    refuse(secret, "needs its algorithm", kid="1")
    refuse(secret, "needs a kid", algorithm="HS256")
    assert load_jwk(secret, source="test", algorithm="HS384", kid="1").algorithm == "HS384"


def test_a_placeholder_is_no_secret() -> None:
    refuse({"kty": "oct", "kid": "1", "alg": "HS256", "k": encode(b"change-me-" * 5)}, "placeholder")


@pytest.mark.parametrize(
    "start",
    [
        b"-----BEGIN PUBLIC KEY-----\n",
        b"---- BEGIN SSH2 PUBLIC KEY ----\n",
        b"ssh-ed25519 AAAA",
        b"ecdsa-sha2-nistp256 AAAA",
    ],
)
def test_a_public_key_is_no_secret(start) -> None:
    refuse({"kty": "oct", "kid": "1", "alg": "HS256", "k": encode(start + random_bytes(40))}, "key pair")


# --- use and key_ops


@pytest.mark.parametrize("use", ["enc", "", None, 5, ["sig"]])
def test_a_use_that_is_not_for_signatures(use) -> None:
    refuse({**jwk_of("EdDSA"), "use": use}, "use must be")


@pytest.mark.parametrize(
    ("jwk", "operations"),
    [
        ("public", ["sign"]),
        ("public", ["sign", "encrypt"]),
        ("public", []),
        ("public", "verify"),
        ("public", [5]),
        ("public", None),
        ("private", ["deriveBits"]),
        ("private", ["sign", "encrypt"]),
        ("secret", ["sign"]),
        ("secret", ["wrapKey"]),
    ],
)
def test_key_ops_that_contradict_signatures(jwk, operations) -> None:
    members = {"public": public_jwk_of("ES256"), "private": jwk_of("ES256"), "secret": jwk_of("HS256")}[jwk]
    refuse({**members, "key_ops": operations}, "key_ops")


@pytest.mark.parametrize(
    ("jwk", "operations", "signs"),
    [
        ("public", ["verify"], False),
        ("public", ["sign", "verify"], False),
        ("private", ["sign"], True),
        ("private", ["sign", "verify"], True),
        ("private", ["verify"], False),
        ("secret", ["sign", "verify"], True),
        ("secret", ["verify"], False),
    ],
)
def test_key_ops_say_whether_a_key_signs(jwk, operations, signs) -> None:
    members = {"public": public_jwk_of("ES256"), "private": jwk_of("ES256"), "secret": jwk_of("HS256")}[jwk]
    key = load_jwk({**members, "key_ops": operations}, source="test")
    assert key.can_sign is signs
    if not signs:
        with pytest.raises(ConfigurationError, match="cannot sign"):
            signing_key(key)


# --- sets


def test_a_set_is_loaded_in_its_order_from_a_mapping_or_json() -> None:
    jwks: dict[str, Any] = {"keys": [jwk_of("EdDSA"), public_jwk_of("RS256"), jwk_of("HS256")], "foreign": 1}
    kids = [key_for(name).kid for name in ("EdDSA", "RS256", "HS256")]
    text = json.dumps(jwks)
    documents: list[Any] = [jwks, text, text.encode(), {"keys": tuple(jwks["keys"])}]
    for document in documents:
        assert [key.kid for key in load_jwks(document, source="test")] == kids
    assert load_jwks({"keys": []}, source="test") == []


def test_all_problems_of_a_set_are_named_at_once_and_nothing_is_shown() -> None:
    secret = jwk_of("HS256")
    bad: dict[str, Any] = {
        "keys": [{**jwk_of("EdDSA"), "use": "enc"}, public_jwk_of("ES256"), {**secret, "alg": "HS512"}, 5]
    }
    with pytest.raises(ConfigurationError) as caught:
        load_jwks(bad, source="SETTING")
    problems: Any = caught.value.details["problems"]
    assert [problem.partition(":")[0] for problem in problems] == ["SETTING, key 1", "SETTING, key 3", "SETTING, key 4"]
    assert secret["k"] not in f"{caught.value!r}"


def test_two_keys_of_one_kid() -> None:
    with pytest.raises(ConfigurationError, match="same kid"):
        load_jwks({"keys": [{**jwk_of(name), "kid": "one"} for name in ("EdDSA", "ES256")]}, source="test")


@pytest.mark.parametrize(
    "document",
    [{}, {"keys": {}}, {"keys": "x"}, [], None, 5, "", "[]", "{", b"\xff", "\ud800", '{"keys":[],"keys":[]}'],
)
def test_what_is_no_set(document) -> None:
    with pytest.raises(ConfigurationError, match=r"^SETTING: "):
        load_jwks(document, source="SETTING")
