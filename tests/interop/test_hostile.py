"""Tokens that another library really signed, bent in one place: refused for that, or accepted where they may be."""

import hashlib
import hmac
import json
import time
from itertools import repeat
from typing import Any

import joserfc.jwt
import jwt
import pytest
from joserfc.jwk import RSAKey

from mintkey import InvalidTokenError, Purpose, Reason, RemoteKeysError
from mintkey.jose import base64url
from tests.interop.libraries import Issuer, PyJWT
from tests.interop.matrix import ACCESS, AUDIENCE, accept, claims_of, header_of

ALGORITHM = "ES256"
THUMBPRINTS = {"x5t": "dGh1bWJwcmludA", "x5t#S256": "dGh1bWJwcmludA"}


@pytest.fixture
def issuer(library):
    return library.issuer(ALGORITHM)


@pytest.fixture
def judge(issuer, publish):
    """What we say to a token with these changes to its header and claims: the token, or why not."""
    url = publish(issuer.jwks)

    async def say(purpose=ACCESS, header=None, **claims):
        token = issuer.sign(header_of(issuer, ALGORITHM, **(header or {})), claims_of(**claims))
        return await verdict(token, url, purpose)

    return say


async def verdict(token, url, purpose=ACCESS):
    try:
        return await accept(token, url, purpose)
    except InvalidTokenError as error:
        return error.reason


def with_header(token: str, **changes: object) -> str:
    """The token with another header and its old signature."""
    segment, payload, signature = token.split(".")
    header = json.loads(base64url.decode(segment)) | changes
    return ".".join([base64url.encode(json.dumps(header).encode()), payload, signature])


# The algorithm belongs to the key.


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "ES384", "EdDSA", "RS256", "es256", ""])
async def test_a_changed_alg_is_refused(library, publish, algorithm) -> None:
    issuer = library.issuer(ALGORITHM)
    token = issuer.sign(header_of(issuer, ALGORITHM), claims_of())
    assert await verdict(with_header(token, alg=algorithm), publish(issuer.jwks)) is Reason.ALGORITHM_MISMATCH


async def test_a_good_signature_by_another_algorithm_of_the_same_key_is_refused(publish) -> None:
    """An RSA key can sign by PS256 as well as by RS256: it is published for one of them."""
    key = RSAKey.generate_key(2048, auto_kid=True)
    header = {"alg": "PS256", "kid": key.kid, "typ": "at+jwt"}
    token = joserfc.jwt.encode(header, claims_of(), key, algorithms=["PS256"])
    url_of = {name: publish({"keys": [{**key.as_dict(private=False), "alg": name}]}) for name in ("PS256", "RS256")}
    assert (await verdict(token, url_of["PS256"])).subject == "20"
    assert await verdict(token, url_of["RS256"]) is Reason.ALGORITHM_MISMATCH


async def test_a_public_key_as_a_secret_is_refused(publish) -> None:
    """The oldest attack on JWTs (RFC 8725 §2.1): what everybody knows as the secret of HS256."""
    key = RSAKey.generate_key(2048, auto_kid=True)
    header = base64url.encode(json.dumps({"alg": "HS256", "kid": key.kid, "typ": "at+jwt"}).encode())
    signed = f"{header}.{base64url.encode(json.dumps(claims_of()).encode())}"
    secret = hmac.new(key.as_pem(private=False), signed.encode(), hashlib.sha256).digest()
    url = publish({"keys": [key.as_dict(private=False)]})
    assert await verdict(f"{signed}.{base64url.encode(secret)}", url) is Reason.ALGORITHM_MISMATCH


async def test_a_token_of_somebody_elses_key_is_refused(library, issuer, publish) -> None:
    other = library.issuer(ALGORITHM)
    token = other.sign(header_of(issuer, ALGORITHM), claims_of())
    renamed = {"keys": [{**other.jwks["keys"][0], "kid": "other"}]}
    assert await verdict(token, publish(issuer.jwks)) is Reason.SIGNATURE_INVALID
    assert await verdict(token, publish(renamed)) is Reason.KEY_UNKNOWN


