"""`mintkey token`: mint, verify, peek, revoke and inspect."""

import json
import re
from datetime import UTC, datetime, timedelta

import anyio
import pytest

from mintkey import TokenService, presets
from mintkey.cli.seal_file import sealer_beside
from mintkey.testing import FakeClock


@pytest.fixture
def mint(mintkey):
    def mint(*arguments):
        result = mintkey("token", "mint", *arguments)
        assert result.exit_code == 0, result.output
        return result.stdout

    return mint


def refused(result):
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    return result.stderr.split(": ")[1]


def test_stdout_is_the_token_alone(mintkey):
    result = mintkey("token", "mint", "magic-link", "--subject", "20")

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.count(".") == 2
    assert result.stdout.count("\n") == 1
    assert result.stdout.endswith("\n")


def test_programs_get_what_is_known_about_the_token(mint):
    minted = json.loads(mint("magic-link", "--subject", "20", "--json"))

    assert set(minted) == {"token", "id", "purpose", "key_id", "expires_at"}
    assert minted["purpose"] == "magic-link"


def test_everything_that_was_minted_is_found(mint, mintkey, monkeypatch):
    monkeypatch.setenv("MINTKEY_AUDIENCE", "web")
    token = mint("invite", "--lifetime", "1h", "--subject", "20", "--claim", 'plan="pro"', "--claim", "seats=5",
                 "--scope", "read", "--scope", "write", "--single-use", "--typ", "i+jwt")  # fmt: skip

    same = ["invite", "--lifetime", "1h", "--single-use", "--typ", "i+jwt"]
    result = mintkey("token", "verify", *same, "--json", stdin=token)

    found = json.loads(result.stdout)
    assert (result.exit_code, result.stderr) == (0, "")
    lifetime = datetime.fromisoformat(found["expires_at"]) - datetime.fromisoformat(found["issued_at"])
    assert lifetime == timedelta(hours=1)
    del found["id"], found["key_id"], found["issued_at"], found["expires_at"]
    assert found == {
        "purpose": "invite",
        "subject": "20",
        "issuer": "https://myapp.example",
        "audience": ["web"],
        "scopes": ["read", "write"],
        "claims": {"plan": "pro", "seats": 5},
        "spent": True,
    }


@pytest.mark.parametrize("name", presets.__all__)
def test_every_preset_works(mint, mintkey, name):
    purpose = getattr(presets, name).name

    token = mint(purpose, "--subject", "20", "--audience", "web")

    assert mintkey("token", "verify", purpose, "--audience", "web", stdin=token).exit_code == 0


def test_a_single_use_token_is_verified_once(mint, mintkey):
    token = mint("magic-link", "--subject", "20")

    first = mintkey("token", "verify", "magic-link", stdin=token)
    second = mintkey("token", "verify", "magic-link", stdin=token)

    assert first.exit_code == 0
    assert first.stdout.startswith("✓ verified and spent")
    assert refused(second) == "replayed"


def test_a_token_for_many_uses_is_verified_many_times(mint, mintkey):
    token = mint("access", "--subject", "20")

    for _ in range(2):
        result = mintkey("token", "verify", "access", stdin=token)
        assert result.exit_code == 0
        assert result.stdout.startswith("✓ verified\n")
        assert "spent" not in result.stdout


def test_peeking_spends_nothing(mint, mintkey):
    token = mint("magic-link", "--subject", "20", "--claim", 'email="alice@example.com"')

    for _ in range(2):
        result = mintkey("token", "peek", "magic-link", stdin=token)
        assert result.exit_code == 0
        assert result.stdout.startswith("✓ good, and nothing was spent\n")
        assert 'claim email  "alice@example.com"' in result.stdout
        assert json.loads(mintkey("token", "peek", "magic-link", "--json", stdin=token).stdout)["spent"] is False
    mintkey("token", "verify", "magic-link", stdin=token)
    assert refused(mintkey("token", "peek", "magic-link", stdin=token)) == "replayed"


def test_why_a_token_is_refused(mint, mintkey):
    token = mint("access", "--subject", "20", "--scope", "read", "--audience", "web")

    def verify(*arguments, stdin=token):
        return mintkey("token", "verify", *arguments, stdin=stdin)

    head, body, _ = token.split(".")
    assert refused(verify("refresh", "--audience", "web")) == "purpose_mismatch"
    assert refused(verify("access", "--audience", "app")) == "audience_mismatch"
    assert refused(verify("access", "--audience", "web", "--issuer", "other")) == "issuer_mismatch"
    assert refused(verify("access", "--audience", "web", "--scope", "write")) == "insufficient_scope"
    assert refused(verify("access", "--audience", "web", stdin=f"{head}.{body}.{'A' * 86}")) == "signature_invalid"


