"""Read by mypy and pyright, not run: what they infer is what users see in their editors."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, assert_type

from mintkey import MintedToken, MintRequest, PeekedToken, Purpose, TokenService, VerifiedToken, presets


@dataclass(frozen=True)
class Order:
    amount: int


PLAIN = Purpose("plain", lifetime=timedelta(minutes=1))
TYPED = Purpose("typed", lifetime=timedelta(minutes=1), single_use=True, claims=Order)


async def use(tokens: TokenService) -> None:
    assert_type(PLAIN, Purpose[dict[str, Any]])
    assert_type(TYPED, Purpose[Order])
    assert_type(presets.MAGIC_LINK.replace(audience="web"), Purpose[dict[str, Any]])
    assert_type(presets.ACCESS.replace(required=("sub", "client_id"), claims=Order), Purpose[Order])
    assert_type(await tokens.mint(TYPED, claims=Order(1)), MintedToken)
    assert_type(await tokens.verify("t", TYPED), VerifiedToken[Order])
    assert_type(await tokens.peek("t", TYPED), PeekedToken[Order])
    assert_type((await tokens.verify("t", TYPED)).claims.amount, int)
    assert_type(tokens.redeem("t", TYPED), AbstractAsyncContextManager[VerifiedToken[Order]])
    assert_type(await tokens.mint_many(TYPED, [MintRequest(claims=Order(1))]), list[MintedToken])
    await tokens.mint(TYPED, claims={"amount": 1})  # type: ignore[misc] # pyright: ignore[reportArgumentType]
