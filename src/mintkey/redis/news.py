"""Revisions of a ring as they appear: every change is published on a channel that is called like the ring's key."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial

from mintkey.redis.buckets import Bucket
from mintkey.redis.calls import Call
from mintkey.redis.client import Client
from mintkey.redis.errors import RedisCallError
from mintkey.redis.protocol import Reply, pack
from mintkey.redis.rings import REVISION
from mintkey.redis.subscription import subscribed

__all__ = ["revisions"]


async def revisions(client: Client, bucket: Bucket, ring: bytes, /) -> AsyncGenerator[int, None]:
    """The present revision if there is a ring, then every newer one.

    Args:
        client: Calls the servers.
        bucket: The bucket of the ring.
        ring: Its key.

    Raises:
        RedisCallError: The connection on which we are told cannot be had, or was lost.
    """
    locate = partial(client.link.locate, bucket.number)
    async with subscribed(locate, ring, patience=client.link.timeout) as subscription:
        # Asked for behind the subscription: what changes from now on is told.
        seen = await _revision_of(client, bucket, ring)
        if seen:
            yield seen
        async with aclosing(subscription.messages()) as messages:
            async for message in messages:
                told = _number(message)
                if told <= seen:
                    # Old news from before we asked, or the ring was lost and begun anew.
                    told = await _revision_of(client, bucket, ring)
                if told not in {0, seen}:
                    seen = told
                    yield seen


async def _revision_of(client: Client, bucket: Bucket, ring: bytes) -> int:
    call = await client.send(bucket, Call(pack("HGET", ring, REVISION), 1))
    return _number(call.replies[0])


def _number(text: Reply) -> int:
    try:
        return 0 if text is None else int(text)  # type: ignore[arg-type]  # anything else raises
    except (TypeError, ValueError):
        raise RedisCallError("what is told of the ring is no revision", code="ERR", may_have_run=False) from None
