"""What an issuer says about itself."""

import pytest

from mintkey.oauth.metadata import MetadataError, read_metadata, well_known_urls

ISSUER = "https://login.example/tenant"
ENDPOINTS = {
    "jwks_uri": "https://keys.example/jwks",
    "token_endpoint": "https://login.example/token?tenant=1",
    "authorization_endpoint": "https://login.example/authorize",
    "introspection_endpoint": "https://login.example/introspect",
    "revocation_endpoint": "https://login.example/revoke",
}


@pytest.mark.parametrize(
    ("issuer", "openid", "oauth"),
    [
        ("https://a.example", "", ""),
        ("https://a.example/", "", ""),
        ("https://a.example/one", "/one", "/one"),
        ("https://a.example/one/two/", "/one/two", "/one/two"),
    ],
)
def test_openid_appends_and_oauth_inserts(issuer, openid, oauth):
    """OpenID Connect Discovery 1.0 §4.1, RFC 8414 §3.1."""
    assert well_known_urls(issuer) == (
        f"https://a.example{openid}/.well-known/openid-configuration",
        f"https://a.example/.well-known/oauth-authorization-server{oauth}",
    )


def test_endpoints_are_fields_and_the_rest_is_there_too():
    document = {"issuer": ISSUER, **ENDPOINTS, "grant_types_supported": ["client_credentials"]}
    metadata = read_metadata(document, issuer=ISSUER)
    assert metadata.issuer == ISSUER
    assert {name: getattr(metadata, name) for name in ENDPOINTS} == ENDPOINTS
    assert metadata.raw == document
    with pytest.raises(TypeError):
        metadata.raw["issuer"] = "https://other.example"
    assert hash(metadata) == hash(read_metadata(document, issuer=ISSUER))


def test_what_is_not_published_is_none():
    metadata = read_metadata({"issuer": ISSUER, "token_endpoint": None}, issuer=ISSUER)
    assert [getattr(metadata, name) for name in ENDPOINTS] == [None] * 5


@pytest.mark.parametrize(
    "found",
    [
        "https://other.example/tenant",
        "https://login.example/tenant2",
        "https://login.example/Tenant",
        "HTTPS://login.example/tenant",
        "https://login.example:443/tenant",
        "",
        None,
        [ISSUER],
    ],
    ids=repr,
)
def test_the_issuer_is_compared_character_by_character(found):
    with pytest.raises(MetadataError, match=r"another issuer's$") as raised:
        read_metadata({"issuer": found, **ENDPOINTS}, issuer=ISSUER)
    assert "example" not in str(raised.value)


def test_a_slash_is_pointed_out():
    with pytest.raises(MetadataError, match="slash at the end"):
        read_metadata({"issuer": f"{ISSUER}/"}, issuer=ISSUER)


@pytest.mark.parametrize("name", list(ENDPOINTS))
@pytest.mark.parametrize(
    "url",
    ["http://login.example/x", "ftp://login.example/x", "//login.example", "https://a@b.example/", "", 7],
    ids=repr,
)
def test_endpoints_are_https_urls(name, url):
    with pytest.raises(MetadataError, match=name):
        read_metadata({"issuer": ISSUER, **ENDPOINTS, name: url}, issuer=ISSUER)


def test_loopback_is_for_an_issuer_on_loopback():
    document = {"jwks_uri": "http://127.0.0.1:8080/jwks"}
    local = "http://localhost:8080"
    assert read_metadata({"issuer": local, **document}, issuer=local).jwks_uri == document["jwks_uri"]
    with pytest.raises(MetadataError, match="jwks_uri is not https"):
        read_metadata({"issuer": ISSUER, **document}, issuer=ISSUER)
