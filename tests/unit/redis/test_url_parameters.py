"""What follows the host in a URL: refused at once where the driver would misread it, or choke on it later."""

import traceback

import pytest

from mintkey.errors import ConfigurationError
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