async def test_changed_claims_are_refused(issuer, publish) -> None:
    header, _, signature = issuer.sign(header_of(issuer, ALGORITHM), claims_of()).split(".")
    payload = base64url.encode(json.dumps(claims_of(scope="admin")).encode())
    assert await verdict(f"{header}.{payload}.{signature}", publish(issuer.jwks)) is Reason.SIGNATURE_INVALID


# The type says what the token is.


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "At+Jwt", "application/at+jwt", "application/AT+JWT"])
async def test_every_spelling_of_the_type_is_one(judge, typ) -> None:
    assert (await judge(header={"typ": typ})).subject == "20"


@pytest.mark.parametrize("typ", ["JWT", "application/jwt", "text/at+jwt", "at+jwt2", "id+jwt", None])
async def test_another_type_or_none_is_refused(judge, typ) -> None:
    assert await judge(header={"typ": typ}) is Reason.PURPOSE_MISMATCH


async def test_an_issuer_that_says_jwt_is_accepted_by_a_purpose_that_names_it(judge) -> None:
    purpose = Purpose("foreign", lifetime=ACCESS.lifetime, audience=AUDIENCE, typ="JWT")
    assert (await judge(purpose, header={"typ": "JWT"})).purpose == "foreign"


# Nothing in the header is taken on trust.


async def test_thumbprints_of_certificates_are_ignored_where_the_purpose_names_them(judge) -> None:
    purpose = Purpose("access", lifetime=ACCESS.lifetime, audience=AUDIENCE, typ="at+jwt", headers=("x5t", "x5t#S256"))
    seen = await judge(purpose, header=THUMBPRINTS)
    assert (seen.subject, dict(seen.headers)) == ("20", {})
    assert await judge(header=THUMBPRINTS) is Reason.HEADER_UNSUPPORTED


@pytest.mark.parametrize(
    "extra",
    [
        {"jku": "https://evil.example/jwks"},
        {"jwk": {"kty": "oct", "k": "c2VjcmV0"}},
        {"x5u": "https://evil.example/cert"},
        {"x5c": ["bm90IGEgY2VydGlmaWNhdGU="]},
        {"cty": "JWT"},
    ],
    ids=lambda extra: next(iter(extra)),
)
async def test_a_header_that_brings_a_key_or_another_reading_is_refused(judge, extra) -> None:
    assert await judge(header=extra) is Reason.HEADER_UNSUPPORTED


@pytest.mark.parametrize(
    "extra", [{"crit": ["exp"], "exp": 1}, {"b64": True, "crit": ["b64"]}, {"zip": "DEF"}], ids=str
)
async def test_so_is_one_that_nobody_signs_for(issuer, publish, extra) -> None:
    token = issuer.sign(header_of(issuer, ALGORITHM), claims_of())
    assert await verdict(with_header(token, **extra), publish(issuer.jwks)) is Reason.HEADER_UNSUPPORTED


@pytest.mark.parametrize("kid", ["../../etc/passwd", "a b", "k" * 129, "", "1\n"])
async def test_a_kid_that_could_mean_something_is_refused(issuer, publish, server, kid) -> None:
    fetched = server.count()
    token = with_header(issuer.sign(header_of(issuer, ALGORITHM), claims_of()), kid=kid)
    assert await verdict(token, publish(issuer.jwks)) is Reason.MALFORMED
    assert server.count() == fetched  # not even a question


async def test_a_key_may_have_a_certificate_and_whatever_else_beside_it(issuer, publish) -> None:
    """None of it is looked at; the key itself counts."""
    beside = {
        "x5t": "dGh1bWJwcmludA",
        "x5c": ["bm90IGEgY2VydGlmaWNhdGU="],
        "issuer": "https://evil.example",
        "ext": True,
    }
    dressed = {"keys": [{**issuer.jwks["keys"][0], **beside}, {"kty": "unheard-of", "kid": "new"}], "version": 7}
    token = issuer.sign(header_of(issuer, ALGORITHM), claims_of())
    assert (await verdict(token, publish(dressed))).key_id == issuer.kid


