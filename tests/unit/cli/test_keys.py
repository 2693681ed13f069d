"""`mintkey keys` and `mintkey jwks`."""

import json
from datetime import UTC, datetime, timedelta

import anyio
import pytest

from mintkey.cli import stdin
from mintkey.cli.seal_file import sealer_beside
from mintkey.jose import jwk
from mintkey.keys import Sealer, SQLKeyProvider
from mintkey.testing import FakeClock


def rotated_days_ago(data_home, days):
    """Begin and rotate the default store's ring as of some days ago."""
    database = data_home / "mintkey.db"
    clock = FakeClock(datetime.now(UTC) - timedelta(days=days))
    keys = SQLKeyProvider(f"sqlite:///{database}", sealer=sealer_beside(database), clock=clock)

    async def rotate():
        async with keys:
            await keys.versions()
            await keys.rotate()

    anyio.run(rotate)


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


def test_everybody_learns_when_the_ring_rotates_next(mintkey, answer, monkeypatch):
    monkeypatch.setenv("MINTKEY_ROTATE_EVERY", "7d")
    active = answer("keys", "list")["keys"][1]

    rotates_at = datetime.fromisoformat(answer("keys", "list")["rotates_at"])

    assert rotates_at == datetime.fromisoformat(active["activates_at"]) + timedelta(days=7)
    shown = mintkey("keys", "list").stdout
    assert f"  next rotation  {rotates_at:%Y-%m-%d %H:%M:%S} UTC (in 6 d 23 h)\n" in shown
    signer, successor = (
        line for line in shown.splitlines() if "█" in line and "legend" not in line and "active  " not in line
    )
    assert signer.index("▒") < successor.rindex("█")


def test_a_ring_that_rotates_by_hand_alone_has_no_date(mintkey, answer, monkeypatch):
    monkeypatch.setenv("MINTKEY_ROTATE_EVERY", "never")

    assert answer("keys", "list")["rotates_at"] is None
    assert mintkey("keys", "list").stdout.endswith("  next rotation  by hand alone\n")


def test_rotating_lets_the_successor_sign(mintkey):
    before = json.loads(mintkey("keys", "list", "--json").stdout)["keys"]

    rotated = mintkey("keys", "rotate", "--yes", "--json")

    assert (rotated.exit_code, rotated.stderr) == (0, "")
    version = json.loads(rotated.stdout)
    assert (version["kid"], version["state"], version["rotated"]) == (before[0]["kid"], "active", True)
    after = json.loads(mintkey("keys", "list", "--json").stdout)["keys"]
    assert [each["state"] for each in after] == ["pending", "active", "retiring"]
    assert after[2]["verify_until"] is not None


def test_people_are_told_who_signs_now(mintkey, answer):
    successor = answer("keys", "list")["keys"][0]["kid"]
    assert mintkey("keys", "rotate", "-y").stdout == f"✓ {successor} signs from now on\n"


def test_where_there_were_no_keys_nothing_was_rotated(mintkey, answer):
    """Not a failure, as a key signs that nobody else has; but who mistyped the ring's name has to see it."""
    begun = mintkey("keys", "rotate", "--yes", "--ring", "payment")

    active = answer("keys", "list", "--ring", "payment")["keys"][1]
    assert (begun.exit_code, begun.stderr) == (0, "")
    assert begun.stdout == (
        f"✓ ring 'payment' begins: there were no keys, so nothing was rotated\n✓ {active['kid']} signs\n"
    )


def test_programs_are_told_too_that_nothing_was_rotated(answer):
    begun = answer("keys", "rotate", "--yes")

    assert [begun["rotated"], answer("keys", "rotate", "--yes")["rotated"]] == [False, True]
    assert begun["kid"] == answer("keys", "list")["keys"][2]["kid"]


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
    monkeypatch.setattr(stdin, "has_terminal", lambda: True)
    assert mintkey("keys", "list").exit_code == 0

    refused = mintkey("keys", "rotate", stdin="n\n")
    agreed = mintkey("keys", "rotate", stdin="y\n")

    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr == "Rotate the key now? [y/N] nothing was rotated\n"
    assert (agreed.exit_code, agreed.stderr) == (0, "Rotate the key now? [y/N] ")
    assert len(json.loads(mintkey("keys", "list", "--json").stdout)["keys"]) == 3


@pytest.mark.parametrize("command", ["rotate", "revoke"])
def test_a_program_is_never_asked(mintkey, answer, monkeypatch, command):
    monkeypatch.setattr(stdin, "has_terminal", lambda: True)
    before = answer("keys", "list")["keys"]
    kid = [before[0]["kid"]] if command == "revoke" else []

    result = mintkey("keys", command, *kid, "--json", stdin="y\n")

    assert (result.exit_code, result.stdout) == (2, "")
    assert json.loads(result.stderr)["error"]["message"] == "with --json nobody is asked: give --yes"
    assert answer("keys", "list")["keys"] == before


