"""The demonstration checks what it says, and says when it is not so."""

import json
from datetime import timedelta

import pytest

from mintkey.cli.demo import stage
from mintkey.cli.demo.clock import FastClock
from mintkey.cli.outcome import BrokenPromiseError
from mintkey.clock import Clock
from mintkey.errors import ReplayStoreError
from mintkey.keys import RotationPolicy, SQLKeyProvider
from mintkey.replay import ClaimOutcome, SQLReplayStore


def test_the_clock_moves_on_command():
    clock = FastClock(1000)
    assert isinstance(clock, Clock)
    clock.forward(timedelta(minutes=1))
    assert (clock.time(), clock.monotonic()) == (1060, 60)
    clock.forward_to(clock.now() + timedelta(seconds=5))
    assert (clock.now().timestamp(), clock.monotonic()) == (1065, 65)


def test_people_see_every_promise_kept(mintkey):
    result = mintkey("demo")

    assert (result.exit_code, result.stderr) == (0, "")
    for said in (
        "the same link once more: replayed",
        "granted   1 caller",
        "refused   199 callers: replayed",
        "62 tokens so far, with 3 keys: 25 + 25 + 12",
        "refused   the same token at that key's end: key_retired",
        "▼ now",
        "✓ 13 promises kept in",
    ):
        assert said in result.stdout
    assert "\x1b" not in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_programs_get_the_figures(mintkey):
    result = mintkey("demo", "--json")

    figures = json.loads(result.stdout)
    assert (result.exit_code, result.stderr) == (0, "")
    assert (figures["ok"], figures["promises"]) == (True, 13)
    assert figures["magic_link"]["second_use"] == "replayed"
    assert figures["race"] == {"callers": 200, "winners": 1, "replayed": 199}
    assert sorted(figures["rotation_by_count"]["minted_with"].values()) == [12, 25, 25]
    assert figures["rotation_by_count"]["cap"] == 25
    assert figures["rotation_by_time"] == {
        "period_seconds": 86_400,
        "before_the_end": None,
        "at_the_end": "key_retired",
    }
    assert [version["state"] for version in figures["ring"]] == ["pending", "active", *["retired"] * 3]
    assert figures["seconds"] > 0


def test_nothing_is_left_behind(mintkey, tmp_path, monkeypatch, data_home):
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))

    mintkey("demo")

    assert list((tmp_path / "tmp").iterdir()) == []
    assert not data_home.exists()


class EverybodyWins(SQLReplayStore):
    async def claim(self, key, /, **details):
        return ClaimOutcome.ACCEPTED


class NobodyWins(SQLReplayStore):
    async def claim(self, key, /, **details):
        return ClaimOutcome.SPENT


class WinsAgainAfterAWhile(SQLReplayStore):
    calls = 0

    async def claim(self, key, /, **details):
        type(self).calls += 1
        return ClaimOutcome.ACCEPTED if type(self).calls > 2 else await super().claim(key, **details)


class Away(SQLReplayStore):
    async def claim(self, key, /, **details):
        raise ReplayStoreError("the store is away")


@pytest.mark.parametrize(
    ("store", "code", "said"),
    [
        (EverybodyWins, 1, "broken_promise: promised: a second use is refused as replayed; found: None"),
        (NobodyWins, 1, "replayed: the token was spent before"),
        (WinsAgainAfterAWhile, 1, "broken_promise: promised: of 200 callers exactly one wins; found: 200 granted"),
        (Away, 3, "replay_unavailable: the store is away"),
    ],
)
def test_a_store_that_breaks_a_promise_is_found_out(mintkey, monkeypatch, store, code, said):
    monkeypatch.setattr(stage, "SQLReplayStore", store)

    result = mintkey("demo")

    assert result.exit_code == code
    assert f"mintkey: {said}" in result.stderr


def test_programs_hear_of_a_broken_promise_too(mintkey, monkeypatch):
    monkeypatch.setattr(stage, "SQLReplayStore", EverybodyWins)

    result = mintkey("demo", "--json")

    assert (result.exit_code, result.stdout) == (1, "")
    assert json.loads(result.stderr)["error"]["reason"] == "broken_promise"


class NeverRotates(SQLKeyProvider):
    def __init__(self, url, /, *, policy, **settings):
        super().__init__(url, policy=RotationPolicy(every=None), **settings)


class CountsPerProcess(SQLKeyProvider):
    def __init__(self, url, /, *, policy, **settings):
        super().__init__(url, policy=RotationPolicy(max_mints=30), **settings)


class NeverRotatesByTime(SQLKeyProvider):
    def __init__(self, url, /, *, policy, **settings):
        super().__init__(
            url, policy=RotationPolicy(every=None, max_mints=25, previous_ttl=policy.previous_ttl), **settings
        )


class EndsTooEarly(SQLKeyProvider):
    @property
    def max_token_age(self):
        return timedelta(days=1)

    def __init__(self, url, /, *, policy, **settings):
        policy = RotationPolicy(every=policy.every, max_mints=25, previous_ttl=timedelta(hours=4))
        super().__init__(url, policy=policy, **settings)


class EndsTooLate(SQLKeyProvider):
    def __init__(self, url, /, *, policy, **settings):
        policy = RotationPolicy(every=policy.every, max_mints=25, previous_ttl=timedelta(hours=13))
        super().__init__(url, policy=policy, **settings)


@pytest.mark.parametrize(
    ("provider", "said"),
    [
        (NeverRotates, "no key signs more than 25 tokens; found: 62"),
        (CountsPerProcess, "no key signs more than 25 tokens; found: 30 +"),
        (NeverRotatesByTime, "then its successor takes over; found: the old key"),
        (EndsTooEarly, "tokens of previous keys are still good"),
        (EndsTooLate, "the old key ends previous_ttl later"),
    ],
)
def test_keys_that_break_a_promise_are_found_out(mintkey, monkeypatch, provider, said):
    monkeypatch.setattr(stage, "SQLKeyProvider", provider)

    result = mintkey("demo")

    assert result.exit_code == 1, result.stderr
    assert result.stderr.startswith("mintkey: broken_promise: promised: ")
    assert said in result.stderr


def test_a_broken_promise_names_what_was_found():
    played = stage.Stage((), FastClock(0))

    played.promise("one", kept=True, found="one")
    with pytest.raises(BrokenPromiseError, match="promised: one; found: two"):
        played.promise("one", kept=False, found="two")
    assert played.kept == 1
