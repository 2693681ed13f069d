"""Keys at rest in Redis: no private key in any form in the dump of a real server, and no way to slip one in."""

from collections.abc import Iterator
from pathlib import Path

import anyio.to_thread
import pytest

from mintkey.errors import KeyProviderError
from mintkey.keys.redis import RedisKeyProvider
from mintkey.keys.sealing import Plaintext, Sealer
from tests.security.test_at_rest import KEK, everything_in, private_forms, private_half, spellings
from tests.security.test_sql_at_rest import POLICY, SEALER, RecordingCustodian
from tests.support.servers import RedisServer, running


@pytest.fixture(params=["valkey", "redis"])
def dumping(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RedisServer]:
    """A server whose dump can be read: not compressed, in a directory of its own."""
    with running(request.param, "--rdbcompression", "no", "--dir", str(tmp_path), "--appendonly", "yes") as server:
        yield server


async def dump(server: RedisServer, directory: Path) -> bytes:
    await server.send("SAVE")
    content = everything_in(directory)
    assert (directory / "dump.rdb").stat().st_size > 0
    return content


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "RS256", "HS256"])
async def test_a_dump_holds_no_private_key_in_any_form(dumping: RedisServer, tmp_path: Path, algorithm) -> None:
    """Nor does the log of everything that was ever written."""
    custodian = RecordingCustodian(SEALER)
    async with RedisKeyProvider(dumping.url, custodian=custodian, algorithm=algorithm, policy=POLICY) as provider:
        for _ in range(3):
            grant = await provider.acquire()
            await grant.key.sign(b"something")
            await provider.rotate()
    content = await dump(dumping, tmp_path)
    assert len(custodian.made) == 5
    assert custodian.made[-1].kid.encode() in content
    assert b"PRIVATE" not in content
    for material in custodian.made:
        assert not any(form in content for form in private_forms(private_half(material, SEALER)))
    for spelling in spellings(KEK):
        assert spelling not in content


async def test_the_search_would_find_a_key(dumping: RedisServer, tmp_path: Path) -> None:
    custodian = RecordingCustodian(Plaintext())
    async with RedisKeyProvider(dumping.url, custodian=custodian, policy=POLICY) as provider:
        await provider.acquire()
    content = await dump(dumping, tmp_path)
    for material in custodian.made:
        assert any(form in content for form in private_forms(private_half(material, Plaintext())))


async def test_a_document_that_was_written_past_us_is_refused_and_left_alone(valkey: RedisServer) -> None:
    async with RedisKeyProvider(valkey.url, sealer=SEALER, policy=POLICY) as provider:
        kid = (await provider.acquire()).key.kid
        key, field, document = await anyio.to_thread.run_sync(where_the_document_is, valkey)
        forged = document.replace('"revoked_because":""', '"revoked_because":"!"')
        assert forged != document
        await valkey.send("HSET", key, field, forged)
        async with RedisKeyProvider(valkey.url, sealer=SEALER, policy=POLICY) as fresh:
            with pytest.raises(KeyProviderError, match="does not pass its seal"):
                await fresh.acquire()
        assert (await provider.resolve(kid)).kid == kid
        assert await valkey.send("HGET", key, field) == forged
    async with RedisKeyProvider(valkey.url, sealer=Sealer([bytes(32)]), policy=POLICY) as other:
        with pytest.raises(KeyProviderError, match="does not pass its seal"):
            await other.acquire()


def where_the_document_is(server: RedisServer) -> tuple[str, str, str]:
    """Key, field and value, found by looking."""
    for key in server.command("KEYS", "*"):
        if server.command("TYPE", key) == "hash":
            for field, value in server.command("HGETALL", key).items():
                if value.startswith("mintkey-sealed-ring-1 "):
                    return key, field, value
    raise AssertionError("no sealed document in the server")
