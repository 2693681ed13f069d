"""Private keys in AWS KMS: made there, used there, and never here."""

import logging
import re
from collections.abc import Collection, Sequence
from datetime import timedelta

from mintkey.clock import Clock, SystemClock
from mintkey.errors import ConfigurationError, KeyProviderError
from mintkey.jose.jwk import check_kid
from mintkey.jose.loaded import LoadedKey
from mintkey.jose.prepared import verification_key
from mintkey.jose.thumbprint import thumbprint
from mintkey.keys.base import Algorithm, SigningKey
from mintkey.keys.custodians.aws_algorithms import RSA_BITS, kms_algorithm
from mintkey.keys.custodians.aws_calls import KmsCalls
from mintkey.keys.custodians.aws_key import KmsKey
from mintkey.keys.custodians.aws_keys import KmsKeys
from mintkey.keys.custodians.aws_tags import KmsTags
from mintkey.keys.custodians.leftovers import Leftovers
from mintkey.keys.ports import KeyMaterial
from mintkey.lifecycle import Resource

__all__ = ["AwsKmsCustodian"]

_logger = logging.getLogger("mintkey.keys")

_ARN = re.compile(r"arn:aws[a-z-]{0,20}:kms:[a-z0-9-]{1,30}:[0-9]{12}:key/[A-Za-z0-9-]{1,64}")
_DAYS = range(7, 30 + 1)  # what KMS allows


