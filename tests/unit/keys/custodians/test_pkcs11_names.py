"""What key pairs are called on a token, and that nothing else is taken for such a name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pkcs11 import Attribute

from mintkey import KeyProviderError
from mintkey.keys.custodians.pkcs11_names import Label, attributes_of, uri_of

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(TEXT, st.integers(0, 10**11), st.from_regex(r"[A-Za-z0-9._~-]{0,43}", fullmatch=True))
def test_a_label_is_read_as_it_was_written(ring: str, made_at: int, kid: str):
    label = Label(ring, made_at, kid)
    assert Label.of(str(label)) == label


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mintkey",
        "mintkey:default",
        "mintkey:default:1",
        "mintkey:default:soon:k1",
        "minkey:default:1:k1",
        "a:b:1:c:d",
    ],
)
def test_a_label_of_somebody_else_is_none_of_ours(text: str):
    assert Label.of(text) is None


@given(st.binary(min_size=1), TEXT)
def test_a_key_is_found_by_its_id(key_id: bytes, label: str):
    assert attributes_of(uri_of(key_id=key_id, label=label)) == {Attribute.ID: key_id}


@given(TEXT)
def test_a_key_without_an_id_is_found_by_its_label(label: str):
    assert attributes_of(uri_of(key_id=b"", label=label)) == {Attribute.LABEL: label}


def test_an_operator_may_give_both():
    wanted = attributes_of("pkcs11:object=tokens%20of%202025;id=%01a")
    assert wanted == {Attribute.LABEL: "tokens of 2025", Attribute.ID: b"\x01a"}


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "pkcs11:",
        "pkcs11:id",
        "pkcs11:id=",
        "pkcs11:id=%",
        "pkcs11:id=%0",
        "pkcs11:id=%0g",
        "pkcs11:id=é",
        "pkcs11:id=%01;",
        "pkcs11:id=%01;token=elsewhere",
        "pkcs11:id=%01?pin-value=1234",
        "PKCS11:id=%01",
        "id=%01",
    ],
)
def test_everything_else_is_no_name(uri: str):
    with pytest.raises(KeyProviderError, match="the handle is not that of a key on a token"):
        attributes_of(uri)