async def test_a_coordinate_without_its_leading_zeros_is_refused_and_with_them_accepted(publish) -> None:
    """Authlib leaves them out (RFC 7518 §6.2.1.2 forbids it), and so do others that write numbers."""
    issuer = next(made for made in map(PyJWT().issuer, repeat(ALGORITHM)) if base64url.decode(x_of(made))[0] == 0)
    token = issuer.sign(header_of(issuer, ALGORITHM), claims_of())
    short = issuer.jwks["keys"][0] | {"x": base64url.encode(base64url.decode(x_of(issuer)).lstrip(b"\0"))}
    with pytest.raises(RemoteKeysError) as caught:
        await accept(token, publish({"keys": [short]}))
    assert caught.value.reason is Reason.JWKS_INVALID
    assert (await accept(token, publish(issuer.jwks))).subject == "20"


def x_of(issuer: Issuer) -> str:
    return str(issuer.jwks["keys"][0]["x"])


# The claims.


@pytest.mark.parametrize("audience", [[AUDIENCE], ["https://other.example", AUDIENCE], [AUDIENCE, AUDIENCE]], ids=str)
async def test_one_audience_of_several_is_enough(judge, audience) -> None:
    assert (await judge(aud=audience)).audience == tuple(audience)


@pytest.mark.parametrize(
    ("audience", "reason"),
    [
        ("https://other.example", Reason.AUDIENCE_MISMATCH),
        (["https://other.example"], Reason.AUDIENCE_MISMATCH),
        (f"{AUDIENCE}/", Reason.AUDIENCE_MISMATCH),
        ([], Reason.CLAIM_INVALID),
        (None, Reason.CLAIM_MISSING),
    ],
    ids=str,
)
async def test_no_other_audience_is(judge, audience, reason) -> None:
    assert await judge(aud=audience) is reason


async def test_times_may_have_fractions(library, publish) -> None:
    """A NumericDate may (RFC 7519 §2)."""
    issuer = library.issuer(ALGORITHM)
    now = time.time()
    token = issuer.sign(header_of(issuer, ALGORITHM), claims_of(iat=now, exp=now + 60.5))
    seen = await verdict(token, publish(issuer.jwks))
    assert seen.issued_at.timestamp() == pytest.approx(now, abs=0.001)
    assert seen.expires_at.timestamp() == pytest.approx(now + 60.5, abs=0.001)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"exp": 1.5}, Reason.EXPIRED),
        ({"iat": 32_503_680_000.5, "exp": 32_503_680_600}, Reason.NOT_YET_VALID),
        ({"nbf": 32_503_680_000}, Reason.NOT_YET_VALID),
        ({"iss": "https://issuer.example/"}, Reason.ISSUER_MISMATCH),
        ({"jti": None}, Reason.CLAIM_MISSING),
        ({"sub": None}, Reason.CLAIM_MISSING),
        ({"scope": "admin", "aud": "https://other.example"}, Reason.AUDIENCE_MISMATCH),
    ],
    ids=str,
)
async def test_every_claim_counts(judge, changes, reason) -> None:
    assert await judge(**changes) is reason


@pytest.mark.parametrize("exp", ["1e9999", '"4102444800"', "true", "NaN", "-1", "99999999999999999999999999999999999"])
async def test_a_time_that_is_no_number_is_refused(publish, exp) -> None:
    """Few libraries would sign that; PyJWT signs any bytes."""
    issuer: Any = PyJWT().issuer(ALGORITHM)
    claims = json.dumps(claims_of(exp=None))[:-1] + f', "exp": {exp}}}'
    token = jwt.PyJWS().encode(claims.encode(), issuer.key, algorithm=ALGORITHM, headers=header_of(issuer, ALGORITHM))
    assert await verdict(token, publish(issuer.jwks)) in {Reason.CLAIM_INVALID, Reason.MALFORMED}
