"""Keys at rest: private ones sealed with AES-256-GCM, rings authenticated, or plain for whoever says so by name."""

import hmac
from collections.abc import Iterable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mintkey.errors import ConfigurationError, KeyProviderError
from mintkey.ids import random_bytes
from mintkey.jose import base64url

__all__ = ["Plaintext", "Sealer", "joined"]

_KEY_BYTES = 32
_NONCE_BYTES = 12
_SEALED = "sealed1."
_PLAIN = "plain1."
# What is sealed here never opens where the same key-encryption key is used for something else.
_DOMAIN = b"mintkey private key v1\0"
# Documents are authenticated with a key of their own, derived (RFC 5869), so that no key serves two algorithms.
_DOCUMENT_KEY = b"mintkey ring document v1"


class Sealer:
    """Seals private keys under key-encryption keys, and the ring around them: the first one seals, every one opens.

    To replace a key-encryption key in a fleet, put the new one behind the old one in every process, then in front of it
    in every process, then call `RotatingKeyProvider.rewrap()`; after that the old one is no longer needed.

    Sealing is AES-256-GCM with a random 96-bit nonce (NIST SP 800-38D §8.2.2), good for 2**32 seals under one key; a
    ring makes one a rotation. The document of the ring (times, public keys, revocations) carries an HMAC-SHA256 under a
    key derived from the same key-encryption key, so that who can write to the store can add, postpone or un-revoke
    nothing. He can still delete, bring an older state back (which a process that saw the newer one notices and heals)
    and change the counts of mints.

    Args:
        keys: Key-encryption keys, each 32 random bytes or their base64url text (with or without padding).

    Raises:
        ConfigurationError: There is no key, or one is not 32 bytes; all problems at once (`configuration`).

    Example:
        >>> sealer = Sealer([Sealer.generate_key()])
        >>> sealer.open(sealer.seal(b"private", aad=b"of ring a"), aad=b"of ring a")
        b'private'
    """

    __slots__ = ("_authenticators", "_ciphers")

    def __init__(self, keys: Iterable[bytes | str]) -> None:
        ciphers: list[AESGCM] = []
        authenticators: list[bytes] = []
        problems: list[str] = []
        if isinstance(keys, (bytes, bytearray, str)):
            problems.append("Sealer.keys must be a list of keys; put the one key into a list")
        else:
            for index, key in enumerate(keys):
                try:
                    raw = _key_bytes(key)
                    ciphers.append(AESGCM(raw))
                    authenticators.append(HKDF(SHA256(), _KEY_BYTES, salt=None, info=_DOCUMENT_KEY).derive(raw))
                except ValueError as error:
                    problems.append(f"Sealer.keys[{index}] {error}")
            if not ciphers and not problems:
                problems.append("Sealer.keys must hold at least one key; Sealer.generate_key() makes one")
        ConfigurationError.raise_if(problems)
        self._ciphers = tuple(ciphers)
        self._authenticators = tuple(authenticators)

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
        for index in range(len(self._ciphers)):
            plaintext = self._opens(index, blob, aad)
            if plaintext is not None:
                return plaintext
        raise KeyProviderError("the private key does not open: it was changed, moved, or sealed under another key")

    def reseal(self, text: str, /, *, aad: bytes) -> str:
        """The same secret sealed under the first key; the very text if it already is.

        Raises:
            KeyProviderError: As for `open` (`keys_unavailable`).
        """
        plaintext = self.open(text, aad=aad)
        return (
            text if self._opens(0, _payload(text, prefix=_SEALED), aad) is not None else self.seal(plaintext, aad=aad)
        )

    def authenticate(self, message: bytes, /) -> bytes:
        """The tag of the first key for a message, as ASCII: HMAC-SHA256 (RFC 2104)."""
        return _tag(self._authenticators[0], message)

    def is_authentic(self, message: bytes, tag: bytes, /) -> bool:
        """Whether one of the keys made this tag for this message."""
        return any(hmac.compare_digest(_tag(key, message), tag) for key in self._authenticators)

    def _opens(self, index: int, blob: bytes, aad: bytes) -> bytes | None:
        """What one of the keys makes of a sealed blob; None if it is not the one."""
        try:
            return self._ciphers[index].decrypt(blob[:_NONCE_BYTES], blob[_NONCE_BYTES:], _DOMAIN + aad)
        except (InvalidTag, ValueError):
            return None


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

    def reseal(self, text: str, /, *, aad: bytes) -> str:
        """The text itself: there is no key that could be replaced.

        Raises:
            KeyProviderError: As for `open` (`keys_unavailable`).
        """
        self.open(text, aad=aad)
        return text


def joined(*parts: bytes) -> bytes:
    """The parts in a row, each behind its length, so that no two rows have the same bytes.

    Example:
        >>> joined(b"ab", b"c") == joined(b"a", b"bc")
        False
    """
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _tag(key: bytes, message: bytes) -> bytes:
    return base64url.encode(hmac.digest(key, message, "sha256")).encode()


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
