"""A required claim that templates never write is missed, not overlooked; and what typed claims say of a misfit."""

import sys
from dataclasses import dataclass

import pydantic
import pytest

from mintkey.claims.template import ClaimsTemplate
from mintkey.claims.typed import codec_for
from mintkey.errors import ClaimError

BARE = b'{"iss":"i","iat":1,"exp":2,"jti":"x"}'
ADDRESSED = b'{"iss":"i","aud":"us","iat":1,"exp":2,"jti":"x"}'


def template(*required: str, audience: tuple[str, ...] = ()) -> ClaimsTemplate:
    return ClaimsTemplate(issuer="i", audience=audience, required=required)


def test_what_a_template_wrote_is_recognised() -> None:
    assert template().recognise(BARE) is not None
    assert template(audience=("us",)).recognise(ADDRESSED) is not None
    assert template("aud", audience=("us",)).recognise(ADDRESSED) is not None


@pytest.mark.parametrize("required", ["nbf", "aud", "sub", "scope", "tenant"])
def test_what_lacks_a_required_claim_is_left_to_the_general_reader(required: str) -> None:
    assert template(required).recognise(BARE) is None


@pytest.mark.parametrize("required", ["nbf", "sub", "scope", "tenant"])
def test_so_is_what_lacks_one_and_names_an_audience(required: str) -> None:
    assert template(required, audience=("us",)).recognise(ADDRESSED) is None


class Address(pydantic.BaseModel):
    city: str


class Person(pydantic.BaseModel):
    addresses: list[Address]


def test_a_misfit_of_pydantics_is_named_by_its_whole_path() -> None:
    with pytest.raises(ClaimError) as caught:
        codec_for(Person).decode({"addresses": [{"city": "a"}, {"city": 7}]})
    assert caught.value.claim == "addresses.1.city"


@dataclass
class Plain:
    name: str


@pytest.mark.parametrize("package", ["msgspec", "pydantic"])
def test_packages_that_nobody_imported_are_not_needed(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.delitem(sys.modules, package, raising=False)
    assert codec_for(Plain).decode({"name": "a"}) == Plain("a")
