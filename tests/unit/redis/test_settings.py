"""What is taken from a client, and what is not."""

from redis.asyncio import Redis
from redis.asyncio.connection import SSLConnection, UnixDomainSocketConnection
from redis.exceptions import AuthenticationError

from mintkey.redis import settings
from mintkey.redis.settings import ConnectionSettings
from mintkey.redis.wire import is_hopeless


def test_address_credentials_and_tls_are_taken_retries_and_decoding_are_not() -> None:
    client = Redis(
        host="redis.example",
        port=1,
        username="u",
        password="p",
        ssl=True,
        db=7,
        decode_responses=True,
        socket_timeout=9,
    )
    taken = ConnectionSettings.of_pool(client.connection_pool)
    assert taken.connection_class is SSLConnection
    assert (taken.options["host"], taken.options["password"], taken.options["db"]) == ("redis.example", "p", 7)
    assert taken.options["decode_responses"] is False
    assert taken.options["socket_timeout"] is None
    assert taken.options["retry"]._retries == 0


def test_a_url_is_read_by_the_driver() -> None:
    assert ConnectionSettings.of_url("rediss://:p@redis.example:7/2").options["db"] == 2
    assert ConnectionSettings.of_url("unix:///tmp/redis.sock").connection_class is UnixDomainSocketConnection


def test_the_password_is_never_shown() -> None:
    assert "secret" not in repr(ConnectionSettings.of_url("redis://:secret@redis.example"))


def test_older_drivers_are_told_in_their_own_words_not_to_introduce_themselves(monkeypatch) -> None:
    class Old:
        def __init__(self, lib_name: str, lib_version: str) -> None: ...

    monkeypatch.setattr(settings, "AbstractConnection", Old)
    assert settings._without_introduction.__wrapped__() == {"lib_name": None, "lib_version": None}


def test_only_wrong_credentials_are_hopeless() -> None:
    assert is_hopeless(AuthenticationError())
    assert not is_hopeless(OSError())