def test_a_token_of_another_store_is_unknown_here(mint, mintkey, tmp_path):
    token = mint("access", "--subject", "20")

    result = mintkey("token", "verify", "access", "--store", f"sqlite:///{tmp_path}/other.db", stdin=token)

    assert refused(result) == "key_unknown"
    assert "was it minted with this --store?" in result.stderr


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "malformed"),
        (b"\n\n", "malformed"),
        (b"nonsense", "malformed"),
        (bytes(range(256)), "malformed"),
        (b"\x00" * 1000, "malformed"),
        ("é.é.é".encode(), "malformed"),
        (b"a" * 16_385, "too_large"),
    ],
)
@pytest.mark.parametrize("command", ["verify", "peek", "inspect"])
def test_hostile_stdin_is_refused(mintkey, command, content, reason):
    assert refused(mintkey("token", command, "magic-link", stdin=content)) == reason


@pytest.mark.parametrize("command", ["verify", "peek", "revoke", "inspect"])
def test_of_several_tokens_none_is_taken(mint, mintkey, command):
    tokens = mint("magic-link", "--count", "2")

    result = mintkey("token", command, "magic-link", stdin=tokens)

    assert refused(result) == "malformed"
    assert "give one token at a time" in result.stderr
    for token in tokens.split():
        assert mintkey("token", "verify", "magic-link", stdin=token).exit_code == 0


def test_refusals_are_json_for_programs(mintkey):
    result = mintkey("token", "verify", "access", "--json", stdin="a.b.c")

    assert (result.exit_code, result.stdout) == (1, "")
    error = json.loads(result.stderr)["error"]
    assert (set(error), error["reason"]) == ({"reason", "message", "retryable"}, "malformed")


