"""A variable that is nearly a setting is pointed out; what others call theirs is left alone."""

import pytest

from mintkey.settings.spelling import misspelt


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("MINTKEY_KEY", "MINTKEY_KEYS"),
        ("MINTKEY_ROTATE_EVRY", "MINTKEY_ROTATE_EVERY"),
        ("mintkey_isuer", "MINTKEY_ISSUER"),
        ("MINTKEY_SEAL_KEY_FILE", "MINTKEY_SEAL_KEYS_FILE"),
    ],
)
def test_a_slip(name, meant):
    assert list(misspelt([name])) == [f"{name} is no setting and has no effect: is {meant} meant?"]


def test_what_is_set_right_or_is_not_ours():
    names = ["MINTKEY_RING", "mintkey_store_file", "MINTKEY_LOG_LEVEL", "MINTKEY_NEW_SEAL_KEYS", "ISUER", "MY_RIN"]

    assert list(misspelt(names)) == []


def test_settings_of_somebody_else_under_his_prefix():
    names = ["BILLING_CURENCY", "BILLING_RNG", "BILLING_CURRENCY"]

    assert list(misspelt(names, known=["ring", "currency"], prefix="billing_")) == [
        "BILLING_CURENCY is no setting and has no effect: is BILLING_CURRENCY meant?",
        "BILLING_RNG is no setting and has no effect: is BILLING_RING meant?",
    ]


def test_without_a_prefix_nobody_can_tell():
    assert list(misspelt(["ISUER"], prefix="")) == []
