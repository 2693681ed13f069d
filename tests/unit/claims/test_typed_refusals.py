"""A type's own checks may raise anything: it means that the claims do not fit, and nobody sees what they said."""

import traceback
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec
import pydantic
import pytest

from mintkey.claims.typed import codec_for
from mintkey.errors import ClaimError, ConfigurationError

CANARY = "canary-4711"
RATES = {"EUR": 1}


@dataclass
class Counted:
    amount: str

    def __post_init__(self) -> None:
        Decimal(self.amount)  # an ArithmeticError, if it is none


@dataclass
class Converted:
    currency: str

    def __post_init__(self) -> None:
        RATES[self.currency]


@dataclass
class Outspoken:
    amount: str

    def __post_init__(self) -> None:
        raise ValueError(f"bad amount: {self.amount}")


@dataclass
class Nested:
    payment: Converted


class StructConverted(msgspec.Struct):
    currency: str

    def __post_init__(self) -> None:
        RATES[self.currency]


class StructOfNumber(msgspec.Struct):
    amount: int


class ModelConverted(pydantic.BaseModel):
    currency: str

    @pydantic.field_validator("currency")
    @classmethod
    def is_known(cls, value: str) -> str:
        return str(RATES[value])


class ModelOfNumber(pydantic.BaseModel):
    amount: int


@pytest.mark.parametrize(
    ("kind", "claims", "path"),
    [
        (Counted, {"amount": CANARY}, ""),
        (Converted, {"currency": CANARY}, ""),
        (Outspoken, {"amount": CANARY}, ""),
        (Nested, {"payment": {"currency": CANARY}}, "payment"),
        (StructConverted, {"currency": CANARY}, ""),
        (StructOfNumber, {"amount": CANARY}, "amount"),
        (ModelConverted, {"currency": CANARY}, ""),
        (ModelOfNumber, {"amount": CANARY}, "amount"),
    ],
)
def test_whatever_is_raised_the_claims_do_not_fit_and_nothing_tells_why(kind: type[Any], claims: Any, path: str):
    with pytest.raises(ClaimError) as refused:
        codec_for(kind).decode(claims)
    assert refused.value.claim == path
    # Not even where nobody looks: loggers that follow contexts would show the value.
    seen: list[BaseException | None] = [refused.value]
    for error in seen:
        if error is not None:
            assert CANARY not in "".join(traceback.format_exception_only(error)) + repr(vars(error))
            seen += [error.__cause__, error.__context__]


def test_at_mint_too_it_is_the_claims_that_do_not_fit():
    with pytest.raises(ConfigurationError, match="do not fit"):
        codec_for(Converted).encode(_unchecked(Converted, currency="XYZ"))


def _unchecked(kind: type[Any], **fields: object) -> Any:
    """A value of the type that was never checked, as one that was changed later."""
    value = object.__new__(kind)
    vars(value).update(fields)
    return value
