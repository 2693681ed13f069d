"""What follows the host in a URL: refused at once where the driver would misread it, or choke on it later."""

import ssl
import traceback

import pytest

from mintkey.errors import ConfigurationError
from mintkey.redis.parameters import problems_of
from mintkey.redis.sources import topology_of


@pytest.mark.parametrize(
    "url",
    [
        # The driver takes the first two for database 0, and the third for database 12.
        *(f"{scheme}://:secret@one/{path}" for scheme in ("redis", "rediss") for path in ("tokens", "1x", "1/2", "1/")),
        # An argument that no connection has is a TypeError as soon as there is a connection to make.
        *(f"redis{kind}?secret=secret" for kind in ("://one", "+cluster://one", "+sentinel://one/main")),
        "unix://:secret@/run/redis.sock?host=secret",
        "redis://:secret@one?path=/secret",
        "rediss://:secret@one?ssl_cert_reqs=secret",
    ],
)
def test_what_the_driver_would_misread_is_refused_without_showing_any_of_it(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        topology_of(url)
    assert "secret" not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None


@pytest.mark.parametrize("url", ["redis://one", "redis://one/", "redis://one/15", "redis://one?db=15", "unix:///a/b/c"])
def test_a_database_is_a_number_or_left_out(url: str) -> None:
    topology_of(url)


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("socket_timeout=secret", "socket_timeout is not of the type that it should be"),
        ("db=secret", "db is not of the type that it should be"),
        ("db=-1", "db must be a number from 0 on"),
        ("health_check_interval=secret", "health_check_interval is not of the type"),
        ("redis_connect_func=secret", "redis_connect_func is nothing that a URL can say"),
        ("credential_provider=secret", "a parameter is none of|credential_provider is nothing that a URL can say"),
        ("socket_keepalive_options=secret", "socket_keepalive_options is nothing that a URL can say"),
        ("socket_type=secret", "socket_type is nothing that a URL can say"),
        ("client_name=secret%20name", "client_name must be 1 to 128 visible characters"),
        ("encoding=secret", "encoding must be"),
        ("encoding=utf-16", "encoding must be an encoding of texts in which commands look as in ASCII"),
        ("encoding_errors=secret", "encoding_errors must be the name of an error handler"),
        ("client_name=secret%20name&db=-1", "client_name must be .*; db must be"),
    ],
)
@pytest.mark.parametrize("place", ["redis://:secret@one", "rediss+cluster://:secret@one", "redis+sentinel://one/main"])
def test_what_is_not_what_it_should_be_is_named_and_not_shown(place: str, query: str, problem: str) -> None:
    """At once, and not by the first call of a service that started well."""
    with pytest.raises(ConfigurationError, match=problem) as caught:
        topology_of(f"{place}?{query}")
    assert "secret" not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("ssl_ciphers=secret", "ssl_ciphers must be a list of ciphers"),
        ("ssl_ciphers=ECDHE%2BAESGCM", ""),
        ("ssl_cert_reqs=none&ssl_ca_certs=/not/read/yet.pem", ""),
    ],
)
def test_so_is_what_concerns_tls(query: str, problem: str) -> None:
    if problem:
        with pytest.raises(ConfigurationError, match=problem):
            topology_of(f"rediss://one?{query}")
    else:
        topology_of(f"rediss://one?{query}")


@pytest.mark.parametrize("version", [5, ssl.TLSVersion.TLSv1_2])
def test_a_version_of_tls_is_one_that_there_is(version: int) -> None:
    """Drivers that take it from a URL make a number of it, and others nothing at all."""
    problems = problems_of({"ssl_min_version": version})
    assert bool(problems) is (version == 5)


@pytest.mark.parametrize(
    "query",
    [
        "username=&password=",
        "client_name=mint&encoding=utf-8&encoding_errors=strict",
        "socket_timeout=3&socket_connect_timeout=1&retry_on_timeout=yes&max_connections=7&protocol=3",
        "socket_keepalive=yes&health_check_interval=30&decode_responses=yes",
    ],
)
def test_what_other_clients_are_told_by_the_same_url_is_borne(query: str) -> None:
    topology_of(f"redis://one?{query}")
