"""Sessions: short access tokens, refresh tokens that are replaced with every use, and an alarm if one comes twice."""

from mintkey.refresh.flow import RefreshFlow
from mintkey.refresh.pair import TokenPair

__all__ = ["RefreshFlow", "TokenPair"]