def test_a_wrong_setting_is_named_before_anybody_is_asked(mintkey, monkeypatch):
    monkeypatch.setattr(stdin, "has_terminal", lambda: True)
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


def test_every_store_serves_every_command(any_store, answer, mintkey):
    pending, active = answer("keys", "list")["keys"]
    token = mintkey("token", "mint", "access", "--subject", "20").stdout

    rotated = answer("keys", "rotate", "--yes")
    revoked = answer("keys", "revoke", active["kid"][:8], "--reason", "leaked", "--yes")
    shown = answer("keys", "show", active["kid"])

    assert rotated["kid"] == revoked["signs"] == pending["kid"]
    assert revoked["revoked"]["state"] == shown["state"] == "revoked"
    assert shown["mints"] >= 1
    assert mintkey("token", "verify", "access", stdin=token).exit_code == 1
    assert active["kid"] not in {key["kid"] for key in answer("keys", "export")["keys"]}
    assert answer("keys", "export") == answer("jwks")
    assert answer("keys", "prune") == {"pruned": 0}
    assert answer("keys", "rewrap") == {"rewrapped": 0}
    assert answer("keys", "list", "--ring", "another")["keys"][1]["mints"] == 0


def test_the_ring_is_named_by_a_variable_too(answer, monkeypatch):
    kids = [version["kid"] for version in answer("keys", "list", "--ring", "a")["keys"]]
    monkeypatch.setenv("MINTKEY_RING", "a")

    assert [version["kid"] for version in answer("keys", "list")["keys"]] == kids
    assert [version["kid"] for version in answer("keys", "list", "--ring", "b")["keys"]] != kids


def test_new_versions_are_for_the_algorithm_of_the_environment(answer, monkeypatch):
    monkeypatch.setenv("MINTKEY_ALGORITHM", "ES256")

    assert {version["algorithm"] for version in answer("keys", "list")["keys"]} == {"ES256"}


def test_all_there_is_to_know_about_a_version(mintkey, answer):
    active = answer("keys", "list")["keys"][1]

    shown = answer("keys", "show", active["kid"][:6])
    result = mintkey("keys", "show", active["kid"][:6])

    assert {name: shown[name] for name in active} == active
    assert shown["public_jwk"]["kid"] == active["kid"]
    assert (result.exit_code, result.stderr) == (0, "")
    assert f"  kid         {active['kid']}\n" in result.stdout
    assert "signs from  " in result.stdout
    assert "signs until" not in result.stdout
    assert '"crv": "Ed25519"' in result.stdout
    assert "▼ now" in result.stdout


def test_a_secret_shows_and_exports_nothing(mintkey, answer, monkeypatch):
    monkeypatch.setenv("MINTKEY_ALGORITHM", "HS256")
    kid = answer("keys", "list")["keys"][1]["kid"]

    assert answer("keys", "show", kid)["public_jwk"] is None
    assert "none, it is a secret" in mintkey("keys", "show", kid).stdout
    assert answer("keys", "export") == {"keys": []}
    refused = mintkey("keys", "export", "--pem", kid)
    assert refused.exit_code == 2
    assert "is a secret (HS256), which has no public half" in refused.stderr


@pytest.mark.parametrize("command", [["show"], ["revoke", "--yes"], ["export", "--pem"]])
def test_a_kid_that_is_not_there_is_a_mistake(mintkey, command):
    result = mintkey("keys", *command, "no-such-kid")

    assert (result.exit_code, result.stdout) == (2, "")
    assert "KID fits no version of this ring" in result.stderr


KID_LIKE_AN_OPTION = "-IfcI_xMV8rO7AwVP33CcgWiihVMTA2o80wPngh5SKc"


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", KID_LIKE_AN_OPTION],
        ["show", "-Ifc_x", "--json"],
        ["show", "--json", "--", KID_LIKE_AN_OPTION],
        ["revoke", f"-{KID_LIKE_AN_OPTION}", "--yes"],
        ["revoke", KID_LIKE_AN_OPTION, "--reason", "-leaked-", "-y"],
        ["revoke", "-y", "--reason=--leaked-somewhere-else", KID_LIKE_AN_OPTION],
        ["export", "--pem", KID_LIKE_AN_OPTION],
    ],
)
def test_a_kid_may_begin_like_an_option(mintkey, arguments):
    assert "KID fits no version of this ring" in mintkey("keys", *arguments).stderr


