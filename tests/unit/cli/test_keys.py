"""`mintkey keys` and `mintkey jwks`."""

import json

from mintkey.cli import keys


def test_a_new_ring_has_a_key_that_signs_and_one_that_stands_ready(mintkey):
    listed = mintkey("keys", "list", "--json")

    assert (listed.exit_code, listed.stderr) == (0, "")
    pending, active = json.loads(listed.stdout)["keys"]
    assert set(active) == {
        "kid",
        "algorithm",
        "state",
        "created_at",
        "activates_at",
        "retires_at",
        "verify_until",
        "mints",
    }
    assert (pending["state"], pending["activates_at"]) == ("pending", None)
    assert (active["state"], active["algorithm"], active["mints"]) == ("active", "EdDSA", 0)
    assert active["activates_at"].endswith("+00:00")


def test_people_see_a_table_and_a_time_line_in_80_plain_columns(mintkey):
    listed = mintkey("keys", "list")

    kids = [version["kid"] for version in json.loads(mintkey("keys", "list", "--json").stdout)["keys"]]
    assert all(kid in listed.stdout for kid in kids)
    assert "▼ now" in listed.stdout
    assert "\x1b" not in listed.stdout
    assert max(map(len, listed.stdout.splitlines())) <= 80


def test_rotating_lets_the_successor_sign(mintkey):
    before = json.loads(mintkey("keys", "list", "--json").stdout)["keys"]

    rotated = mintkey("keys", "rotate", "--yes", "--json")

    assert (rotated.exit_code, rotated.stderr) == (0, "")
    version = json.loads(rotated.stdout)
    assert (version["kid"], version["state"]) == (before[0]["kid"], "active")
    after = json.loads(mintkey("keys", "list", "--json").stdout)["keys"]
    assert [each["state"] for each in after] == ["pending", "active", "retiring"]
    assert after[2]["verify_until"] is not None


def test_people_are_told_who_signs_now(mintkey):
    assert mintkey("keys", "rotate", "-y").stdout.endswith(" signs from now on\n")


def test_tokens_of_the_previous_key_stay_good(mintkey):
    token = mintkey("token", "mint", "access", "--subject", "20").stdout
    mintkey("keys", "rotate", "--yes")

    assert mintkey("token", "verify", "access", stdin=token).exit_code == 0


def test_rotating_without_a_terminal_needs_a_yes(mintkey):
    result = mintkey("keys", "rotate", stdin="y\n")

    assert (result.exit_code, result.stdout) == (2, "")
    assert "give --yes" in result.stderr
    assert len(json.loads(mintkey("keys", "list", "--json").stdout)["keys"]) == 2


def test_a_person_is_asked_and_may_say_no(mintkey, monkeypatch):
    monkeypatch.setattr(keys, "has_terminal", lambda: True)
    assert mintkey("keys", "list").exit_code == 0

    refused = mintkey("keys", "rotate", stdin="n\n")
    agreed = mintkey("keys", "rotate", stdin="y\n")

    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr == "Rotate the key now? [y/N] nothing was rotated\n"
    assert (agreed.exit_code, agreed.stderr) == (0, "Rotate the key now? [y/N] ")
    assert len(json.loads(mintkey("keys", "list", "--json").stdout)["keys"]) == 3


def test_a_wrong_setting_is_named_before_anybody_is_asked(mintkey, monkeypatch):
    monkeypatch.setattr(keys, "has_terminal", lambda: True)
    monkeypatch.setenv("MINTKEY_MAX_MINTS", "many")

    result = mintkey("keys", "rotate", stdin="y\n")

    assert result.exit_code == 2
    assert result.stderr == "mintkey: configuration: MINTKEY_MAX_MINTS must be a whole number from 1\n"


def test_the_jwks_holds_public_keys_only(mintkey):
    result = mintkey("jwks", "--json")

    assert result.exit_code == 0
    published = json.loads(result.stdout)["keys"]
    listed = json.loads(mintkey("keys", "list", "--json").stdout)["keys"]
    assert [jwk["kid"] for jwk in published] == [version["kid"] for version in listed]
    assert all(set(jwk) == {"kty", "crv", "x", "kid", "alg", "use"} for jwk in published)


def test_people_get_the_same_jwks_on_more_lines(mintkey):
    for_people, for_programs = mintkey("jwks").stdout, mintkey("jwks", "--json").stdout

    assert json.loads(for_people) == json.loads(for_programs)
    assert (for_programs.count("\n"), for_people.count("\n") > 10) == (1, True)


def test_keys_need_no_issuer(mintkey, monkeypatch):
    monkeypatch.delenv("MINTKEY_ISSUER")

    assert mintkey("keys", "list").exit_code == 0
    assert mintkey("jwks").exit_code == 0
