"""What a ring file holds, as bytes: a checksum line, a line of JSON about the ring, and the document as it is."""

import hashlib

from mintkey.claims import strict_json
from mintkey.keys.ports import StoredRing

__all__ = ["decode", "encode"]

_MAGIC = b"mintkey-ring-1"


def encode(ring: str, stored: StoredRing, /) -> bytes:
    """The bytes of a ring file.

    Args:
        ring: The ring's name, so that a file that was moved is not taken for another ring.
        stored: Document, revision, mints and what was given back of them.
    """
    about = {
        "ring": ring,
        "revision": stored.revision,
        "mints": dict(stored.mints),
        "returned": dict(stored.returned),
    }
    body = strict_json.dumps(about) + b"\n" + stored.document
    return b"%s %s\n%s" % (_MAGIC, _checksum(body), body)


def decode(ring: str, content: bytes, /) -> StoredRing:
    """The ring that a file holds.

    Raises:
        ValueError: The content is not what was written, or is that of another ring; the message ends a sentence that
            names the file.
    """
    first, _, body = content.partition(b"\n")
    magic, _, checksum = first.partition(b" ")
    if magic != _MAGIC:
        raise ValueError("is no key ring that this version reads")
    # Not a proof against attackers (who may write here may sign anyway), but a torn or edited file is noticed.
    if checksum != _checksum(body):
        raise ValueError("is damaged: its checksum does not fit")
    line, _, document = body.partition(b"\n")
    about = strict_json.loads(line)
    match about:
        case {"ring": str(name), "revision": int(revision), "mints": dict(), "returned": dict()} if name == ring:
            return StoredRing(document, revision, about["mints"], returned=about["returned"])
        case _:
            raise ValueError("holds another ring than its name says")


def _checksum(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode()
