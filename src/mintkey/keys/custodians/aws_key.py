"""One key in AWS KMS, ready to sign."""

import hashlib
from dataclasses import dataclass, field

from mintkey.errors import KeyProviderError, Reason
from mintkey.keys.base import Algorithm, VerificationKey
from mintkey.keys.custodians.aws_algorithms import kms_algorithm
from mintkey.keys.custodians.aws_calls import KmsCalls
from mintkey.keys.custodians.der import raw_signature

__all__ = ["KmsKey"]

_LONGEST_MESSAGE = 4096
"""Bytes that KMS takes; of anything longer it signs the digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KmsKey:
    """A `SigningKey` that has KMS sign, and believes no signature that it did not verify.

    Attributes:
        kid: The key id.
        algorithm: The only algorithm it is used with.
    """

    kid: str
    algorithm: Algorithm
    _arn: str = field(repr=False)
    _calls: KmsCalls = field(repr=False)
    _verifier: VerificationKey = field(repr=False)

    async def sign(self, signing_input: bytes, /) -> bytes:
        """The raw JOSE signature.

        Raises:
            KeyProviderError: KMS did not sign, or what it gave is no signature by this key; or EdDSA is asked to sign
                more than the 4096 bytes that KMS takes (`signing_failed`).
        """
        how = kms_algorithm(self.algorithm)
        message, message_type = self._message(signing_input, how.digest)
        answer = await self._calls.ask(
            "sign",
            {
                "KeyId": self._arn,
                "Message": message,
                "MessageType": message_type,
                "SigningAlgorithm": how.signing_algorithm,
            },
            task=f"sign with key {self.kid}",
            member="Signature",
            reason=Reason.SIGNING_FAILED,
            details={"kid": self.kid},
        )
        signature: bytes = answer["Signature"]
        if how.number_size:
            signature = raw_signature(signature, how.number_size)
        # It costs a thousandth of the journey, and a token that nobody accepts would be noticed far from here.
        if not self._verifier.verify(signing_input, signature):
            raise self._unfit("AWS KMS gave something that is no signature by this key")
        return signature

    def _message(self, signing_input: bytes, digest: str | None) -> tuple[bytes, str]:
        if len(signing_input) <= _LONGEST_MESSAGE:
            return signing_input, "RAW"
        if digest is None:
            raise self._unfit(
                f"AWS KMS signs at most {_LONGEST_MESSAGE} bytes with {self.algorithm}: a token with less in it, or "
                "keys for ES256, which may be longer"
            )
        return hashlib.new(digest, signing_input).digest(), "DIGEST"

    def _unfit(self, problem: str) -> KeyProviderError:
        error = KeyProviderError(f"key {self.kid}: {problem}", reason=Reason.SIGNING_FAILED, details={"kid": self.kid})
        error.retryable = False
        return error
