"""PURPOSE is a preset or a name of the operator's own."""

from datetime import timedelta

import pytest

from mintkey import presets
from mintkey.cli.purposes import PRESETS, PurposeArguments, purpose_of


def purpose(name, *, single_use=False, revocable=False, typ=None, audience=(), lifetime=None, is_minting=False):
    problems = []
    said = PurposeArguments(name=name, single_use=single_use, revocable=revocable, typ=typ)
    return purpose_of(said, problems, audience=audience, lifetime=lifetime, is_minting=is_minting), problems


def test_every_preset_can_be_named():
    assert set(PRESETS.values()) == {getattr(presets, name) for name in presets.__all__}


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_taken_as_it_is(name):
    assert purpose(name, is_minting=True) == (PRESETS[name], [])


def test_a_preset_takes_an_audience():
    found, problems = purpose("access", audience=["web", "app"])

    assert (found, problems) == (presets.ACCESS.replace(audience=["web", "app"]), [])


def test_a_preset_is_not_changed_otherwise():
    _, problems = purpose("access", single_use=True, revocable=True, typ="x")

    assert problems == ["--single-use, --revocable, --typ cannot change the preset access: use a name of your own"]


def test_saying_what_a_preset_is_anyway_is_fine():
    assert purpose("password-reset", single_use=True, revocable=True, typ="password-reset+jwt")[1] == []


def test_a_purpose_of_ones_own():
    found, problems = purpose(
        "invite",
        single_use=True,
        revocable=True,
        typ="i+jwt",
        audience=["web"],
        lifetime=timedelta(days=2),
        is_minting=True,
    )

    assert not problems
    assert (found.name, found.single_use, found.revocable, found.typ) == ("invite", True, True, "i+jwt")
    assert (found.audience, found.lifetime) == (("web",), timedelta(days=2))


def test_only_minting_needs_a_lifetime():
    assert purpose("invite")[1] == []
    assert purpose("invite", is_minting=True)[1] == ["invite is no preset, so it needs --lifetime or MINTKEY_LIFETIME"]


@pytest.mark.parametrize("name", ["", "Magic Link", "a" * 65, "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIyMCJ9.c2ln"])
def test_a_wrong_name_is_explained_and_not_repeated(name):
    _, problems = purpose(name)

    assert len(problems) == 1
    assert "magic-link, email-verify" in problems[0]
    assert not name or name not in problems[0]


def test_a_wrong_typ_is_a_problem():
    assert "typ must be" in purpose("invite", typ="not a typ")[1][0]
