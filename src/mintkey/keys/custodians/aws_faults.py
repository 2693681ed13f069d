"""What AWS answers when it does not do what it was asked, in our words.

Its own messages stay where they are: they name accounts, roles and keys, and for a signature that does not fit the
request with all its headers, the session's token among them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from importlib import import_module
from types import MappingProxyType
from typing import Any, cast

from mintkey.errors import ConfigurationError, KeyProviderError, MissingExtraError, Reason

try:
    _botocore: Any = import_module("botocore.exceptions")
except ImportError as _error:
    raise MissingExtraError("AWS KMS needs aiobotocore: pip install 'mintkey[aws]'") from _error

__all__ = ["CROWDED", "HUNG", "STRANGE", "Fault", "Outcome", "fault_of", "unusable_settings"]

_CODE = re.compile(r"[A-Za-z]{1,64}")
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500

_THROTTLES = frozenset(
    {
        "RequestLimitExceeded",
        "SlowDown",
        "Throttling",
        "ThrottledException",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_CREDENTIALS = "AWS does not accept the credentials"
_REFUSALS: Mapping[str, str] = MappingProxyType(
    {
        "AccessDeniedException": "the credentials do not allow it: look at the IAM policy and at the key's policy",
        "DisabledException": "the key is disabled",
        "ExpiredTokenException": _CREDENTIALS,
        "IncompleteSignature": _CREDENTIALS,
        "InvalidArnException": "there is no such key",
        "InvalidCiphertextException": "it was not encrypted by this key and in this context, or is damaged",
        "InvalidClientTokenId": _CREDENTIALS,
        "InvalidKeyUsageException": "the key is for something else",
        "InvalidSignatureException": _CREDENTIALS,
        "KMSInvalidStateException": "the key is to be deleted, or not ready yet",
        "LimitExceededException": "a quota of the AWS account is used up",
        "MissingAuthenticationTokenException": _CREDENTIALS,
        "NotFoundException": "there is no such key",
        "UnrecognizedClientException": _CREDENTIALS,
    }
)


class Outcome(Enum):
    """What is known of a request that brought no answer of use."""

    REFUSED = auto()
    """It was not done, and will not be until somebody changes something."""
    DEFERRED = auto()
    """It was not done, and may be in a moment."""
    UNKNOWN = auto()
    """It may have been done."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a request brought no answer of use.

    Attributes:
        outcome: What became of it.
        text: What to tell, without anything that AWS said.
        code: The error's name: AWS's, or that of its class.
    """

    outcome: Outcome
    text: str
    code: str

    def error(self, task: str, /, *, reason: Reason, details: Mapping[str, object]) -> KeyProviderError:
        """This fault as an error.

        Args:
            task: What was to be done, as in "sign with key k1".
            reason: Why the caller cannot go on.
            details: Facts for logs.
        """
        error = KeyProviderError(
            f"AWS KMS could not {task}: {self.text}", reason=reason, details={**details, "code": self.code}
        )
        error.retryable = self.outcome is not Outcome.REFUSED
        return error


HUNG = Fault(Outcome.UNKNOWN, "it did not answer in time", "Timeout")
"""Nothing came back for as long as one try may take."""

STRANGE = Fault(Outcome.REFUSED, "what answered is no KMS", "Strange")
"""An answer without what every such answer has."""

CROWDED = Fault(Outcome.DEFERRED, "others had all the turns until it was too late (concurrency)", "Concurrency")
"""There was no turn before the deadline."""


def fault_of(error: Exception, /) -> Fault:
    """What an error of the client means."""
    if isinstance(error, _botocore.ClientError):
        return _answered(cast("Any", error).response)
    code = type(error).__name__
    if isinstance(
        error, (_botocore.EndpointConnectionError, _botocore.ConnectTimeoutError, _botocore.ProxyConnectionError)
    ):
        return Fault(Outcome.DEFERRED, "it cannot be reached", code)
    if isinstance(error, _botocore.CredentialRetrievalError):
        return Fault(Outcome.DEFERRED, "the AWS credentials cannot be fetched", code)
    if isinstance(error, (_botocore.NoCredentialsError, _botocore.PartialCredentialsError)):
        return Fault(Outcome.REFUSED, "there are no AWS credentials", code)
    if isinstance(error, _botocore.ParamValidationError):
        return Fault(Outcome.REFUSED, "the client does not take the request", code)
    return Fault(Outcome.UNKNOWN, "the connection broke", code)


def unusable_settings(error: Exception, /) -> ConfigurationError | None:
    """What is wrong with the settings from which no client can be made; None if they are not to blame."""
    if isinstance(error, _botocore.NoRegionError):
        return ConfigurationError("AWS KMS needs a region: region_name=, or AWS_DEFAULT_REGION")
    if isinstance(error, _botocore.CredentialRetrievalError):
        return None
    if isinstance(error, (_botocore.BotoCoreError, ValueError)):
        return ConfigurationError(f"AWS KMS: no client can be made: {type(error).__name__}")
    return None


def _answered(response: Mapping[str, Any]) -> Fault:
    code = str(response.get("Error", {}).get("Code", ""))
    code = code if _CODE.fullmatch(code) else "Unknown"
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in _THROTTLES or status == _TOO_MANY_REQUESTS:
        return Fault(Outcome.DEFERRED, "it is asked too often", code)
    if status >= _SERVER_ERROR:
        return Fault(Outcome.DEFERRED, "it failed", code)
    return Fault(Outcome.REFUSED, _REFUSALS.get(code, f"it refused with {code}"), code)
