"""Which keys in KMS are ours: tags say so, and nothing else does."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence

from mintkey.errors import KeyProviderError
from mintkey.keys.custodians.aws_calls import KmsCalls

__all__ = ["KmsTags"]

_MAKER, _RING, _KID = "mintkey", "mintkey-ring", "mintkey-kid"
_MOST_TAGS = 50  # that a key may have
_MOST_KEYS = 1000  # that one answer may list
_GONE = frozenset({"NotFoundException"})
_NOT_FOR_US = frozenset({"AccessDeniedException", "NotFoundException"})
_IN_USE = frozenset({"Enabled", "Disabled"})


class KmsTags:
    """The tags of one ring's keys.

    Args:
        calls: Asks KMS.
        ring: The name of the ring.
    """

    def __init__(self, calls: KmsCalls, ring: str, /) -> None:
        self._calls = calls
        self._ring = ring

    def of_a_new_key(self) -> Sequence[Mapping[str, str]]:
        """What says of a key that it was made here, for this ring."""
        return [_tag(_MAKER, "made"), _tag(_RING, self._ring)]

    async def name(self, arn: str, kid: str, /) -> None:
        """Write its kid on a key that was just made here.

        Raises:
            KeyProviderError: KMS did not do it (`keys_unavailable`).
        """
        await self._calls.ask(
            "tag_resource",
            {"KeyId": arn, "Tags": [_tag(_KID, kid)]},
            task=f"tag key {kid}",
            details={"kid": kid},
            is_about_new_key=True,
        )

    async def kid_of(self, arn: str, /) -> str | None:
        """The kid of a key that was made for this ring, "" if it was never named; None if it was not, or is gone.

        Raises:
            KeyProviderError: KMS does not say (`keys_unavailable`).
        """
        return await self._kid_of(arn, unless=_GONE)

    async def keys_of_ring(self, *, but: Collection[str], created_before: float) -> AsyncIterator[tuple[str, str]]:
        """The ARN and the kid of every key that was made for this ring, may be used, and is not to be deleted yet.

        Args:
            but: ARNs to leave out.
            created_before: Seconds since the epoch.

        Raises:
            KeyProviderError: KMS does not say (`keys_unavailable`).
        """
        async for arn in self._every_key():
            # Most keys of an account are not ours, and many of them not for our eyes.
            kid = None if arn in but else await self._kid_of(arn, unless=_NOT_FOR_US)
            if kid is not None and await self._may_go(arn, created_before):
                yield arn, kid

    async def _every_key(self) -> AsyncIterator[str]:
        after: Mapping[str, object] = {}
        while True:
            page = await self._calls.ask(
                "list_keys", {"Limit": _MOST_KEYS, **after}, task="list the keys of the account", member="Keys"
            )
            for key in page["Keys"]:
                yield str(key["KeyArn"])
            if not page.get("Truncated"):
                return
            after = {"Marker": page["NextMarker"]}

    async def _may_go(self, arn: str, created_before: float) -> bool:
        answer = await self._calls.ask("describe_key", {"KeyId": arn}, task="describe a key", member="KeyMetadata")
        key = answer["KeyMetadata"]
        return key["KeyState"] in _IN_USE and key["CreationDate"].timestamp() < created_before

    async def _kid_of(self, arn: str, *, unless: frozenset[str]) -> str | None:
        try:
            answer = await self._calls.ask(
                "list_resource_tags",
                {"KeyId": arn, "Limit": _MOST_TAGS},
                task="read the tags of a key",
                member="Tags",
            )
        except KeyProviderError as error:
            if error.details.get("code") in unless:
                return None
            raise
        tags = {tag["TagKey"]: tag["TagValue"] for tag in answer["Tags"]}
        if _MAKER in tags and tags.get(_RING) == self._ring:
            return str(tags.get(_KID, ""))
        return None


def _tag(name: str, value: str) -> Mapping[str, str]:
    return {"TagKey": name, "TagValue": value}
