"""Many signatures of one key: in one go where the key can do that, a few at a time where it is kept elsewhere."""

import asyncio
from collections.abc import Sequence

from mintkey.errors import KeyProviderError, Reason
from mintkey.keys.base import BatchSigning, SigningKey

__all__ = ["sign_all"]

_AT_ONCE = 32
"""Calls that one caller has under way with a key that signs one by one."""


async def sign_all(key: SigningKey, signing_inputs: Sequence[bytes], /) -> Sequence[bytes]:
    """The signatures of all inputs, in their order.

    Raises:
        KeyProviderError: As for `SigningKey.sign`, or there are too few or too many of them (`signing_failed`); all
            calls that were under way have ended by then.
    """
    if isinstance(key, BatchSigning):
        made = await key.sign_many(signing_inputs)
        if len(made) != len(signing_inputs):
            raise KeyProviderError("the key made another number of signatures", reason=Reason.SIGNING_FAILED)
        return made
    signatures: list[bytes] = []
    for first in range(0, len(signing_inputs), _AT_ONCE):
        signing = [key.sign(signing_input) for signing_input in signing_inputs[first : first + _AT_ONCE]]
        outcomes = await asyncio.gather(*signing, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
            signatures.append(outcome)
    return signatures
