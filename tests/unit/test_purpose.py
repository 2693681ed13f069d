"""A purpose is checked when it is made, all problems at once, and never changes afterwards."""

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from mintkey import presets
from mintkey.errors import ConfigurationError
from mintkey.purpose import FORBIDDEN_HEADERS, Purpose, PurposeTable

MINUTE = timedelta(minutes=1)


@dataclasses.dataclass(frozen=True)
class Client:
    client_id: str


def test_a_purpose_has_safe_defaults():
    purpose = Purpose("magic-login", lifetime=MINUTE)
    assert (purpose.typ, purpose.audience, purpose.leeway) == ("magic-login+jwt", (), timedelta(seconds=10))
    assert not purpose.single_use
    assert not purpose.revocable
    assert not purpose.stateful
    assert purpose.claims is dict


def test_a_purpose_cannot_be_changed_and_compares_by_value():
    purpose = Purpose("a", lifetime=MINUTE, audience="x", single_use=True)
    with pytest.raises(dataclasses.FrozenInstanceError):
        purpose.lifetime = MINUTE * 2
    assert purpose == Purpose("a", lifetime=MINUTE, audience=["x"], single_use=True)
    assert hash(purpose) == hash(Purpose("a", lifetime=MINUTE, audience="x", single_use=True))
    assert purpose.stateful


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"lifetime": timedelta(0)}, "lifetime"),
        ({"lifetime": -MINUTE}, "lifetime"),
        ({"audience": ""}, "audience"),
        ({"audience": []}, "audience"),
        ({"audience": ["a", ""]}, "audience"),
        ({"leeway": timedelta(minutes=11)}, "leeway"),
        ({"leeway": -MINUTE}, "leeway"),
        ({"typ": ""}, "typ"),
        ({"typ": "a b"}, "typ"),
        ({"typ": "x" * 200}, "typ"),
        ({"headers": ["alg"]}, "alg"),
        ({"headers": [""]}, "headers"),
        ({"required": [""]}, "required"),
        ({"max_age": timedelta(0)}, "max_age"),
        ({"optional": ("jti", "exp")}, "optional may name jti alone"),
        ({"optional": "jti", "single_use": True}, "optional is not for single_use"),
        ({"optional": "jti", "revocable": True}, "optional is not for single_use"),
        ({"claims": int}, "claims"),
    ],
)
def test_a_wrong_setting_is_named(settings, named):
    with pytest.raises(ConfigurationError, match=named):
        Purpose("p", **{"lifetime": MINUTE, **settings})


@pytest.mark.parametrize("name", ["", "A", "a b", "ä", "x" * 65, "a/b"])
def test_a_name_is_short_and_plain(name):
    with pytest.raises(ConfigurationError, match="name"):
        Purpose(name, lifetime=MINUTE)


def test_all_problems_are_told_at_once():
    with pytest.raises(ConfigurationError) as caught:
        Purpose("B!", lifetime=-MINUTE, leeway=MINUTE * 60, claims=int)
    assert len(caught.value.details["problems"]) == 4


@pytest.mark.parametrize("header", sorted(FORBIDDEN_HEADERS))
def test_no_purpose_allows_a_header_that_changes_how_a_token_is_read(header):
    with pytest.raises(ConfigurationError):
        Purpose("p", lifetime=MINUTE, headers=[header, "x-tenant"])


def test_x5t_may_be_named():
    assert Purpose("p", lifetime=MINUTE, headers=["x5t", "x5t#S256"]).headers == {"x5t", "x5t#S256"}


def test_replace_changes_what_it_is_told_and_keeps_the_rest():
    access = presets.ACCESS.replace(audience="api", lifetime=MINUTE)
    assert (access.audience, access.lifetime, access.typ) == (("api",), MINUTE, "at+jwt")
    renamed = presets.MAGIC_LINK.replace(name="sign-in", leeway=timedelta(0))
    assert (renamed.typ, renamed.single_use, renamed.leeway) == ("sign-in+jwt", True, timedelta(0))
    assert access.replace(name="b").audience == ("api",)
    assert access.required == {"sub"}


