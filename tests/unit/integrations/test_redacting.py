"""Access logs without tokens: what is left out, what stays, and in which records."""

import logging
import logging.config
from collections.abc import Mapping
from datetime import timedelta
from time import process_time
from typing import Any

import pytest

from mintkey import ConfigurationError, Purpose, TokenService
from mintkey.integrations.logging import RedactTokens
from mintkey.keys import MemoryKeyProvider
from mintkey.keys.base import Algorithm

SESSION = Purpose("session", lifetime=timedelta(hours=1))
JWS = "eyJhbGciOiJFZERTQSIsImtpZCI6ImsxIn0.eyJzdWIiOiIyMCJ9.c2lnbmF0dXJlLXNpZ25hdHVyZQ"
UVICORN = '%s - "%s %s HTTP/%s" %d'
GUNICORN = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'


def said(message: str, *args: object, redacting: RedactTokens | None = None) -> str:
    record = logging.LogRecord("access", logging.INFO, __file__, 1, message, args, None)
    assert (redacting or RedactTokens()).filter(record)
    return record.getMessage()


class Atoms(dict[str, object]):
    """As gunicorn and hypercorn have them: what is missing is a dash, headers are found in any case."""

    def __getitem__(self, name: str) -> object:
        return self.get(name.lower() if name.startswith("{") else name, "-")


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/magic?token=opaque", "/magic?token=[redacted]"),
        (f"/magic?token={JWS}", "/magic?token=[redacted]"),
        (f"/magic?token={JWS}&next=%2Finbox", "/magic?token=[redacted]&next=%2Finbox"),
        ("/magic?next=%2Finbox&token=opaque", "/magic?next=%2Finbox&token=[redacted]"),
        ("/magic?TOKEN=opaque;a=b", "/magic?TOKEN=[redacted];a=b"),
        ("/news?access_token=a&id_token=b", "/news?access_token=[redacted]&id_token=[redacted]"),
        ("/a?token=one&token=two", "/a?token=[redacted]&token=[redacted]"),
        ("/a?token%3Dopaque", "/a?token%3D[redacted]"),
        ("/login?next=%2Fmagic%3Ftoken%3Dopaque", "/login?next=%2Fmagic%3Ftoken%3D[redacted]"),
        (f"/login?next=%2Freset%2F{JWS}", "/login?next=%2Freset%2F[redacted]"),
        (f"/reset/{JWS}", "/reset/[redacted]"),
        (f"/reset/{JWS}/done", "/reset/[redacted]/done"),
        (f"/t?t%6Fken={JWS}", "/t?t%6Fken=[redacted]"),
        (f"/reset/{JWS.replace('.', '%2E')}?a=b", "/reset/[redacted]?a=b"),
        (f"/reset/{JWS.rpartition('.')[0]}", "/reset/[redacted]"),  # half a link
        (f"/state?state={JWS}.key.iv", "/state?state=[redacted]"),  # a JWE has two more
    ],
)
def test_what_is_left_out(path: str, shown: str) -> None:
    assert said(UVICORN, "10.0.0.7:4711", "GET", path, "1.1", 200) == f'10.0.0.7:4711 - "GET {shown} HTTP/1.1" 200'


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/magic?token=",
        "/tokens?limit=20&offset=40",
        "/token/list?q=a=b",
        "/eyJ.html",
        "/articles/eyJustlikethat-but-no-dot-behind-it",
        "/keyJhbGciOiJFZERTQSIsImtpZCI6ImsxIn0.eyJzdWIiOiIyMCJ9",
        "/eyewitness-reports-of-2026.html?page=2",
        "/download/mintkey-1.0.0.tar.gz",
    ],
)
def test_what_stays(path: str) -> None:
    assert said(UVICORN, "10.0.0.7:4711", "GET", path, "1.1", 200) == f'10.0.0.7:4711 - "GET {path} HTTP/1.1" 200'


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "HS256"])
async def test_every_token_of_ours_is_known_without_a_name(algorithm: Algorithm) -> None:
    async with TokenService(issuer="https://i.example", keys=MemoryKeyProvider(algorithm=algorithm)) as tokens:
        token = await tokens.mint(SESSION, subject="20")
    assert said(f"somebody sent {token}, and went") == "somebody sent [redacted], and went"
    assert said("somebody sent %s, and went", token) == "somebody sent [redacted], and went"


