"""Private keys at rest: sealed with AES-256-GCM, or plain for whoever says so by name."""

from collections.abc import Iterable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mintkey.errors import ConfigurationError, KeyProviderError
from mintkey.ids import random_bytes
from mintkey.jose import base64url

__all__ = ["Plaintext", "Sealer"]

_KEY_BYTES = 32
_NONCE_BYTES = 12
_SEALED = "sealed1."
_PLAIN = "plain1."
# What is sealed here never opens where the same key-encryption key is used for something else.
_DOMAIN = b"mintkey private key v1\0"


class Sealer:
    """Seals private keys under key-encryption keys: the first one seals, every one opens.

    To replace a key-encryption key, put the new one in front and leave the old one behind it until every version that
    was sealed under it is pruned. Sealing is AES-256-GCM with a random 96-bit nonce (NIST SP 800-38D §8.2.2), good for
    2**32 seals under one key; a ring makes one a rotation.

    Args:
        keys: Key-encryption keys, each 32 random bytes or their base64url text (with or without padding).

    Raises:
        ConfigurationError: There is no key, or one is not 32 bytes; all problems at once (`configuration`).

    Example:
        >>> sealer = Sealer([Sealer.generate_key()])
        >>> sealer.open(sealer.seal(b"private", aad=b"of ring a"), aad=b"of ring a")
        b'private'
    """

    __slots__ = ("_ciphers",)

    def __init__(self, keys: Iterable[bytes | str]) -> None:
        ciphers: list[AESGCM] = []
        problems: list[str] = []
        if isinstance(keys, (bytes, bytearray, str)):
            problems.append("Sealer.keys must be a list of keys; put the one key into a list")
        else:
            for index, key in enumerate(keys):
                try:
                    ciphers.append(AESGCM(_key_bytes(key)))
                except ValueError as error:
                    problems.append(f"Sealer.keys[{index}] {error}")
            if not ciphers and not problems:
                problems.append("Sealer.keys must hold at least one key; Sealer.generate_key() makes one")
        ConfigurationError.raise_if(problems)
        self._ciphers = tuple(ciphers)

    def __repr__(self) -> str:
        return f"<Sealer with {len(self._ciphers)} key(s)>"

    @staticmethod
    def generate_key() -> str:
        """A fresh key-encryption key as base64url text: what belongs into a secret manager.

        Example:
            >>> len(Sealer.generate_key())
            43
        """
        return base64url.encode(random_bytes(_KEY_BYTES))

    def seal(self, plaintext: bytes, /, *, aad: bytes) -> str:
        """The plaintext, sealed under the first key, as ASCII text.

        Args:
            plaintext: What nobody else may read.
            aad: What the text is bound to; it opens only with the same bytes.
        """
        nonce = random_bytes(_NONCE_BYTES)
        return _SEALED + base64url.encode(nonce + self._ciphers[0].encrypt(nonce, plaintext, _DOMAIN + aad))

    def open(self, text: str, /, *, aad: bytes) -> bytes:
        """What was sealed.

        Raises:
            KeyProviderError: It was changed, bound to something else, or sealed under a key that is not here
                (`keys_unavailable`).
        """
        if text.startswith(_PLAIN):
            # Never opened: whoever can write to the store could otherwise replace a sealed key with a plain one.
            raise KeyProviderError("the private key is stored in plain text, which a Sealer does not open")
        blob = _payload(text, prefix=_SEALED)
        nonce, sealed = blob[:_NONCE_BYTES], blob[_NONCE_BYTES:]
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(nonce, sealed, _DOMAIN + aad)
            except (InvalidTag, ValueError):
                continue
        raise KeyProviderError("the private key does not open: it was changed, moved, or sealed under another key")


class Plaintext:
    """Says by name that private keys are stored in plain text, and that somebody else guards the place.

    Example:
        >>> Plaintext().open(Plaintext().seal(b"private", aad=b""), aad=b"")
        b'private'
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "Plaintext()"

    def seal(self, plaintext: bytes, /, *, aad: bytes) -> str:  # noqa: ARG002 - the shape of Sealer.seal
        """The plaintext as ASCII text; nothing is hidden and nothing is bound."""
        return _PLAIN + base64url.encode(plaintext)

    def open(self, text: str, /, *, aad: bytes) -> bytes:  # noqa: ARG002 - the shape of Sealer.open
        """What `seal` was given.

        Raises:
            KeyProviderError: The text is damaged, or was sealed by a `Sealer` (`keys_unavailable`).
        """
        if text.startswith(_SEALED):
            raise KeyProviderError("the private key is sealed: give the Sealer that it was sealed with")
        return _payload(text, prefix=_PLAIN)


def _key_bytes(key: object) -> bytes:
    """The 32 bytes of a key; the message of the ValueError ends a sentence that names the key's place."""
    if isinstance(key, str):
        try:
            raw = base64url.decode(key.removesuffix("="))
        except ValueError:
            # Not chained: the decoder was given the key.
            raise ValueError("is not base64url text (characters A-Z a-z 0-9 - _)") from None
    elif isinstance(key, (bytes, bytearray)):
        raw = bytes(key)
    else:
        raise ValueError("must be 32 bytes or their base64url text")  # noqa: TRY004 - one kind of problem, collected
    if len(raw) != _KEY_BYTES:
        raise ValueError(f"must be {_KEY_BYTES} bytes long, not {len(raw)}")
    return raw


def _payload(text: str, *, prefix: str) -> bytes:
    """The bytes behind the prefix."""
    try:
        if text.startswith(prefix):
            return base64url.decode(text[len(prefix) :])
    except ValueError:
        pass
    raise KeyProviderError("the stored private key is damaged: it is not what was written")
