"""Settings that do not go together are named, in the words in which they were set."""

from datetime import timedelta

import pytest

from mintkey.settings.contradictions import contradictions
from mintkey.settings.table import SETTINGS

DEFAULTS = {name: setting.default for name, setting in SETTINGS.items()}


def problems_of(*, unread=(), prefix="MINTKEY_", **given):
    values = DEFAULTS | {"issuer": "https://myapp.example", "store": "memory://"} | given
    return list(contradictions(values, given=given, unread=unread, prefix=prefix))


def test_what_is_all_right():
    assert problems_of() == []
    assert problems_of(store="redis://h", seal_keys="k") == []
    assert problems_of(store="file:///ring") == []
    assert problems_of(store=None, keys="/keys", active_kid="a", algorithm="ES256") == []
    assert problems_of(store="postgresql://h/d", keys="/keys") == []


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"issuer": ""}, "MINTKEY_ISSUER is not set: it is the iss of your tokens"),
        ({"store": None}, "neither MINTKEY_STORE nor MINTKEY_KEYS is set: one of them says where the keys are"),
        ({"active_kid": "a"}, "MINTKEY_ACTIVE_KID has no effect without MINTKEY_KEYS"),
        (
            {"keys": "/keys", "ring": "a"},
            "MINTKEY_RING has no effect beside MINTKEY_KEYS, whose operator rotates them",
        ),
        (
            {"keys": "/keys", "seal_keys": "k", "max_mints": 5},
            "MINTKEY_SEAL_KEYS, MINTKEY_MAX_MINTS have no effect beside MINTKEY_KEYS, whose operator rotates them",
        ),
        (
            {"store": "rediss://:hunter2@h"},
            "MINTKEY_SEAL_KEYS is not set, and rediss:// keeps private keys sealed only: `mintkey keys seal-key`",
        ),
        ({"ring": "a ring"}, "MINTKEY_RING must be 1 to 128 characters of A-Z a-z 0-9 . _ ~ -"),
        ({"algorithm": "none"}, "MINTKEY_ALGORITHM must be one of EdDSA"),
        (
            {"outage_tolerance": timedelta(seconds=1)},
            "MINTKEY_OUTAGE_TOLERANCE must not be shorter than MINTKEY_REFRESH_INTERVAL",
        ),
        (
            {"publish_ahead": timedelta(seconds=10)},
            "MINTKEY_PUBLISH_AHEAD must be longer than MINTKEY_REFRESH_INTERVAL plus MINTKEY_MAX_CLOCK_SKEW",
        ),
        ({"rotate_every": timedelta(0)}, "MINTKEY_ROTATE_EVERY must be positive, or None for never"),
        ({"max_mints": 0}, "MINTKEY_MAX_MINTS must be at least 1"),
    ],
)
def test_one_problem(given, problem):
    (found,) = problems_of(**given)

    assert found.startswith(problem)


def test_a_store_that_is_none_is_not_repeated():
    (found,) = problems_of(store="mysql://app:hunter2@h")

    assert found.startswith("MINTKEY_STORE: the URL names no place for keys; there are memory://")
    assert "hunter2" not in found


def test_all_of_them_at_once_by_another_prefix():
    found = problems_of(
        prefix="BILLING_", issuer="", store="redis://h", active_kid="a", max_mints=0, outage_tolerance=timedelta(1)
    )

    assert [problem.split()[0] for problem in found] == [
        "BILLING_ISSUER",
        "BILLING_ACTIVE_KID",
        "BILLING_SEAL_KEYS",
        "BILLING_MAX_MINTS",
    ]


def test_nothing_is_said_of_what_hangs_on_a_setting_that_cannot_be_read():
    assert problems_of(unread=["issuer"], issuer="") == []
    assert problems_of(unread=["store"], store=None) == []
    assert problems_of(unread=["keys"], store=None) == []
    assert problems_of(unread=["seal_keys"], store="redis://h") == []
    assert problems_of(unread=["refresh_interval"], publish_ahead=timedelta(seconds=6)) == []
    assert problems_of(unread=["previous_ttl"], ring="a ring") != []


def test_of_a_policy_that_cannot_be_made_nothing_else_is_said():
    found = problems_of(max_mints=0, publish_ahead=timedelta(seconds=6), ring="a ring")

    assert [problem.split()[0] for problem in found] == ["MINTKEY_MAX_MINTS", "MINTKEY_RING"]