def test_all_mistakes_of_a_mint_are_named_at_once(mintkey, monkeypatch):
    monkeypatch.delenv("MINTKEY_ISSUER")

    result = mintkey("token", "mint", "invite", "--claim", "plan=pro", "--store", "")

    assert (result.exit_code, result.stdout) == (2, "")
    for named in ("--store", "MINTKEY_ISSUER", "MINTKEY_LIFETIME", "--claim plan"):
        assert named in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["magic-link", "--lifetime", "1h"], "longer than the purpose's"),
        (["access"], "missing: sub"),
        (["service", "--subject", "20", "--claim", 'iss="x"'], "registered claims: iss"),
        (["service", "--subject", "20", "--scope", "a b"], "scopes must be words"),
        (["invite", "--lifetime", "7d"], "previous_ttl"),
    ],
)
def test_what_contradicts_a_purpose_is_not_minted(mintkey, arguments, said):
    result = mintkey("token", "mint", *arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


def test_a_shorter_lifetime_than_that_of_a_preset_is_fine(mint):
    minted = json.loads(mint("magic-link", "--lifetime", "1m", "--json"))

    left = datetime.fromisoformat(minted["expires_at"]) - datetime.now(UTC)
    assert timedelta(0) < left <= timedelta(minutes=1)


def test_verifying_and_peeking_need_an_issuer(mintkey, monkeypatch):
    monkeypatch.delenv("MINTKEY_ISSUER")

    for command in ("verify", "peek"):
        result = mintkey("token", command, "access", stdin="a.b.c")
        assert result.exit_code == 2
        assert "MINTKEY_ISSUER" in result.stderr


def test_a_revoked_token_is_refused_and_may_be_revoked_again(mint, mintkey):
    token = mint("magic-link", "--subject", "20")

    revoked = mintkey("token", "revoke", "magic-link", stdin=token)
    again = mintkey("token", "revoke", "magic-link", "--json", stdin=token)

    assert (revoked.exit_code, revoked.stderr) == (0, "")
    assert revoked.stdout == "✓ revoked: it is refused everywhere from now on\n"
    assert json.loads(again.stdout) == {"purpose": "magic-link", "revoked": True}
    assert refused(mintkey("token", "verify", "magic-link", stdin=token)) == "revoked"
    assert refused(mintkey("token", "peek", "magic-link", stdin=token)) == "revoked"


def test_a_revocable_purpose_of_ones_own(mint, mintkey):
    token = mint("invite", "--lifetime", "1h", "--revocable")

    assert mintkey("token", "verify", "invite", "--revocable", stdin=token).exit_code == 0
    assert mintkey("token", "revoke", "invite", "--revocable", stdin=token).exit_code == 0
    assert refused(mintkey("token", "verify", "invite", "--revocable", stdin=token)) == "revoked"


def test_only_who_holds_the_token_revokes_it(mint, mintkey):
    token = mint("magic-link", "--subject", "20")
    head, body, _ = token.split(".")

    forged = mintkey("token", "revoke", "magic-link", stdin=f"{head}.{body}.{'A' * 86}")

    assert refused(forged) == "signature_invalid"
    assert mintkey("token", "verify", "magic-link", stdin=token).exit_code == 0


def test_what_keeps_no_marks_cannot_be_revoked(mint, mintkey):
    result = mintkey("token", "revoke", "access", stdin=mint("access", "--subject", "20"))

    assert (result.exit_code, result.stdout) == (2, "")


def test_a_token_of_another_ring_is_unknown(mint, mintkey):
    token = mint("access", "--subject", "20", "--ring", "a")

    assert mintkey("token", "verify", "access", "--ring", "a", stdin=token).exit_code == 0
    assert refused(mintkey("token", "verify", "access", "--ring", "b", stdin=token)) == "key_unknown"


def test_inspecting_needs_no_setting_and_no_store(mint, mintkey, data_home, monkeypatch):
    token = mint("magic-link", "--subject", "alice", "--claim", "plan=5")
    monkeypatch.delenv("MINTKEY_ISSUER")
    monkeypatch.setenv("MINTKEY_STORE", "nonsense")

    result = mintkey("token", "inspect", stdin=token)

    assert result.exit_code == 0
    assert result.stdout.startswith("NOT VERIFIED: ")
    assert '"magic-link+jwt"' in result.stdout
    assert "iss (text), sub (text)" in result.stdout
    assert "plan (number)" in result.stdout
    assert "(in 9 min" in result.stdout
    assert "alice" not in result.stdout


def test_inspecting_says_whether_the_typ_is_that_of_a_purpose(mint, mintkey):
    token = mint("magic-link")

    assert "typ fits    yes" in mintkey("token", "inspect", "magic-link", stdin=token).stdout
    assert "typ fits    no, it was minted for another" in mintkey("token", "inspect", "access", stdin=token).stdout
    own = mintkey("token", "inspect", "own", "--typ", "magic-link+jwt", stdin=token)
    assert "typ fits    yes" in own.stdout
    assert mintkey("token", "inspect", "No Name", stdin=token).exit_code == 2


def test_what_was_inspected_says_to_programs_that_it_was_not_verified(mint, mintkey):
    result = mintkey("token", "inspect", "magic-link", "--json", stdin=mint("magic-link", "--subject", "20"))

    found = json.loads(result.stdout)
    assert (found["verified"], found["typ_fits"]) == (False, True)
    assert found["warning"].startswith("NOT VERIFIED")
    assert set(found) == {"verified", "warning", "header", "claims", "issued_at", "expires_at", "typ_fits"}
    assert found["claims"] == {"iss": "text", "sub": "text", "iat": "number", "exp": "number", "jti": "text"}


def test_a_forged_token_is_inspected_but_steers_nothing(mintkey):
    forged = "eyJhbGciOiJub25lIiwieCI6Ilx1MDAxYlsySiJ9.e30."  # {"alg":"none","x":"\u001b[2J"} and {}

    result = mintkey("token", "inspect", stdin=forged)

    assert result.exit_code == 0
    assert "\x1b" not in result.stdout
    assert "claims      none" in result.stdout


def test_a_token_of_yesterday_is_expired(mintkey, data_home):
    mintkey("keys", "list")
    database = data_home / "mintkey.db"
    yesterday = FakeClock(datetime.now(UTC) - timedelta(minutes=30))
    service = TokenService.from_url(
        f"sqlite:///{database}", issuer="https://myapp.example", sealer=sealer_beside(database), clock=yesterday
    )

    async def mint():
        async with service:
            return await service.mint(presets.ACCESS, subject="20")

    token = anyio.run(mint)

    assert refused(mintkey("token", "verify", "access", stdin=token)) == "expired"
    assert re.search(r"expires .* \(20 min.* ago\)", mintkey("token", "inspect", stdin=token).stdout)
