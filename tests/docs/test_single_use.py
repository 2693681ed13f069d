"""`docs/explanation/single-use.md`: what its code does to a token, when the work succeeds and when it fails."""

import pytest

from mintkey import Reason, ReplayStoreError, TokenReplayedError
from tests.docs.page import Page

PAGE = Page("single-use")


async def test_a_token_is_spent_by_the_work_that_succeeds_and_given_back_by_the_work_that_fails(mintkey_tokens) -> None:
    charged: list[str] = []
    seen_by_others: list[tuple[Reason, int]] = []

    async def charge_the_card(subject: str) -> None:
        with pytest.raises(ReplayStoreError) as refused:
            await mintkey_tokens.verify(token, page["PAYMENT"])
        seen_by_others.append((refused.value.reason, refused.value.status_code))
        if not charged:
            charged.append("declined")
            raise RuntimeError("the card was declined")
        charged.append(subject)

    page = PAGE.names(charge_the_card=charge_the_card)
    token = await mintkey_tokens.mint(page["PAYMENT"], subject="20")

    with pytest.raises(RuntimeError, match="declined"):
        await page["pay"](mintkey_tokens, token)
    await page["pay"](mintkey_tokens, token)
    with pytest.raises(TokenReplayedError):
        await page["pay"](mintkey_tokens, token)

    assert charged == ["declined", "20"]
    assert seen_by_others == [(Reason.TOKEN_RESERVED, 409)] * 2
