"""Where keys are is shown, and never a key that passes for a place."""

import pytest

from mintkey.settings.texts import show_keys

# The body of a PKCS#8 PEM, made up; standard base64 has a slash in it more often than not.
BODY = "MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERIT/BUWFxgZGhscHR4f"


@pytest.mark.parametrize(
    "text",
    [BODY, f"{BODY[:32]}\\n{BODY[32:]}", f'/oct","k":"{BODY[:20]}"}}', f"/{BODY[:30]}.pem"],
    ids=["without BEGIN and END", "with an escape", "the end of a JWK", "as a name"],
)
def test_what_may_be_a_key_is_not_shown(text: str) -> None:
    assert show_keys(text) == "set (a path)"


@pytest.mark.parametrize(
    "path", ["/run/secrets/keys", "./keys.pem", "/etc/a-long-directory-of-the-payment-service/jwks.json"]
)
def test_a_path_is_shown(path: str) -> None:
    assert show_keys(path) == path
