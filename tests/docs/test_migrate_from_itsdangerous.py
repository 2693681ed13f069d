"""Links of itsdangerous stay valid while new ones are made here: the guide's code, beside the real itsdangerous."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import itsdangerous
import pytest

import mintkey
from mintkey import InvalidTokenError, TokenReplayedError, TokenService
from mintkey.keys import Sealer
from tests.docs.page import Page

PAGE = Page("migrate-from-itsdangerous")
SECRET = "a secret of many years"
LATER = datetime.now(UTC) + timedelta(hours=1)


@pytest.fixture(scope="module")
def guide() -> SimpleNamespace:
    return SimpleNamespace(**PAGE.names())


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'app.db'}"


@pytest.fixture
async def tokens(guide: SimpleNamespace, url: str) -> AsyncIterator[TokenService]:
    async with guide.service(url, Sealer.generate_key()) as tokens:
        yield tokens


async def test_both_kinds_of_links_are_accepted(guide: Any, tokens: TokenService) -> None:
    before, after = guide.old_token(SECRET, "20"), await guide.token_for(tokens, "21")
    assert guide.old_user(SECRET, before) == "20"
    assert await guide.is_good(tokens, after)
    users = [await guide.user_of_both(tokens, token, secret=SECRET, until=LATER) for token in (before, after)]
    assert users == ["20", "21"]


async def test_only_new_links_are_used_once(guide: Any, tokens: TokenService) -> None:
    before, after = guide.old_token(SECRET, "20"), await guide.token_for(tokens, "21")
    for _ in range(2):
        assert await guide.user_of_both(tokens, before, secret=SECRET, until=LATER) == "20"
    assert await guide.user_of(tokens, after) == "21"
    with pytest.raises(TokenReplayedError):
        await guide.user_of_both(tokens, after, secret=SECRET, until=LATER)


class _Earlier(itsdangerous.TimestampSigner):
    def get_timestamp(self) -> int:
        return super().get_timestamp() - 601


async def test_what_is_no_good_old_link_is_refused_as_any_other(guide: Any, tokens: TokenService) -> None:
    good = guide.old_token(SECRET, "20")
    expired = itsdangerous.URLSafeTimedSerializer(SECRET, salt="magic-login", signer=_Earlier).dumps({"user": "20"})
    other_salt = itsdangerous.URLSafeTimedSerializer(SECRET, salt="reset").dumps({"user": "20"})
    hostile = ["", ".", "..", "a.b.c", good[:-2], f".{good}", "é", "\ud800", "." * 100, f"{good}.{good}"]
    for token in [expired, other_salt, guide.old_token("another secret", "20"), *hostile]:
        with pytest.raises(InvalidTokenError) as caught:
            await guide.user_of_both(tokens, token, secret=SECRET, until=LATER)
        assert caught.value.reason in {"malformed", "header_unsupported"}


async def test_the_door_closes_by_itself(guide: Any, tokens: TokenService) -> None:
    with pytest.raises(InvalidTokenError):
        await guide.user_of_both(
            tokens, guide.old_token(SECRET, "20"), secret=SECRET, until=datetime.now(UTC) - timedelta(seconds=2)
        )


async def test_a_payload_that_looks_like_a_header_is_no_way_round(guide: Any, tokens: TokenService) -> None:
    """Both have three parts. The first of an old link is its payload, which a user may have chosen."""
    kid = (await guide.token_for(tokens, "20")).key_id
    disguised = itsdangerous.URLSafeTimedSerializer(SECRET, salt="magic-login").dumps(
        {"alg": "EdDSA", "kid": kid, "typ": "magic-login+jwt"}
    )
    with pytest.raises(InvalidTokenError):
        await guide.user_of_both(tokens, disguised, secret=SECRET, until=LATER)


def test_code_that_is_not_async(guide: Any, url: str) -> None:
    tokens = guide.service(url, Sealer.generate_key())
    with guide.portal_of(tokens) as portal:
        token = portal.call(guide.token_for, tokens, "20")
        assert guide.user_of_link(portal, tokens, token) == "20"
        with pytest.raises(TokenReplayedError):
            guide.user_of_link(portal, tokens, token)


async def test_the_lengths_are_those_of_the_table(guide: Any, tokens: TokenService) -> None:
    (before, after) = next(
        [int(re.findall(r"\d+", cell)[0]) for cell in cells]
        for what, *cells in PAGE.rows("What is different")
        if what.startswith("length")
    )
    assert len(guide.old_token(SECRET, "20")) == pytest.approx(before, rel=0.1)
    assert len(await guide.token_for(tokens, "20")) == pytest.approx(after, rel=0.1)


def test_every_name_of_the_first_table_exists() -> None:
    rows = PAGE.rows("What it is called here")[1:]
    for theirs, ours in rows:
        for name in re.findall(r"`(\w+)[`(]", theirs):
            assert hasattr(itsdangerous, name) or hasattr(itsdangerous.Serializer, name), name
        for name in re.findall(r"`([A-Z]\w+)[`(]", ours):
            assert hasattr(mintkey, name), name


def test_the_page_is_short() -> None:
    assert len(PAGE.text.splitlines()) < 200