@pytest.mark.parametrize("arguments", [["-x"], ["--yess"], ["--store"], ["-yyy"], ["abcdef", "--force-it-right-now"]])
def test_what_may_be_a_slip_of_an_option_is_no_kid(mintkey, arguments):
    result = mintkey("keys", "show", *arguments)

    assert result.exit_code == 2
    assert "usage: " in result.stderr


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "PS256"])
def test_one_version_is_exported_as_pem(mintkey, answer, monkeypatch, algorithm):
    monkeypatch.setenv("MINTKEY_ALGORITHM", algorithm)
    active = answer("keys", "list")["keys"][1]

    exported = answer("keys", "export", "--pem", active["kid"][:10])
    result = mintkey("keys", "export", "--pem", active["kid"])

    assert (exported["kid"], exported["algorithm"]) == (active["kid"], algorithm)
    assert result.stdout == exported["pem"]
    key = jwk.load_pem(result.stdout, source="it", algorithm=algorithm)
    assert key.public_jwk == answer("keys", "show", active["kid"])["public_jwk"]


def test_nobody_should_verify_with_a_revoked_version(mintkey, answer):
    kid = answer("keys", "list")["keys"][1]["kid"]
    mintkey("keys", "revoke", kid, "--yes")

    result = mintkey("keys", "export", "--pem", kid)

    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{kid} is revoked: nobody should verify with it any more" in result.stderr


def test_people_are_told_what_a_revocation_does(mintkey, answer, monkeypatch):
    monkeypatch.setattr(stdin, "has_terminal", lambda: True)
    pending, active = answer("keys", "list")["keys"]

    refused = mintkey("keys", "revoke", active["kid"], stdin="n\n")
    agreed = mintkey("keys", "revoke", active["kid"], stdin="yes\n")

    assert (refused.exit_code, refused.stdout) == (2, "")
    question = f"Revoke {active['kid']} (active)? All its tokens are refused at once. [y/N] "
    assert refused.stderr == f"{question}nothing was revoked\n"
    assert (agreed.exit_code, agreed.stderr) == (0, question)
    assert f"✓ {active['kid']} is revoked, and everybody knows within 5 s\n" in agreed.stdout
    assert agreed.stdout.endswith(f"✓ {pending['kid']} signs\n")


def test_revoking_without_a_terminal_needs_a_yes(mintkey, answer):
    kid = answer("keys", "list")["keys"][1]["kid"]

    result = mintkey("keys", "revoke", kid, stdin="y\n")

    assert (result.exit_code, result.stdout) == (2, "")
    assert "give --yes" in result.stderr
    assert answer("keys", "show", kid)["state"] == "active"


def test_revoking_again_is_fine(mintkey, answer):
    kid = answer("keys", "list")["keys"][1]["kid"]

    first, second = (answer("keys", "revoke", kid, "--yes") for _ in range(2))

    assert first["signs"] == second["signs"]
    assert second["revoked"]["state"] == "revoked"


def test_a_reason_has_its_limits(mintkey, answer):
    kid = answer("keys", "list")["keys"][1]["kid"]

    result = mintkey("keys", "revoke", kid, "--yes", "--reason", "x" * 501)

    assert result.exit_code == 2
    assert "500 characters" in result.stderr


def test_what_is_past_its_time_is_dropped(mintkey, data_home, answer):
    data_home.mkdir(parents=True, mode=0o700)
    rotated_days_ago(data_home, 3)
    assert [version["state"] for version in answer("keys", "list")["keys"]] == ["pending", "active", "retired"]

    assert mintkey("keys", "prune").stdout == "✓ 1 version dropped\n"
    assert mintkey("keys", "prune").stdout == "✓ nothing to drop: no version's time is over\n"
    assert answer("keys", "prune") == {"pruned": 0}


def test_a_new_seal_key_takes_over(mintkey, answer, seal_keys, monkeypatch):
    mintkey("keys", "rotate", "--yes")
    new = mintkey("keys", "seal-key").stdout.strip()
    monkeypatch.setenv("MINTKEY_SEAL_KEYS", f"{new},{seal_keys}")

    assert mintkey("keys", "rewrap").stdout == "✓ 2 versions sealed under the first seal key\n"

    assert mintkey("keys", "rewrap").stdout.startswith("✓ nothing to do: the first seal key seals all")
    monkeypatch.setenv("MINTKEY_SEAL_KEYS", new)
    assert mintkey("token", "mint", "access", "--subject", "20").exit_code == 0
    monkeypatch.setenv("MINTKEY_SEAL_KEYS", seal_keys)
    assert mintkey("keys", "list").exit_code == 3


def test_a_seal_key_is_fresh_and_fit_for_use(mintkey, answer):
    first, second = mintkey("keys", "seal-key").stdout, answer("keys", "seal-key")["seal_key"]

    assert first.count("\n") == 1
    assert first.strip() != second
    assert Sealer([first.strip(), second])


def test_a_seal_key_needs_no_settings(mintkey, data_home, monkeypatch):
    monkeypatch.setenv("MINTKEY_STORE", "nonsense")

    assert mintkey("keys", "seal-key").exit_code == 0
    assert not data_home.exists()
