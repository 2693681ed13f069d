"""One token, other characters: what a lax base64url reader takes for the same bytes (RFC 7515 §2, RFC 4648 §3.5)."""

from collections.abc import Iterator

from mintkey import Reason
from mintkey.jose.base64url import encode
from tests.security.attacks.case import Case, refused
from tests.security.attacks.forge import Forge

__all__ = ["spellings"]

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_PARTS = ("header", "payload", "signature")
_FOREIGN = {
    "space": " ",
    "newline": "\n",
    "carriage return": "\r",
    "tab": "\t",
    "NUL": "\0",
    "equals sign": "=",
    "plus": "+",
    "slash": "/",
    "comma": ",",
    "colon": ":",
    "asterisk": "*",
    "tilde": "~",
    "percent": "%41",
    "quote": '"',
    "backslash": "\\",
    "non-ASCII letter": "\u00e9",
    "full width A": "\uff21",
    "zero-width space": "\u200b",
    "emoji": "\U0001f511",
    "half a surrogate pair": "\ud800",
    "DEL": "\x7f",
}
_WHY = "whoever blocks, caches or counts by text is walked around"


def spellings(forge: Forge) -> Iterator[Case]:
    """Each in every segment. No two spellings of one token are ever accepted."""
    for index, part in enumerate(_PARTS):
        segment = forge.segments[index]
        for name, bent in _bent(segment):
            yield _with(forge, index, bent, f"{part}: {name}", Reason.MALFORMED)
    for name, token in _around(forge.good).items():
        yield refused(name, token, Reason.MALFORMED, _WHY)
    yield from _of_odd_sizes(forge)


def _with(forge: Forge, index: int, segment: str, name: str, reason: Reason) -> Case:
    segments = list(forge.segments)
    segments[index] = segment
    return refused(name, ".".join(segments), reason, _WHY)


def _bent(segment: str) -> Iterator[tuple[str, str]]:
    middle = len(segment) // 2
    for name, foreign in _FOREIGN.items():
        for where, position in (("in front", 0), ("in the middle", middle), ("behind", len(segment))):
            yield f"{name} {where}", segment[:position] + foreign + segment[position:]
    yield "padded", segment + "=" * (-len(segment) % 4 or 4)
    yield "padded too much", segment + "===="
    yield "padding in the middle", f"{segment[:4]}=={segment[4:]}"
    yield "percent-encoded padding", segment + "%3D"
    yield "one character more", segment[: len(segment) // 4 * 4] + "A"
    yield "in lines of 64", "\n".join(segment[start : start + 64] for start in range(0, len(segment), 64)) + "\n"
    yield "in quotes", f'"{segment}"'
    yield "as a data URL", f"data:;base64,{segment}"


def _around(token: str) -> dict[str, str]:
    return {
        "space in front": f" {token}",
        "newline behind": f"{token}\n",
        "newline in front": f"\n{token}",
        "CRLF behind": f"{token}\r\n",
        "NUL behind": f"{token}\0",
        "byte order mark in front": f"\ufeff{token}",
        "in quotes": f'"{token}"',
        "in angle brackets": f"<{token}>",
        "scheme in front": f"Bearer {token}",
        "scheme in front, colon": f"JWT:{token}",
        "URL": f"https://myapp.example/magic?token={token}",
        "cookie": f"token={token}; Path=/",
        "semicolon behind": f"{token};",
        "comma behind": f"{token},",
        "twice, with a comma": f"{token},{token}",
        "twice, with a space": f"{token} {token}",
        "percent-encoded dots": token.replace(".", "%2E"),
        "full stops of full width": token.replace(".", "\uff0e"),
        "ideographic full stops": token.replace(".", "\u3002"),
        "commas for dots": token.replace(".", ","),
        "soft line breaks": "=\n".join((token[:76], token[76:])),
        "UTF-16 as text": token.encode("utf-16-le").decode("latin-1"),
        "in full width": "".join(chr(ord(letter) + 0xFEE0) for letter in token),
    }


def _of_odd_sizes(forge: Forge) -> Iterator[Case]:
    """Bits that no byte needs: 15 other last characters where four are left over, 3 where two are."""
    for index, part in enumerate(_PARTS):
        # A tail of every size, in tokens that are really signed: the header by a member, the claims by another one.
        for tail in (2, 3):
            header, claims, signature = _sized(forge, part, tail)
            segment = (header, claims, signature)[index]
            if len(segment) % 4 != tail:
                continue
            value = _ALPHABET.index(segment[-1])
            unused = 4 if tail == 2 else 2
            for bits in range(1, 1 << unused):
                bent = segment[:-1] + _ALPHABET[value | bits]
                segments = [header, claims, signature]
                segments[index] = bent
                name = f"{part}: last character {bits} further, tail of {tail}"
                yield refused(name, ".".join(segments), Reason.MALFORMED, _WHY)


def _sized(forge: Forge, part: str, tail: int) -> list[str]:
    if part == "signature":
        return list(forge.segments)
    for filler in range(3):
        header = {**forge.header, "tenant": "7" * (filler + 1)} if part == "header" else forge.header
        claims = {**forge.claims, "plan": "7" * (filler + 1)} if part == "payload" else forge.claims
        segments = forge.signing_input(header, claims).split(".")
        if len(segments[_PARTS.index(part)]) % 4 == tail:
            signature = forge.sign(".".join(segments).encode())
            return [*segments, encode(signature)]
    raise AssertionError