class TestRecords:
    """As servers make them."""

    def test_uvicorns_formatter_gets_five_arguments_of_their_kind(self) -> None:
        record = logging.LogRecord("a", 20, "", 1, UVICORN, ("c", "GET", "/magic?token=x", "1.1", 200), None)
        RedactTokens().filter(record)
        assert record.args == ("c", "GET", "/magic?token=[redacted]", "1.1", 200)

    def test_atoms_by_name(self) -> None:
        atoms = Atoms({
            "h": "10.0.0.7",
            "r": "GET /magic?token=opaque HTTP/1.1",
            "s": 200,
            "f": f"https://app.example/reset/{JWS}",
            "{cookie}i": f"__Host-session={JWS}",
            "q": "token=opaque&a=b",
        })  # fmt: skip
        shown = '10.0.0.7 - - - "GET /magic?token=[redacted] HTTP/1.1" 200 - "https://app.example/reset/[redacted]" "-"'
        assert said(GUNICORN, atoms) == shown
        assert said("%({Cookie}i)s %({X-No}i)s %(q)s", atoms) == "__Host-session=[redacted] - token=[redacted]&a=b"
        assert atoms["q"] == "token=opaque&a=b"  # theirs are left alone

    def test_a_formatter_that_asks_for_atoms_itself_gets_no_token_either(self) -> None:
        record = logging.LogRecord("a", 20, "", 1, GUNICORN, (Atoms({"q": "token=opaque", "s": 200}),), None)
        RedactTokens().filter(record)
        args: Any = record.args
        assert isinstance(args, Mapping)
        assert dict(args) == {"q": "token=[redacted]", "s": 200}
        assert len(args) == 2
        assert args.get("q") == "token=[redacted]"

    def test_a_message_without_arguments(self) -> None:
        assert said("GET /magic?token=opaque 100%") == "GET /magic?token=[redacted] 100%"

    def test_what_is_no_text_stays(self) -> None:
        error = ValueError("no text")
        record = logging.LogRecord("a", 20, "", 1, error, None, None)
        RedactTokens().filter(record)
        assert record.msg is error
        assert said("%s %r", ("10.0.0.7", 4711), None) == "('10.0.0.7', 4711) None"

    def test_a_filter_of_the_logger_and_one_of_a_handler(self) -> None:
        record = logging.LogRecord("a", 20, "", 1, UVICORN, ("c", "GET", f"/m?token={JWS}", "1.1", 200), None)
        for _ in range(2):
            assert RedactTokens().filter(record)
            assert record.getMessage() == 'c - "GET /m?token=[redacted] HTTP/1.1" 200'


class TestSettings:
    def test_other_parameters(self) -> None:
        redacting = RedactTokens(["ticket", "c.d"])
        shown = said(f"/a?ticket=x&Ticket=x&c.d=x&cXd=y&token=z&s={JWS}", redacting=redacting)
        assert shown == "/a?ticket=[redacted]&Ticket=[redacted]&c.d=[redacted]&cXd=y&token=z&s=[redacted]"

    def test_none(self) -> None:
        assert said(f"/a?token=x&s={JWS}", redacting=RedactTokens([])) == "/a?token=x&s=[redacted]"

    @pytest.mark.parametrize("parameters", ["token", ["token", ""]])
    def test_what_would_find_nothing_or_all_is_refused(self, parameters: Any) -> None:
        with pytest.raises(ConfigurationError, match="parameters must be several names"):
            RedactTokens(parameters)

    def test_in_a_configuration(self, capsys: pytest.CaptureFixture[str]) -> None:
        """As for `uvicorn --log-config`."""
        name = "mintkey.tests.access"
        logging.config.dictConfig({
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {"tokens": {"()": "mintkey.integrations.logging.RedactTokens", "parameters": ["token"]}},
            "handlers": {"out": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout"}},
            "loggers": {name: {"handlers": ["out"], "filters": ["tokens"], "propagate": False, "level": "INFO"}},
        })  # fmt: skip
        logger = logging.getLogger(name)
        logger.info("GET %s", "/magic?token=opaque")
        logger.handlers.clear()
        assert capsys.readouterr().out == "GET /magic?token=[redacted]\n"


HOSTILE = [
    "eyJ",
    "token=",
    "%3D",
    "%3DeyJ",
    "eyJaaaaaaaaaaaa.",
    "-token",
    "eyJaaaaaaaaaaaa%2E",
    "token",
    "e%20eyJa",
    ".",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_long_line_takes_no_longer_than_its_length(piece: str) -> None:
    """Whoever asks for an address must not be able to keep the server busy with writing it down."""
    redacting, text = RedactTokens(), piece * (500_000 // len(piece))
    began = process_time()
    redacting.redacted(text)
    assert process_time() - began < 1  # a hundredth of what one comparison for each pair of characters would take
