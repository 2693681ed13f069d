"""What is done with keys in AWS KMS: making them, reading their public halves, scheduling their deletion."""

import logging
from threading import Lock

from mintkey.errors import ConfigurationError, KeyProviderError, MintkeyError
from mintkey.jose.loaded import LoadedKey
from mintkey.keys.base import Algorithm
from mintkey.keys.custodians.aws_algorithms import kms_algorithm
from mintkey.keys.custodians.aws_calls import KmsCalls
from mintkey.keys.custodians.aws_tags import KmsTags
from mintkey.keys.custodians.der import public_key

__all__ = ["KmsKeys"]

_logger = logging.getLogger("mintkey.keys")

_NO_SUCH_SPEC = frozenset({"UnsupportedOperationException", "ValidationException"})
_GONE = frozenset({"KMSInvalidStateException", "NotFoundException"})


class KmsKeys:
    """The keys of one ring in KMS.

    Args:
        calls: Asks KMS.
        tags: Says which keys are ours.
        rsa_bits: The modulus of new RSA keys, in bits.
        days: How long a deletion is pending.
    """

    def __init__(self, calls: KmsCalls, tags: KmsTags, /, *, rsa_bits: int, days: int) -> None:
        self._calls = calls
        self._tags = tags
        self._rsa_bits = rsa_bits
        self._days = days
        self._guard = Lock()  # event loops of several threads share the list; held for moments, never over an await
        self._unfinished: list[tuple[str, Algorithm]] = []

    async def make(self, algorithm: Algorithm, /) -> tuple[str, LoadedKey]:
        """The ARN and the public half of a new key, tagged with its ring and its kid.

        What fails or is cancelled half-way is gone on with the next time: a key that nobody knows would cost its price
        for ever.

        Raises:
            ConfigurationError: KMS has no such keys in this region (`configuration`).
            KeyProviderError: KMS did not make it (`keys_unavailable`).
        """
        arn = self._take_unfinished(algorithm) or await self._begin(algorithm)
        try:
            key = await self.public_key(arn, algorithm, is_new=True)
            await self._tags.name(arn, key.kid)
        except BaseException:
            with self._guard:
                self._unfinished.append((arn, algorithm))
            raise
        return arn, key

    async def give_up_unfinished(self) -> None:
        """Schedule the deletion of what was begun and never finished, as far as KMS can be asked."""
        with self._guard:
            unfinished, self._unfinished = self._unfinished, []
        for arn, _ in unfinished:
            try:
                await self.schedule_deletion(arn, "")
            except MintkeyError as error:
                _logger.warning("%s; it is left to be swept", error)

    async def find(self, key_id: str, /) -> str:
        """The ARN of a key that is called by its id, its ARN or an alias.

        Raises:
            KeyProviderError: KMS does not say, or has no such key (`keys_unavailable`).
        """
        found = await self._calls.ask(
            "describe_key", {"KeyId": key_id}, task="find the key to adopt", member="KeyMetadata"
        )
        return str(found["KeyMetadata"].get("Arn", ""))

    async def public_key(self, arn: str, algorithm: Algorithm, /, *, is_new: bool = False) -> LoadedKey:
        """A key's public half, for an algorithm that it has.

        Raises:
            KeyProviderError: KMS does not give it, or it is not for this algorithm (`keys_unavailable`).
        """
        answer = await self._calls.ask(
            "get_public_key",
            {"KeyId": arn},
            task="give a public key",
            member="PublicKey",
            is_about_new_key=is_new,
        )
        name = kms_algorithm(algorithm).signing_algorithm
        if answer.get("KeyUsage") == "SIGN_VERIFY" and name in answer.get("SigningAlgorithms", ()):
            return public_key(answer["PublicKey"], algorithm, source="the key in AWS KMS")
        error = KeyProviderError(f"the key in AWS KMS does not sign with {algorithm} ({name})")
        error.retryable = False
        raise error

    async def schedule_deletion(self, arn: str, kid: str, /) -> None:
        """Have a key deleted in a while, unless it is gone or will be.

        Raises:
            KeyProviderError: KMS did not do it (`keys_unavailable`).
        """
        try:
            await self._calls.ask(
                "schedule_key_deletion",
                {"KeyId": arn, "PendingWindowInDays": self._days},
                task=f"schedule the deletion of key {kid or 'that was never finished'}",
            )
        except KeyProviderError as error:
            if error.details["code"] not in _GONE:
                raise

    def _take_unfinished(self, algorithm: Algorithm) -> str | None:
        with self._guard:
            for begun in self._unfinished:
                if begun[1] == algorithm:
                    self._unfinished.remove(begun)
                    return begun[0]
        return None

    async def _begin(self, algorithm: Algorithm) -> str:
        """The ARN of a new key that nobody knows yet."""
        spec = kms_algorithm(algorithm).spec_of_new_key(self._rsa_bits)
        try:
            made = await self._calls.ask(
                "create_key",
                {
                    "KeySpec": spec,
                    "KeyUsage": "SIGN_VERIFY",
                    "Description": "Signs tokens (mintkey)",
                    "Tags": self._tags.of_a_new_key(),
                },
                task="make a key",
                member="KeyMetadata",
                is_repeatable=False,  # an answer that got lost leaves a key that nobody knows
                is_about_new_key=True,
            )
        except KeyProviderError as error:
            if error.details["code"] not in _NO_SUCH_SPEC:
                raise
        else:
            return str(made["KeyMetadata"].get("Arn", ""))
        raise ConfigurationError(
            f"AWS KMS makes no keys for {algorithm} in this region (KeySpec {spec}): take another algorithm or region"
        )
