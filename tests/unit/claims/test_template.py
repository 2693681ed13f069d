"""The template of a claim set: what it writes, what it recognises as written so, and what it leaves to the reader."""

import json
from datetime import timedelta
from typing import Any

import pytest

from mintkey import ClaimError, ConfigurationError, Purpose, TokenService, verifier
from mintkey.claims import strict_json
from mintkey.claims.registered import NO_SCOPES, RegisteredClaims
from mintkey.claims.template import ClaimsTemplate
from mintkey.jose.compact import assemble, split
from mintkey.keys import MemoryKeyProvider
from mintkey.reading import read_claims
from tests.support.compact import signing_input

pytestmark = pytest.mark.usefixtures("with_and_without_speed")

MINUTE = timedelta(minutes=1)
REST = b'100,"exp":200,"jti":"1"'


def template(*, issuer="https://i", audience=("web",), required=()) -> ClaimsTemplate:
    return ClaimsTemplate(issuer=issuer, audience=audience, required=required)


WEB = template()


def written(by: ClaimsTemplate = WEB, /, *, subject: str | None = "20", rest: bytes = REST, end: bytes = b"}") -> bytes:
    return by.begin(subject) + rest + end


def found(*, subject: str | None = "20", audience=("web",), scopes=NO_SCOPES, issuer="https://i") -> RegisteredClaims:
    return issuer, subject, audience, "1", 100, None, 200, scopes


# --- writing


@pytest.mark.parametrize(
    ("audience", "text"),
    [
        ((), b'{"iss":"https://i","sub":"20","iat":'),
        (("web",), b'{"iss":"https://i","aud":"web","sub":"20","iat":'),
        (("web", "app"), b'{"iss":"https://i","aud":["web","app"],"sub":"20","iat":'),
    ],
)
def test_it_begins_with_who_for_whom_and_about_whom(audience, text) -> None:
    assert template(audience=audience).begin("20") == text


def test_without_a_subject_there_is_none() -> None:
    assert WEB.begin(None) == b'{"iss":"https://i","aud":"web","iat":'


@pytest.mark.parametrize(
    ("audience", "aud"), [((), None), (("app",), "app"), (("app", "web"), ["app", "web"]), (("web",), "web")]
)
def test_one_token_may_have_an_audience_of_its_own(audience, aud) -> None:
    claims = json.loads(WEB.begin("20", audience) + b"1}")
    assert claims.get("aud") == aud
    assert claims == {"iss": "https://i", "sub": "20", "iat": 1} | ({} if aud is None else {"aud": aud})


@pytest.mark.parametrize("text", ['"', "\\", "\n", "\x00", "ä", "😀", '","sub":"root', "\u2028", "\x7f"])
def test_whatever_is_in_a_name_cannot_leave_its_string(text) -> None:
    odd = template(issuer=text, audience=(text, "web"))
    assert strict_json.loads(odd.begin(text) + b"1}") == {"iss": text, "aud": [text, "web"], "sub": text, "iat": 1}


def test_half_a_surrogate_pair_cannot_be_written() -> None:
    half = "\ud800"
    for settings in ({"issuer": half}, {"audience": (half,)}):
        with pytest.raises(strict_json.StrictJSONError, match="surrogate"):
            template(**settings)
    with pytest.raises(strict_json.StrictJSONError, match="surrogate"):
        WEB.begin(half)
    with pytest.raises(strict_json.StrictJSONError, match="surrogate"):
        WEB.begin("20", (half,))


# --- recognising


def test_what_it_wrote_it_recognises() -> None:
    assert WEB.recognise(written()) == (found(), {})
    assert WEB.recognise(written(subject=None)) == (found(subject=None), {})


def test_times_are_of_one_type_whoever_reads_them() -> None:
    recognised = WEB.recognise(written())
    assert recognised is not None
    for registered in (
        recognised[0],
        read_claims(written(), Purpose("login", lifetime=MINUTE, audience="web"), issuer="https://i")[0],
    ):
        assert (type(registered[4]), type(registered[6])) == (float, float)


@pytest.mark.parametrize("audience", [(), ("web",), ("web", "app"), ("ä", "€")])
@pytest.mark.parametrize("issuer", ["https://i", "ä", 'quoted "i"', "back\\slash", "a.b*c[d](e)+?^$|{}", "\n"])
def test_issuer_and_audience_may_be_any_text(issuer, audience) -> None:
    odd = template(issuer=issuer, audience=audience)
    assert odd.recognise(written(odd)) == (found(issuer=issuer, audience=audience), {})


