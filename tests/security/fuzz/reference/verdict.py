"""What the reference says: a value, or that it refuses, or that it cannot tell."""

__all__ = ["Refused", "Unsure"]


class Refused(Exception):  # noqa: N818 - a verdict, not a mishap
    """It must not be accepted; `reason` is the word that a user of the library is to read."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Unsure(Exception):  # noqa: N818 - as above
    """The rules leave it open, or finding out takes too long: the library may say either."""