def test_what_may_be_missing_stays_so_in_a_replacement():
    foreign = Purpose("foreign", lifetime=MINUTE, typ="JWT", optional=["jti"])
    assert foreign.replace(audience="api").optional == {"jti"}
    assert foreign != Purpose("foreign", lifetime=MINUTE, typ="JWT")


def test_replace_can_ask_for_other_claims_and_give_them_a_type():
    purpose = presets.ACCESS.replace(required=("sub", "client_id"), claims=Client)
    assert purpose.required == {"sub", "client_id"}
    assert purpose.claims is Client
    assert purpose.codec.decode({"client_id": "web"}) == Client("web")
    assert purpose.replace(audience="api").claims is Client
    assert purpose.replace(required=()).required == frozenset()
    assert purpose.replace(claims=dict).claims is dict
    with pytest.raises(ConfigurationError, match="claims"):
        presets.ACCESS.replace(claims=int)


@pytest.mark.parametrize("name", presets.__all__)
def test_every_preset_fits_the_default_rotation_policy(name):
    preset = getattr(presets, name)
    assert preset.lifetime + preset.leeway <= timedelta(days=1)


# --- what somebody prepares for each purpose


class Prepared:
    """Counts what a table had prepared."""

    def __init__(self) -> None:
        self.purposes: list[Purpose[Any]] = []
        self.table: PurposeTable[str] = PurposeTable(self._prepare)

    def _prepare(self, purpose: Purpose[Any]) -> str:
        self.purposes.append(purpose)
        return f"{purpose.name} {len(self.purposes)}"


def test_what_is_prepared_for_a_purpose_is_made_when_first_asked_for_and_kept():
    prepared, one, other = Prepared(), Purpose("one", lifetime=MINUTE), Purpose("other", lifetime=MINUTE)
    assert prepared.purposes == []
    assert [prepared.table[purpose] for purpose in (one, other, one, other)] == ["one 1", "other 2"] * 2
    assert prepared.purposes == [one, other]


def test_purposes_that_are_equal_are_prepared_apart():
    """Comparing two takes longer than preparing."""
    prepared = Prepared()
    one, twin = Purpose("same", lifetime=MINUTE), Purpose("same", lifetime=MINUTE)
    assert one == twin
    assert (prepared.table[one], prepared.table[twin], prepared.table[one]) == ("same 1", "same 2", "same 1")


def test_a_purpose_made_for_every_call_never_gets_what_was_prepared_for_another():
    """An object that is gone leaves its place in memory to the next; the table holds on to those it knows."""
    prepared = Prepared()
    for number in range(1000):
        assert prepared.table[Purpose(f"p{number}", lifetime=MINUTE)] == f"p{number} {number + 1}"


def test_a_table_is_bounded():
    prepared = Prepared()
    purposes = [Purpose(f"p{number}", lifetime=MINUTE) for number in range(257)]
    for purpose in purposes[:256]:
        assert prepared.table[purpose]
    assert prepared.table[purposes[0]] == "p0 1"
    assert prepared.table[purposes[256]] == "p256 257"
    assert len(prepared.table._made) == 1
    assert prepared.table[purposes[0]] == "p0 258"  # it was forgotten with the others, and made anew


def test_what_cannot_be_prepared_is_tried_again():
    tries: list[str] = []

    def fail_first(purpose: Purpose[Any]) -> str:
        tries.append(purpose.name)
        if len(tries) == 1:
            raise ConfigurationError("not yet")
        return "prepared"

    table, purpose = PurposeTable(fail_first), Purpose("p", lifetime=MINUTE)
    with pytest.raises(ConfigurationError, match="not yet"):
        table[purpose]
    assert table[purpose] == table[purpose] == "prepared"
    assert tries == ["p", "p"]


def test_whoever_is_in_a_hurry_looks_by_identity_and_adds_what_is_not_there():
    prepared, one = Prepared(), Purpose("one", lifetime=MINUTE)
    assert prepared.table.find(id(one)) is None
    assert prepared.table.add(one) == prepared.table.find(id(one)) == prepared.table[one] == "one 1"