@pytest.mark.parametrize(
    ("scope", "words"),
    [("read", {"read"}), ("read write", {"read", "write"}), ("a  b", {"a", "b"}), (" a ", {"a"}), (" ", set())],
)
def test_scopes_are_words(scope, words) -> None:
    text = written(end=b',"scope":"%b"}' % scope.encode())
    assert WEB.recognise(text) == (found(scopes=frozenset(words)), {})


def test_private_claims_come_behind() -> None:
    private = {"email": "a@b", "roles": ["ä", {"x": None}], "n": 7, "ok": True, "": ""}
    end = b"," + strict_json.dumps(private)[1:]
    assert WEB.recognise(written(end=end)) == (found(), private)
    assert WEB.recognise(written(end=b',"scope":"a"' + end)) == (found(scopes=frozenset({"a"})), private)


def test_private_claims_may_be_as_deep_as_the_reader_allows() -> None:
    deep = b'"a":' + b"[" * 15 + b"]" * 15
    assert strict_json.loads(b"{" + deep + b"}")
    recognised = WEB.recognise(written(end=b"," + deep + b"}"))
    assert recognised is not None
    assert recognised[1] == json.loads(b"{" + deep + b"}")
    deeper = b'"a":' + b"[" * 16 + b"]" * 16
    assert WEB.recognise(written(end=b"," + deeper + b"}")) is None


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(written(end=b""), id="no end"),
        pytest.param(written(end=b"},"), id="a comma behind"),
        pytest.param(written(end=b",}"), id="a comma before the end"),
        pytest.param(written(end=b"}\n"), id="white space behind"),
        pytest.param(b" " + written(), id="white space before"),
        pytest.param(written(end=b"}{}"), id="another object"),
        pytest.param(written(end=b"}\x00"), id="a byte behind"),
        pytest.param(written(end=b',"a":1'), id="private claims without an end"),
        pytest.param(written(end=b',"a":1}x'), id="a byte behind private claims"),
        pytest.param(written(end=b', "a":1}'), id="white space between"),
        pytest.param(written(end=b',"a":1,"a":2}'), id="a private claim twice"),
        pytest.param(written(end=b',"a":"\\u0041"}'), id="an escape in a private claim"),
        pytest.param(written(end=b',"a":1.5}'), id="a fraction in a private claim"),
        pytest.param(written(end=b',"a":NaN}'), id="no number"),
        pytest.param(written(end=b',"a":"\xff"}'), id="no UTF-8"),
        pytest.param(written(end=b',"a":"\xed\xa0\x80"}'), id="half a surrogate pair"),
        pytest.param(written(end=b',"a":%d}' % 10**40), id="a huge number"),
        pytest.param(written(end=b',"scope":""}'), id="an empty scope"),
        pytest.param(written(end=b',"scope":["a"]}'), id="a scope that is a list"),
        pytest.param(written(end=b',"scope":"a","scope":"b"}'), id="two scopes"),
        pytest.param(written(end=b',"a":1,"scope":"b"}'), id="a scope further behind"),
        pytest.param(written(end=b',"nbf":1}'), id="a time before which it is not valid"),
        pytest.param(written(end=b',"iss":"https://i"}'), id="the issuer twice"),
        pytest.param(written(end=b',"aud":"web"}'), id="the audience twice"),
        pytest.param(written(subject=None, end=b',"sub":"20"}'), id="a subject further behind"),
        pytest.param(written(end=b',"exp":300}'), id="another expiry"),
        pytest.param(written(subject="ä"), id="a subject that is not ASCII"),
        pytest.param(written(subject='"'), id="a subject with an escape"),
        pytest.param(written(subject=""), id="an empty subject"),
        pytest.param(written(rest=b'100,"exp":200,"jti":""'), id="an empty id"),
        pytest.param(written(rest=b'100,"exp":200,"jti":"\\u0031"'), id="an id with an escape"),
        pytest.param(written(rest=b'100,"exp":200,"jti":1'), id="an id that is a number"),
        pytest.param(written(rest=b'100,"exp":200.5,"jti":"1"'), id="a fraction"),
        pytest.param(written(rest=b'100,"exp":2e2,"jti":"1"'), id="an exponent"),
        pytest.param(written(rest=b'-100,"exp":200,"jti":"1"'), id="a negative time"),
        pytest.param(written(rest=b'0,"exp":200,"jti":"1"'), id="no time"),
        pytest.param(written(rest=b'0100,"exp":200,"jti":"1"'), id="a leading zero"),
        pytest.param(written(rest=b'100,"exp":200000000000,"jti":"1"'), id="a far future"),
        pytest.param(written(rest=b'"100","exp":200,"jti":"1"'), id="a time that is a string"),
        pytest.param(written(rest='١٠٠,"exp":200,"jti":"1"'.encode()), id="digits of others"),
        pytest.param(written(rest=b'100,"jti":"1","exp":200'), id="another order"),
        pytest.param(written(rest=b'100,"exp":200'), id="no id"),
        pytest.param(written(template(issuer="https://j")), id="another issuer"),
        pytest.param(written(template(issuer="https://ii")), id="a longer issuer"),
        pytest.param(written(template(audience=("app",))), id="another audience"),
        pytest.param(written(template(audience=("web", "app"))), id="a list of audiences"),
        pytest.param(written(template(audience=())), id="no audience"),
        pytest.param(written().replace(b'"web"', b'["web"]'), id="its audience as a list"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_whatever_else_it_leaves_to_the_reader(text) -> None:
    assert WEB.recognise(text) is None


def test_an_audience_is_no_subject() -> None:
    assert template(audience=()).recognise(written()) is None


@pytest.mark.parametrize(
    ("required", "missing", "present"),
    [
        (["sub"], written(subject=None), written()),
        (["scope"], written(), written(end=b',"scope":"a"}')),
        (["tenant"], written(), written(end=b',"tenant":null}')),
        (["tenant", "email"], written(end=b',"tenant":1}'), written(end=b',"email":1,"tenant":1}')),
        (["sub", "aud", "iss", "iat", "exp", "jti"], written(subject=None), written()),
    ],
)
def test_what_is_required_and_missing_is_for_the_reader_to_refuse(required, missing, present) -> None:
    strict = template(required=required)
    assert strict.recognise(missing) is None
    assert strict.recognise(present) == WEB.recognise(present) is not None


def test_a_purpose_that_requires_a_time_before_has_no_text_of_its_own() -> None:
    strict = template(required=["nbf"])
    assert strict.recognise(written()) is None
    assert strict.recognise(written(end=b',"nbf":1}')) is None


def test_a_purpose_that_requires_an_audience_and_names_none_has_no_text_of_its_own() -> None:
    strict = template(audience=(), required=["aud"])
    assert strict.recognise(written(strict)) is None


# --- in a service


class Watched:
    """What a service's general reader was asked, which is what no template recognised."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.payloads: list[bytes] = []

        def watched(
            payload: bytes, purpose: Purpose[Any], /, *, issuer: str
        ) -> tuple[RegisteredClaims, dict[str, Any]]:
            self.payloads.append(payload)
            return read_claims(payload, purpose, issuer=issuer)

        monkeypatch.setattr(verifier, "read_claims", watched)

    def __call__(self) -> bool:
        asked = bool(self.payloads)
        self.payloads.clear()
        return asked


@pytest.fixture
def asked_the_reader(mintkey_tokens, monkeypatch) -> Watched:
    return Watched(monkeypatch)


PLAIN = Purpose("plain", lifetime=10 * MINUTE)
FOR_WEB = Purpose("web", lifetime=10 * MINUTE, audience="web", required=["sub", "tenant"])
FOR_BOTH = Purpose("both", lifetime=10 * MINUTE, audience=["web", "ä"], single_use=True)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"subject": "20"},
        {"scopes": ["read", "write"]},
        {"lifetime": MINUTE},
        {"token_id": "my-id"},
        {"claims": {"tenant": "ä", "roles": ["a", {"b": [None, True, 7]}]}},
        {"subject": "20", "scopes": ["read"], "claims": {"email": "a@b"}},
    ],
)
@pytest.mark.parametrize("purpose", [PLAIN, FOR_WEB, FOR_BOTH], ids=lambda purpose: purpose.name)
async def test_what_a_service_mints_its_template_recognises(
    mintkey_tokens, asked_the_reader, purpose, arguments
) -> None:
    if purpose is FOR_WEB:
        arguments = {"subject": "1", **arguments, "claims": {"tenant": "t", **arguments.get("claims", {})}}
    token = await mintkey_tokens.mint(purpose, **arguments)
    seen = await mintkey_tokens.verify(token, purpose)
    assert (seen.subject, seen.claims) == (arguments.get("subject"), arguments.get("claims", {}))
    assert seen.scopes == frozenset(arguments.get("scopes", ()))
    assert (seen.audience, seen.id, seen.expires_at) == (purpose.audience, token.id, token.expires_at)
    assert not asked_the_reader()


@pytest.mark.parametrize(
    "arguments",
    [
        {"subject": "ä"},
        {"subject": 'Robert "Bobby"'},
        {"lifetime": timedelta(seconds=1.5)},
        {"token_id": "back\\slash"},
        {"audience": ["web", "app"]},
        {"claims": {"ratio": 0.5}},
        {"claims": {"text": 'a "quoted" word'}},
    ],
)
async def test_what_it_does_not_recognise_is_read_all_the_same(mintkey_tokens, asked_the_reader, arguments) -> None:
    purpose = Purpose("web", lifetime=10 * MINUTE, audience="web")
    token = await mintkey_tokens.mint(purpose, **arguments)
    seen = await mintkey_tokens.verify(token, purpose)
    assert (seen.subject, seen.claims) == (arguments.get("subject"), arguments.get("claims", {}))
    assert (seen.id, seen.expires_at) == (token.id, token.expires_at)
    assert asked_the_reader()


@pytest.mark.parametrize("number", [2**53 + 1, 2**63, 2**64, 10**31 - 1, 1 - 10**31])
async def test_a_number_of_any_size_is_the_same_integer(mintkey_tokens, number) -> None:
    seen = await mintkey_tokens.verify(await mintkey_tokens.mint(PLAIN, claims={"n": number}), PLAIN)
    assert repr(seen.claims) == repr({"n": number})


async def test_a_time_before_which_it_is_not_valid_is_read(mintkey_tokens, mintkey_clock, asked_the_reader) -> None:
    token = await mintkey_tokens.mint(PLAIN, not_before=mintkey_clock.now())
    assert (await mintkey_tokens.verify(token, PLAIN)).id == token.id
    assert asked_the_reader()


async def test_a_token_of_somebody_who_orders_claims_otherwise_is_the_same(mintkey_tokens, asked_the_reader) -> None:
    token = await mintkey_tokens.mint(FOR_WEB, subject="20", scopes=["a", "b"], claims={"tenant": "t", "n": [1]})
    _, _, payload, _ = split(token, 10_000)
    claims = strict_json.loads(payload)
    key = (await mintkey_tokens._provider.acquire()).key
    orders = [list(claims), sorted(claims), sorted(claims, reverse=True)]
    seen = []
    for order in orders:
        text = json.dumps({name: claims[name] for name in order}, indent=1).encode()
        signed = signing_input(kid=key.kid, algorithm="EdDSA", typ=FOR_WEB.typ, payload=text)
        seen.append(await mintkey_tokens.verify(assemble(signed, await key.sign(signed)), FOR_WEB))
        assert asked_the_reader()
    ours = await mintkey_tokens.verify(token, FOR_WEB)
    assert not asked_the_reader()
    assert seen == [ours] * 3


async def test_a_required_audience_that_nobody_names_is_missed(mintkey_tokens) -> None:
    lax = Purpose("same", lifetime=MINUTE)
    strict = Purpose("same", lifetime=MINUTE, required=["aud"])
    with pytest.raises(ClaimError) as caught:
        await mintkey_tokens.verify(await mintkey_tokens.mint(lax), strict)
    assert caught.value.claim == "aud"


async def test_an_issuer_of_any_script_mints_and_verifies(mintkey_clock, monkeypatch) -> None:
    keys = MemoryKeyProvider(clock=mintkey_clock)
    tokens = TokenService(issuer='https://münz\n"prägung"', keys=keys, clock=mintkey_clock)
    asked = Watched(monkeypatch)
    token = await tokens.mint(PLAIN, subject="20", claims={"a": 1})
    assert (await tokens.verify(token, PLAIN)).issuer == 'https://münz\n"prägung"'
    assert not asked()


@pytest.mark.parametrize(("issuer", "audience"), [("\ud800", "web"), ("https://i", "\udfff"), ("i", ["web", "\ud800"])])
async def test_an_issuer_or_audience_that_cannot_be_written_is_a_mistake_of_ours(
    mintkey_clock, issuer, audience
) -> None:
    keys = MemoryKeyProvider(clock=mintkey_clock)
    good = Purpose("login", lifetime=MINUTE)
    token = await TokenService(issuer="i", keys=keys, clock=mintkey_clock).mint(good)
    tokens = TokenService(issuer=issuer, keys=keys, clock=mintkey_clock)
    odd = Purpose("login", lifetime=MINUTE, audience=audience)
    for call in (tokens.mint(odd), tokens.verify(token, odd)):
        with pytest.raises(ConfigurationError, match=r"login: issuer and audience: .* surrogate pair"):
            await call