class AwsKmsCustodian(Resource):
    """A `KeyCustodian` whose keys are made in AWS KMS, sign there, and cannot leave it.

    Each version of the ring has a KMS key of its own, tagged `mintkey-ring` and `mintkey-kid`; the handle is its ARN.
    Verifying needs the public half alone and asks nobody. When a version is pruned, the deletion of its key is
    scheduled; keys without our tags are never deleted. One custodian serves any number of event loops; a client that
    was given belongs to one.

    Args:
        client: A KMS client of aiobotocore with settings of your own. It stays yours and is never closed here; give it
            `retries={"total_max_attempts": 1}`, because requests are repeated here, with care. By default each event
            loop makes its own, with credentials from the usual places.
        endpoint_url: Where KMS is, if not where its region says: a VPC endpoint, a test server.
        region_name: The region; by default what the environment says.
        ring: The name of the ring that the keys are for.
        timeout: How long a signature may take with all its tries and the wait for its turn; then it fails.
        concurrency: How many requests of one event loop are under way at a time.
        rsa_bits: The modulus of new RSA keys, in bits: 2048, 3072 or 4096.
        deletion_window: For how long a deletion can be taken back: 7 to 30 days. A key costs nothing meanwhile.
        clock: Where time comes from; by default the machine's.

    Raises:
        ConfigurationError: A setting does not fit; all problems at once (`configuration`).

    Example:
        >>> from mintkey.keys import RedisKeyProvider, Sealer
        >>> custodian = AwsKmsCustodian(region_name="eu-central-1", ring="logins")
        >>> keys = RedisKeyProvider(
        ...     "redis://localhost",
        ...     ring="logins",
        ...     algorithm="ES256",
        ...     custodian=custodian,
        ...     ring_sealer=Sealer([Sealer.generate_key()]),
        ... )
        >>> custodian
        AwsKmsCustodian(ring='logins')
    """

    def __init__(
        self,
        client: object | None = None,
        *,
        endpoint_url: str | None = None,
        region_name: str | None = None,
        ring: str = "default",
        timeout: timedelta = timedelta(seconds=5),
        concurrency: int = 8,
        rsa_bits: int = 3072,
        deletion_window: timedelta = timedelta(days=30),
        clock: Clock | None = None,
    ) -> None:
        problems: list[str] = []
        if not check_kid(ring) or "~" in ring:
            problems.append("ring must be 1 to 128 characters of A-Z a-z 0-9 . _ -, as a tag of KMS")
        if timeout <= timedelta(0):
            problems.append("timeout must be positive")
        if concurrency < 1:
            problems.append("concurrency must be at least 1")
        if rsa_bits not in RSA_BITS:
            problems.append(f"rsa_bits must be one of {', '.join(map(str, RSA_BITS))}")
        if deletion_window.days not in _DAYS or deletion_window % timedelta(days=1):
            problems.append(f"deletion_window must be {_DAYS[0]} to {_DAYS[-1]} whole days")
        ConfigurationError.raise_if(f"AwsKmsCustodian: {problem}" for problem in problems)
        self._calls = KmsCalls(
            client,
            endpoint_url=endpoint_url,
            region_name=region_name,
            timeout=timeout.total_seconds(),
            concurrency=concurrency,
        )
        self._tags = KmsTags(self._calls, ring)
        self._keys = KmsKeys(self._calls, self._tags, rsa_bits=rsa_bits, days=deletion_window.days)
        self._ring = ring
        self._clock = SystemClock() if clock is None else clock
        self._known: dict[tuple[str, Algorithm], LoadedKey] = {}

    def __repr__(self) -> str:
        return f"AwsKmsCustodian(ring={self._ring!r})"

    async def create(self, algorithm: Algorithm, /) -> KeyMaterial:
        """A new key in KMS, tagged with its ring and its kid.

        Raises:
            ConfigurationError: The algorithm is one of secrets, or KMS has none of its keys in this region
                (`configuration`).
            KeyProviderError: KMS did not make it (`keys_unavailable`).
        """
        kms_algorithm(algorithm)
        return _material(*await self._keys.make(algorithm))

    async def adopt(self, key_id: str, algorithm: Algorithm, /) -> KeyMaterial:
        """A key that is in KMS already, as material for a ring; see `mintkey.keys.adopt`.

        It gets no tags of ours, so it is never deleted from here.

        Args:
            key_id: Its id, its ARN, or an alias.
            algorithm: What it is used for from now on, and for nothing else.

        Raises:
            ConfigurationError: The algorithm is one of secrets (`configuration`).
            KeyProviderError: There is no such key, or it is not for this algorithm (`keys_unavailable`).
        """
        kms_algorithm(algorithm)
        arn = await self._keys.find(key_id)
        return _material(arn, await self._keys.public_key(arn, algorithm))

    async def open(self, material: KeyMaterial, /) -> SigningKey:
        """The key, ready to have KMS sign.

        Raises:
            KeyProviderError: KMS cannot be asked, has no such key, or has another one than the ring says
                (`keys_unavailable`).
        """
        if not _ARN.fullmatch(material.handle):
            raise self._unusable(material, "its handle is no ARN of a KMS key")
        known = self._known.get((material.handle, material.algorithm))
        key = known or await self._keys.public_key(material.handle, material.algorithm)
        # Whoever can write to the ring must not choose which key signs.
        if key.kid != material.kid or material.public_jwk is None or thumbprint(material.public_jwk) != material.kid:
            raise self._unusable(material, "KMS has another key there than the ring says")
        self._known[material.handle, material.algorithm] = key
        return KmsKey(
            kid=key.kid,
            algorithm=key.algorithm,
            _arn=material.handle,
            _calls=self._calls,
            _verifier=verification_key(key),
        )

    async def destroy(self, material: KeyMaterial, /) -> None:
        """Schedule the deletion of a key that was made here; of what is gone, or was adopted, nothing.

        Raises:
            KeyProviderError: KMS did not do it (`keys_unavailable`).
        """
        if not _ARN.fullmatch(material.handle):
            return
        self._known.pop((material.handle, material.algorithm), None)
        # Whoever can write to the ring must not choose which key is deleted either.
        if await self._tags.kid_of(material.handle) == material.kid:
            await self._keys.schedule_deletion(material.handle, material.kid)
        else:
            _logger.info("key %s stays in KMS: it is gone, or was not made for ring %r", material.kid, self._ring)

    async def sweep(self, in_use: Collection[KeyMaterial], /, *, older_than: timedelta) -> Sequence[str]:
        """Schedule the deletion of keys that were made for this ring and are not in it: left over by who was killed.

        Better called through `mintkey.keys.sweep`, which asks the ring what is in use.

        Args:
            in_use: All that is in the ring now.
            older_than: Younger keys may be on their way into the ring. At least two hours.

        Returns:
            The ARNs of those keys.

        Raises:
            ConfigurationError: `older_than` is too short (`configuration`).
            KeyProviderError: KMS did not do it; what was scheduled before stays scheduled (`keys_unavailable`).
        """
        leftovers = Leftovers.beside(in_use, older_than=older_than, now=self._clock.time())
        swept: list[str] = []
        async for arn, kid in self._tags.keys_of_ring(but=leftovers.handles, created_before=leftovers.made_before):
            if leftovers.has(handle=arn, kid=kid):
                await self._keys.schedule_deletion(arn, kid)
                swept.append(arn)
        return tuple(swept)

    async def _close(self) -> None:
        await self._keys.give_up_unfinished()
        await self._calls.aclose()

    def _unusable(self, material: KeyMaterial, cause: str) -> KeyProviderError:
        error = KeyProviderError(
            f"key {material.kid!r} of ring {self._ring!r} cannot be used: {cause}",
            details={"ring": self._ring, "kid": material.kid},
        )
        error.retryable = False
        return error


def _material(arn: str, key: LoadedKey) -> KeyMaterial:
    return KeyMaterial(kid=key.kid, algorithm=key.algorithm, public_jwk=key.public_jwk, handle=arn)
