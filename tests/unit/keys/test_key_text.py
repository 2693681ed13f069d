"""Key texts: whatever happened to a PEM on its way, the key in it is found, and nothing is guessed."""

import base64

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from mintkey.keys.key_text import is_placeholder, looks_like_path, read_key_text
from tests.support.broken_pem import BROKEN, pem_of

ECPARAM = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"


@pytest.mark.parametrize("damage", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("kind", ["Ed25519", "EC", "RSA"])
def test_the_key_survives(kind, damage):
    pem = pem_of(kind)
    found = read_key_text(damage(pem))
    assert found is not None
    assert found.pems == (pem,)


def test_it_survives_as_many_blocks_as_there_are():
    one, other = pem_of("Ed25519"), pem_of("EC")
    found = read_key_text(f"{one}\n{other}".replace("\n", r"\n"))
    assert found is not None
    assert found.pems == (one, other)


def test_curve_parameters_in_front_of_a_key_are_no_key():
    found = read_key_text(ECPARAM + pem_of("EC"))
    assert found is not None
    assert found.pems == (pem_of("EC"),)


def test_a_label_that_nobody_knows_is_left_alone():
    found = read_key_text("-----BEGIN FANCY KEY-----\nAAAA\n-----END FANCY KEY-----")
    assert found is not None
    assert found.pems == ("-----BEGIN FANCY KEY-----\nAAAA\n-----END FANCY KEY-----\n",)


@pytest.mark.parametrize(
    "text",
    ['{"keys":[]}', ' {"keys":[]}\n', "'{\"keys\":[]}'", base64.b64encode(b'{"keys":[]}').decode()],
    ids=["as it is", "white space", "quotes", "base64"],
)
def test_json_is_found(text):
    found = read_key_text(text)
    assert found is not None
    assert found.json == b'{"keys":[]}'


@pytest.mark.parametrize("text", ["", "  ", "/etc/keys", "keys.pem", "é", "QUJD", "changeme", "[]", "null"])
def test_what_is_neither_is_nothing(text):
    assert read_key_text(text) is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (pem_of("Ed25519")[:60], "cut off"),
        (pem_of("Ed25519") + pem_of("EC")[:60], "cut off"),
        ("-----END PRIVATE KEY-----", "cut off"),
        ("-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----", "not base64"),
        ("-----BEGIN PRIVATE KEY-----\n\n-----END PRIVATE KEY-----", "not base64"),
        ("-----BEGIN PRIVATE KEY-----\n<your key>\n-----END PRIVATE KEY-----", "not base64"),
        ("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----", "decrypt it first"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----",
            "decrypt it first",
        ),
    ],
)
def test_a_pem_that_cannot_be_saved_says_why(text, problem):
    with pytest.raises(ValueError, match=problem):
        read_key_text(text)


def test_it_shows_no_key():
    found = read_key_text(pem_of("Ed25519"))
    assert "PRIVATE" not in repr(found)
    assert repr(read_key_text('{"k":"secret"}')) == repr(found)


def test_what_comes_out_can_be_loaded():
    # The other tests compare with what cryptography wrote; this one has it read.
    found = read_key_text(BROKEN["no white space at all"](pem_of("RSA")))
    assert found is not None
    load_pem_private_key(found.pems[0].encode(), None)


@pytest.mark.parametrize(
    "text",
    [
        *("changeme", "CHANGE_ME", "change-me-please", "'changeme'", "please-change-me", "replaceme", "set-me"),
        *("<your-private-key>", "<paste PEM here/now>", "[your key]", "${PRIVATE_KEY}", "{{ private_key }}"),
        *("your-private-key", "your private key here", "my-key", "the key", "xxxx", "****", "...", "????", "-"),
        *("TODO", "todo: ask ops", "FIXME", "tbd", "none", "NULL", "undefined", "secret", "private-key"),
        *("password", "example", "example-key", "dummy", "placeholder", "test", "foo", "redacted", "insert key here"),
    ],
)
def test_placeholders_are_known(text):
    assert is_placeholder(text)


@pytest.mark.parametrize(
    "text",
    ["", "/run/secrets/key", "./change/me", "the.pem", "my-keys.json", "setup.jwks", "pKx_8Zq4vR", '{"keys": []}'],
)
def test_other_texts_are_no_placeholders(text):
    assert not is_placeholder(text)


@pytest.mark.parametrize("text", ["/", "/etc/keys", "./keys", "keys/", "~/keys", " /etc/keys\n", "a.PEM", "b.jwk"])
def test_paths_are_known(text):
    assert looks_like_path(text)


@pytest.mark.parametrize("text", ["", "keys", "a.txt", "<a/b>", "a\n/b", "a\0/b"])
def test_other_texts_are_no_paths(text):
    assert not looks_like_path(text)
