"""`mintkey token mint --count`: as many as somebody asks for, and no more than somebody reads."""

import json
from typing import Any

import pytest

from mintkey import MintRequest, TokenService, presets
from mintkey.cli.minting import mint_all
from mintkey.keys import MemoryKeyProvider

REQUEST: MintRequest[dict[str, Any]] = MintRequest(subject="20")


def mint(mintkey, *arguments):
    return mintkey("token", "mint", "access", *arguments)


def test_so_many_tokens_come_one_a_line(mintkey):
    result = mint(mintkey, "--subject", "20", "--count", "1030")

    tokens = result.stdout.splitlines()
    assert (result.exit_code, result.stderr) == (0, "")
    assert len(set(tokens)) == 1030
    for token in (tokens[0], tokens[-1]):
        assert mintkey("token", "verify", "access", stdin=token).exit_code == 0


def test_programs_get_one_line_of_json_for_each(mintkey):
    result = mint(mintkey, "--subject", "20", "--count", "3", "--json")

    minted = [json.loads(line) for line in result.stdout.splitlines()]
    assert (result.exit_code, result.stderr) == (0, "")
    assert [set(each) for each in minted] == [{"token", "id", "purpose", "key_id", "expires_at"}] * 3
    assert len({each["id"] for each in minted}) == 3


def test_all_of_them_say_the_same(mintkey):
    said = ["--subject", "20", "--claim", "seats=5", "--scope", "read", "--lifetime", "1m"]
    tokens = mint(mintkey, *said, "--count", "2").stdout.splitlines()

    seen = [json.loads(mintkey("token", "verify", "access", "--json", stdin=token).stdout) for token in tokens]

    for each in seen:
        del each["id"], each["issued_at"], each["expires_at"]
    assert seen[0] == seen[1]
    assert (seen[0]["claims"], seen[0]["scopes"]) == ({"seats": 5}, ["read"])


def test_what_contradicts_the_purpose_is_said_once_and_as_for_one_token(mintkey):
    one, many = mint(mintkey), mint(mintkey, "--count", "5000")

    assert (many.exit_code, many.stdout) == (2, "")
    assert many.stderr == one.stderr


@pytest.mark.parametrize("count", ["0", "-1", "many", "1.5"])
def test_how_many_is_a_whole_number_from_1(mintkey, count):
    result = mint(mintkey, "--subject", "20", "--count", count)

    assert (result.exit_code, result.stdout) == (2, "")
    assert "--count" in result.stderr


def test_the_cap_holds_for_many_too(mintkey, answer, monkeypatch):
    monkeypatch.setenv("MINTKEY_MAX_MINTS", "100")

    tokens = [
        json.loads(line)
        for line in mint(mintkey, "--subject", "20", "--count", "250", "--json").stdout.split("\n")[:-1]
    ]

    signed = [each["key_id"] for each in tokens]
    assert len(signed) == 250
    assert max(signed.count(kid) for kid in set(signed)) <= 100


async def test_nothing_is_minted_for_somebody_who_does_not_read_any_more():
    parts, told = [], []

    def emit(part):
        parts.append(len(part))
        if len(parts) == 2:
            raise BrokenPipeError

    keys = MemoryKeyProvider()
    async with TokenService(issuer="https://myapp.example", keys=keys) as service:
        with pytest.raises(BrokenPipeError):
            await mint_all(
                service, presets.ACCESS, REQUEST, 10_000, emit=emit, progress=lambda *how_far: told.append(how_far)
            )
        minted = [version.mints for version in await keys.versions()]

    assert parts == [1, 1024]
    assert told == [(1, 10_000)]
    assert sum(minted) == 1025


async def test_it_is_told_after_each_part_how_many_there_are():
    told = []

    async with TokenService(issuer="https://myapp.example", keys=MemoryKeyProvider()) as service:
        await mint_all(
            service, presets.ACCESS, REQUEST, 1500, emit=lambda part: None, progress=lambda *far: told.append(far)
        )

    assert told == [(1, 1500), (1025, 1500), (1500, 1500)]
