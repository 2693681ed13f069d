"""Mint, verify, spend, rotate and revoke signed tokens (JWS), asyncio-first.

```python
from datetime import timedelta
from mintkey import Purpose, TokenService
from mintkey.keys import MemoryKeyProvider
from mintkey.replay import MemoryReplayStore

LOGIN = Purpose("magic-login", lifetime=timedelta(minutes=10), audience="myapp.web", single_use=True)

async with TokenService(
    issuer="https://myapp.example", keys=MemoryKeyProvider(), replay=MemoryReplayStore()
) as tokens:
    token = await tokens.mint(LOGIN, subject="20")
    used = await tokens.verify(token, LOGIN)  # and never again
```
"""

from mintkey import presets
from mintkey._version import __version__
from mintkey.cache import VerificationCache
from mintkey.clock import Clock, SystemClock
from mintkey.errors import (
    BackendError,
    ClaimError,
    ConfigurationError,
    ExpiredTokenError,
    InsufficientScopeError,
    InvalidTokenError,
    KeyNotFoundError,
    KeyProviderError,
    KeyRevokedError,
    MalformedTokenError,
    MintkeyError,
    MissingExtraError,
    NotYetValidError,
    PurposeMismatchError,
    Reason,
    RemoteKeysError,
    ReplayStoreError,
    SignatureError,
    TokenEndpointError,
    TokenReplayedError,
    TokenRevokedError,
    UnsupportedOperationError,
)
from mintkey.purpose import Purpose
from mintkey.service import TokenService
from mintkey.tokens import MintedToken, MintRequest, PeekedToken, VerifiedToken
from mintkey.verifier import TokenVerifier

__all__ = [
    "BackendError",
    "ClaimError",
    "Clock",
    "ConfigurationError",
    "ExpiredTokenError",
    "InsufficientScopeError",
    "InvalidTokenError",
    "KeyNotFoundError",
    "KeyProviderError",
    "KeyRevokedError",
    "MalformedTokenError",
    "MintRequest",
    "MintedToken",
    "MintkeyError",
    "MissingExtraError",
    "NotYetValidError",
    "PeekedToken",
    "Purpose",
    "PurposeMismatchError",
    "Reason",
    "RemoteKeysError",
    "ReplayStoreError",
    "SignatureError",
    "SystemClock",
    "TokenEndpointError",
    "TokenReplayedError",
    "TokenRevokedError",
    "TokenService",
    "TokenVerifier",
    "UnsupportedOperationError",
    "VerificationCache",
    "VerifiedToken",
    "__version__",
    "presets",
]
