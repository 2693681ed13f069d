"""AWS KMS as the keeper of key-encryption keys: private keys stay sealed in the ring, and KMS is asked once a start."""

from collections.abc import Iterable
from datetime import timedelta

from mintkey.errors import ConfigurationError
from mintkey.jose import base64url
from mintkey.keys.custodians.aws_calls import KmsCalls
from mintkey.keys.sealing import Sealer
from mintkey.lifecycle import Resource

__all__ = ["AwsKmsEnvelope"]

_KEY_BYTES = 32


class AwsKmsEnvelope(Resource):
    """Makes `Sealer`s whose key-encryption keys are stored nowhere but encrypted by a key in AWS KMS.

    The cheap alternative to an `AwsKmsCustodian`: one symmetric KMS key for any number of rings, and one request for
    each key-encryption key when a process starts, none for a token. In return private keys are in the memory of the
    processes that sign.

    Args:
        key_id: The symmetric key in KMS that encrypts: its id, its ARN, or an alias.
        client: A KMS client of aiobotocore; it stays yours. By default one is made.
        endpoint_url: Where KMS is, if not where its region says.
        region_name: The region; by default what the environment says.
        ring: The name of the ring that is sealed. It goes into the encryption context, so what was encrypted for one
            ring does not decrypt for another.
        timeout: How long a request may take with all its tries.

    Raises:
        ConfigurationError: A setting does not fit (`configuration`).

    Example:
        >>> from mintkey.keys import RedisKeyProvider
        >>> async def start(stored: str) -> RedisKeyProvider:
        ...     async with AwsKmsEnvelope("alias/mintkey", region_name="eu-central-1") as envelope:
        ...         sealer = await envelope.sealer([stored])  # what `new_key` returned once
        ...     return RedisKeyProvider("redis://localhost", sealer=sealer)
    """

    def __init__(
        self,
        key_id: str,
        client: object | None = None,
        *,
        endpoint_url: str | None = None,
        region_name: str | None = None,
        ring: str = "default",
        timeout: timedelta = timedelta(seconds=10),
    ) -> None:
        if timeout <= timedelta(0):
            raise ConfigurationError("AwsKmsEnvelope: timeout must be positive")
        self._calls = KmsCalls(
            client,
            endpoint_url=endpoint_url,
            region_name=region_name,
            timeout=timeout.total_seconds(),
            concurrency=1,
        )
        self._key_id = key_id
        self._context = {"mintkey": "sealer", "mintkey-ring": ring}

    def __repr__(self) -> str:
        return f"AwsKmsEnvelope(ring={self._context['mintkey-ring']!r})"

    async def new_key(self) -> str:
        """A new key-encryption key, encrypted, as text for the application's settings; nobody has seen it.

        Raises:
            KeyProviderError: KMS did not make it (`keys_unavailable`).
            ConfigurationError: No client can be made from the settings (`configuration`).
        """
        answer = await self._calls.ask(
            "generate_data_key_without_plaintext",
            {"KeyId": self._key_id, "NumberOfBytes": _KEY_BYTES, "EncryptionContext": self._context},
            task="make a data key",
            member="CiphertextBlob",
        )
        return base64url.encode(answer["CiphertextBlob"])

    async def sealer(self, encrypted_keys: Iterable[str]) -> Sealer:
        """A `Sealer` with these keys, decrypted: the first one seals, every one opens.

        Args:
            encrypted_keys: What `new_key` returned, the newest in front.

        Raises:
            KeyProviderError: KMS did not decrypt one of them: it is another key's or another ring's, or damaged
                (`keys_unavailable`).
            ConfigurationError: One is no text of `new_key`, or there is none (`configuration`).
        """
        return Sealer([await self._decrypted(text) for text in encrypted_keys])

    async def _decrypted(self, text: str) -> bytes:
        try:
            blob = base64url.decode(text)
        except ValueError:
            blob = b""
        if not blob:
            raise ConfigurationError("AwsKmsEnvelope: an encrypted key is not the text that new_key gave")
        answer = await self._calls.ask(
            "decrypt",
            # By name, so that nothing which another key encrypted is taken.
            {"KeyId": self._key_id, "CiphertextBlob": blob, "EncryptionContext": self._context},
            task="decrypt a data key",
            member="Plaintext",
        )
        return bytes(answer["Plaintext"])

    async def _close(self) -> None:
        await self._calls.aclose()
