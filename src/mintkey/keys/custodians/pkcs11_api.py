"""What is used of python-pkcs11; whoever needs it, imports it from here, and is told which extra brings it."""

from mintkey.errors import MissingExtraError

try:
    import pkcs11
    from pkcs11 import (
        MGF,
        Attribute,
        KeyType,
        Mechanism,
        MechanismFlag,
        MultipleObjectsReturned,
        NoSuchKey,
        ObjectClass,
        PKCS11Error,
        Session,
        Token,
    )
except ImportError as _error:
    raise MissingExtraError("PKCS#11 needs python-pkcs11: pip install 'mintkey[pkcs11]'") from _error

__all__ = [
    "LOST",
    "MGF",
    "UNSUPPORTED",
    "AbsentKeyError",
    "Attribute",
    "KeyType",
    "Mechanism",
    "MechanismFlag",
    "MultipleObjectsReturned",
    "ObjectClass",
    "PKCS11Error",
    "Session",
    "Token",
    "pkcs11",
]

UNSUPPORTED = (
    pkcs11.AttributeTypeInvalid,
    pkcs11.AttributeValueInvalid,
    pkcs11.DomainParamsInvalid,
    pkcs11.FunctionNotSupported,
    pkcs11.KeySizeRange,
    pkcs11.MechanismInvalid,
    pkcs11.MechanismParamInvalid,
    pkcs11.TemplateInconsistent,
)
"""A token says that it does not make keys of this kind."""

LOST = (
    pkcs11.DeviceError,
    pkcs11.DeviceRemoved,
    pkcs11.GeneralError,
    pkcs11.KeyHandleInvalid,
    pkcs11.ObjectHandleInvalid,
    pkcs11.SessionClosed,
    pkcs11.SessionHandleInvalid,
    pkcs11.SlotIDInvalid,
    pkcs11.TokenNotPresent,
    pkcs11.UserNotLoggedIn,
)
"""A new session may get over these."""


class AbsentKeyError(NoSuchKey):
    """There is no such key, as far as this process can see.

    Args:
        wanted: How it was looked for.
    """

    def __init__(self, wanted: str, /) -> None:
        super().__init__("there is no such key")
        self.wanted = wanted
