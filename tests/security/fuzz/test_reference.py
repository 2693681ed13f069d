"""The reference is right where somebody published what is right, and owes nothing to the library."""

import ast
import hmac
from pathlib import Path

import pytest

from tests.security.fuzz.reference import base64url, json_text
from tests.security.fuzz.reference.curves import check_ed25519, check_point, ed25519_public, public_point
from tests.security.fuzz.reference.envelopes import derived
from tests.security.fuzz.reference.keys import judge_jwk
from tests.security.fuzz.reference.tokens import Rules, judge
from tests.security.fuzz.reference.verdict import Refused

ROOM = Path(__file__).with_name("reference")


@pytest.mark.parametrize("path", sorted(ROOM.glob("*.py")), ids=lambda path: path.stem)
def test_it_imports_nothing_of_the_library_and_no_other_reader(path: Path) -> None:
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    standard = {
        "collections",
        "dataclasses",
        "datetime",
        "functools",
        "hashlib",
        "hmac",
        "json",
        "string",
        "typing",
        "urllib",
    }
    assert imported <= standard | {"tests"}


@pytest.mark.parametrize(
    ("data", "text"),
    [(b"", ""), (b"f", "Zg"), (b"fo", "Zm8"), (b"foo", "Zm9v"), (b"foob", "Zm9vYg"), (b"\xff\xef\xbe", "_---")],
)
def test_base64_of_rfc_4648(data: bytes, text: str) -> None:
    assert (base64url.encode(data), base64url.decode(text)) == (text, data)


@pytest.mark.parametrize("text", ["Zh", "Zm9", "Z", "Zg==", "Zm9v\n", "Zm+v", "Zm9vY"])
def test_other_spellings_are_none(text: str) -> None:
    with pytest.raises(Refused):
        base64url.decode(text)


def test_key_of_rfc_8037() -> None:
    seed = base64url.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
    assert base64url.encode(ed25519_public(seed)) == "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    assert judge_jwk(jwk) == ("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "EdDSA", False)


@pytest.mark.parametrize("y", [0, 1, 2**255 - 20, 2**255 - 19, 2**255 - 18, 2, 2**255 | 1])
def test_points_of_low_order_of_no_curve_and_spelt_otherwise_are_none(y: int) -> None:
    with pytest.raises(Refused):
        check_ed25519(y.to_bytes(32, "little"))


def test_key_of_rfc_7515_a3() -> None:
    x = int.from_bytes(base64url.decode("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"), "big")
    y = int.from_bytes(base64url.decode("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"), "big")
    d = int.from_bytes(base64url.decode("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"), "big")
    assert public_point(d) == (x, y)
    with pytest.raises(Refused):
        check_point("P-256", x, y + 1)


def test_derivation_of_rfc_5869_a3() -> None:
    secret = bytes([0x0B]) * 22
    assert derived(secret, b"").hex() == "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"


def test_json_of_rfc_8259() -> None:
    text = b'{"Image": {"Width":800,"Title":"\\u0056iew \\ud834\\udd1e","Animated": false, "IDs": [116, -9.5e1, null]}}'
    image = {"Width": 800, "Title": "View \U0001d11e", "Animated": False, "IDs": [116, -95.0, None]}
    assert json_text.read(text) == {"Image": image}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "1",
        '{"a":01}',
        '{"a":1.}',
        '{"a":.5}',
        '{"a":NaN}',
        '{"a":1,}',
        '{"a":1 "b":2}',
        '{"a":"\\ud834"}',
        '{"a":"\t"}',
        '{"a":1,"\\u0061":2}',
        '{"a":"\\x"}',
        "{'a':1}",
        '{"a":1}{}',
        '\ufeff{"a":1}',
        '{"a":1e999}',
        '{"a":' + "1" * 33 + "}",
    ],
)
def test_json_with_two_readings_or_none(text: str) -> None:
    with pytest.raises(Refused):
        json_text.read(text.encode())


def test_a_token_by_hand() -> None:
    secret = bytes(range(32))
    rules = Rules(issuer="i", secrets={"a": secret}, typ="login+jwt", now=100)
    header = base64url.encode(b'{"alg":"HS256","kid":"a","typ":"LOGIN+jwt"}')
    payload = base64url.encode(b'{"iss":"i","exp":91,"iat":90,"jti":"1"}')
    signed = f"{header}.{payload}"
    token = f"{signed}.{base64url.encode(hmac.digest(secret, signed.encode(), 'sha256'))}"
    assert judge(token, rules)["id"] == "1"
    with pytest.raises(Refused, match="expired"):
        judge(token, Rules(issuer="i", secrets={"a": secret}, typ="login+jwt", now=101))
    with pytest.raises(Refused, match="signature_invalid"):
        judge(token, Rules(issuer="i", secrets={"a": bytes(32)}, typ="login+jwt", now=100))
