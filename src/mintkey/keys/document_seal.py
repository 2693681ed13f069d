"""The seal of a ring document: times, public keys and revocations are what a process with the right key wrote.

Sealed private keys are not enough. Whoever can write to a store could add a public key of his own as a version that
still verifies, postpone the end of another, or take a revocation back. So with a `Sealer` a line stands in front of the
document:

```
mintkey-sealed-ring-1 4bkbmDWZ1d4L6yTqIv7s3MZnmMVB9MyfBKpYNWXZkF0
{"format":1,"versions":[…],"tombstones":[…]}
```

It authenticates the name of the ring, the revision and the document. An older document is therefore good only with its
older revision, which every process notices that saw a newer one. What the line does not cover is what the store counts.
"""

from mintkey.errors import KeyProviderError
from mintkey.keys.sealing import Plaintext, Sealer, joined

__all__ = ["DocumentSeal"]

_MAGIC = b"mintkey-sealed-ring-1 "


class DocumentSeal:
    """Puts the seal on the documents of one ring, and takes it off.

    Args:
        sealer: Whose keys authenticate; `Plaintext()` or None: documents carry no seal.
        ring: The ring's name.
    """

    __slots__ = ("_ring", "_sealer")

    def __init__(self, sealer: Sealer | Plaintext | None, /, *, ring: str) -> None:
        self._sealer = sealer if isinstance(sealer, Sealer) else None
        self._ring = ring

    @property
    def is_there(self) -> bool:
        """Whether documents carry one."""
        return self._sealer is not None

    def close(self, document: bytes, /, *, revision: int) -> bytes:
        """What to store: the document behind its seal.

        Args:
            document: The ring as it was written down.
            revision: The one that it will have in the store.
        """
        return document if self._sealer is None else self._line(self._sealer, document, revision) + document

    def open(self, stored: bytes, /, *, revision: int) -> bytes:
        """The document, if it is what was written.

        Args:
            stored: What the store holds.
            revision: The one under which the store holds it.

        Raises:
            KeyProviderError: It was changed or moved, is older than it claims to be, is sealed under a key that is not
                here, or is not sealed though it should be, or the other way round (`keys_unavailable`).
        """
        is_sealed = stored.startswith(_MAGIC)
        if self._sealer is None:
            if is_sealed:
                raise self._refusal("is sealed: give the sealer=Sealer([...]) that it was sealed with")
            return stored
        if not is_sealed:
            # Never read: whoever can write to the store would otherwise just leave the seal away.
            raise self._refusal(
                "is not sealed, and a Sealer reads none that is not: somebody without the key-encryption key wrote it. "
                "Restore it from a backup; if it was meant to be plain, copy it to a ring of another name"
            )
        line, _, document = stored.partition(b"\n")
        if not self._sealer.is_authentic(self._statement(document, revision), line[len(_MAGIC) :]):
            raise self._refusal(
                f"does not pass its seal at revision {revision}: it was changed, belongs to another ring or revision, "
                "or was sealed under a key-encryption key that is not listed here. List the key that is missing, or "
                "restore document and revision from a backup"
            )
        return document

    def is_current(self, stored: bytes, /, *, revision: int) -> bool:
        """Whether the seal is the one that would be put on today: of the first key-encryption key, or none at all."""
        return stored == self.close(self.open(stored, revision=revision), revision=revision)

    def _line(self, sealer: Sealer, document: bytes, revision: int) -> bytes:
        return _MAGIC + sealer.authenticate(self._statement(document, revision)) + b"\n"

    def _statement(self, document: bytes, revision: int) -> bytes:
        return joined(self._ring.encode(), str(revision).encode(), document)

    def _refusal(self, problem: str) -> KeyProviderError:
        return KeyProviderError(
            f"the stored document of ring {self._ring!r} is left as it is, because it {problem}",
            details={"ring": self._ring},
        )
