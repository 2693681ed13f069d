"""Another algorithm than the key's (RFC 8725 §2.1, §3.1), and secrets that everybody can guess."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mintkey import Reason
from mintkey.jose import thumbprint
from mintkey.jose.algorithms import SPECS
from mintkey.jose.base64url import decode, encode
from mintkey.jose.signatures import signer
from tests.security.attacks.case import Case, accepted, refused
from tests.security.attacks.forge import Forge
from tests.support.signing_keys import key_for

__all__ = ["algorithms", "public_as_secret", "weak_secrets"]

_HASHES = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}
_FOREIGN = ("ES256K", "HS1", "RS1", "MD5", "A256GCM", "RSA-OAEP", "dir", "ML-DSA-44", "EdDSA448", "Ed448", "SLH-DSA")


def public_as_secret(forge: Forge) -> Iterator[Case]:
    """The oldest one: what everybody knows, as the secret of an HMAC."""
    if forge.is_symmetric:
        return
    known = _known_bytes(forge)
    for algorithm, digest in _HASHES.items():
        signed = forge.signing_input({**forge.header, "alg": algorithm})
        for name, secret in known.items():
            tag = hmac.new(secret, signed.encode(), digest).digest()
            yield refused(
                f"{algorithm} with {name}",
                f"{signed}.{encode(tag)}",
                Reason.ALGORITHM_MISMATCH,
                "a verifier that takes the algorithm from the token takes the public key for a secret",
            )
            if algorithm == "HS256":
                good = forge.signing_input()
                tag = hmac.new(secret, good.encode(), digest).digest()
                yield refused(
                    f"an HMAC with {name}, and the right alg",
                    f"{good}.{encode(tag)}",
                    Reason.SIGNATURE_INVALID,
                    "a verifier that tries one way after the other",
                )


def _known_bytes(forge: Forge) -> dict[str, bytes]:
    """What everybody knows about a public key, in all the ways in which it is passed around."""
    jwk = forge.jwk
    public = forge.key.public
    bare = {name: value for name, value in jwk.items() if name not in {"alg", "kid", "use"}}
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    known = {
        "PEM": pem,
        "PEM without its last newline": pem.rstrip(),
        "PEM with CRLF": pem.replace(b"\n", b"\r\n"),
        "PEM in one line": pem.replace(b"\n", b"\\n"),
        "PEM after a space": b" " + pem,
        "PEM after a newline": b"\n" + pem,
        "PEM without its frame": b"".join(pem.splitlines()[1:-1]),
        "PEM called CERTIFICATE": pem.replace(b"PUBLIC KEY", b"CERTIFICATE"),
        "DER": der,
        "DER in base64": base64.b64encode(der),
        "DER in base64url": encode(der).encode(),
        "DER in hex": der.hex().encode(),
        "a hash of DER": hashlib.sha256(der).digest(),
        "JWK": json.dumps(jwk, separators=(",", ":")).encode(),
        "JWK with spaces": json.dumps(jwk).encode(),
        "JWK without what is about it": json.dumps(bare, separators=(",", ":")).encode(),
        "JWK as for a thumbprint": json.dumps(bare, separators=(",", ":"), sort_keys=True).encode(),
        "JWK Set": json.dumps({"keys": [jwk]}, separators=(",", ":")).encode(),
        "thumbprint": decode(thumbprint(jwk)),
        "thumbprint as text": thumbprint(jwk).encode(),
        "kid": forge.key.kid.encode(),
        "nothing": b"",
    }
    for member in (name for name in ("x", "y", "n", "e") if name in jwk):
        known[f"member {member}"] = decode(jwk[member])
        known[f"member {member} as text"] = jwk[member].encode()
    if "y" in jwk:
        point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        known |= {"the point": point, "x and y": point[1:]}
        known["the point, compressed"] = public.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    if "n" in jwk:
        known["PKCS #1 PEM"] = public.public_bytes(Encoding.PEM, PublicFormat.PKCS1)
        known["PKCS #1 DER"] = public.public_bytes(Encoding.DER, PublicFormat.PKCS1)
    if forge.algorithm != "ES512":  # OpenSSH knows that one, too, but nothing new would come of it
        known["OpenSSH"] = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return known


def weak_secrets(forge: Forge) -> Iterator[Case]:
    """Secrets from lists, and the right one misread."""
    if not forge.is_symmetric:
        return
    secret = forge.key.private
    guesses = {
        **{f"the word {word!r}": word.encode() for word in ("secret", "changeme", "password", "your-256-bit-secret")},
        **{f"{size} zeros": bytes(size) for size in (1, 16, 32, 48, 64, 128)},
        "nothing": b"",
        "kid": forge.key.kid.encode(),
        "the secret's text": forge.jwk["k"].encode(),
        "the secret in base64": base64.b64encode(secret),
        "the secret in hex": secret.hex().encode(),
        "the secret but for its last byte": secret[:-1],
        "the secret and a newline": secret + b"\n",
        "the secret twice": secret * 2,
        "half of the secret": secret[: len(secret) // 2],
        "the secret backwards": secret[::-1],
        "a hash of the secret": hashlib.sha256(secret).digest(),
        "the secret's JWK": json.dumps(forge.jwk).encode(),
        "another secret": forge.other.private,
        "the secret, one bit off": bytes([secret[0] ^ 1]) + secret[1:],
    }
    for algorithm, digest in _HASHES.items():
        signed = forge.signing_input({**forge.header, "alg": algorithm})
        reason = Reason.SIGNATURE_INVALID if algorithm == forge.algorithm else Reason.ALGORITHM_MISMATCH
        for name, guess in guesses.items():
            tag = hmac.new(guess, signed.encode(), digest).digest()
            yield refused(f"{algorithm} with {name}", f"{signed}.{encode(tag)}", reason, "a secret that can be guessed")


def algorithms(forge: Forge) -> Iterator[Case]:
    """Every other name of an algorithm, with the good signature and with one that is right for that name."""
    own = forge.spec.header_names
    for name in (*SPECS, "Ed25519", *_FOREIGN):
        header = {**forge.header, "alg": name}
        if name in own:
            yield accepted(f"{name}, a name of the key's", forge.token(header), "RFC 9864 §2.2: two names of one")
            continue
        why = "the algorithm is the key's, whatever the token says"
        yield from forge.both(f"{name}, signed by {forge.algorithm}", Reason.ALGORITHM_MISMATCH, why, header=header)
        if name in SPECS:
            yield from _signed_so(forge, name, header)
    for name, value in _spellings(forge.algorithm).items():
        why = "names are compared whole and in their case (RFC 7515 §4.1.1)"
        yield refused(name, forge.token({**forge.header, "alg": value}), Reason.ALGORITHM_MISMATCH, why)
    no_names: list[Any] = [None, True, False, 256, 2.5, [forge.algorithm], {forge.algorithm: 1}, []]
    for no_name in no_names:
        token = forge.token({**forge.header, "alg": no_name})
        yield refused(f"alg is {type(no_name).__name__} {no_name!s:.8}", token, Reason.MALFORMED, "a name is a string")


def _signed_so(forge: Forge, name: Any, header: dict[str, Any]) -> Iterator[Case]:
    """Signed by the algorithm that the header names: by this very key if it can, else by one that is right for it."""
    key = forge.key.private
    same_kind = SPECS[name].kty == forge.spec.kty and (SPECS[name].curve == forge.spec.curve or forge.is_symmetric)
    by_key = signer(key if same_kind else key_for(name).private, SPECS[name])
    signed = forge.signing_input(header)
    token = f"{signed}.{encode(by_key(signed.encode()))}"
    whose = "this key" if same_kind else "a key for that"
    why = "one key has one algorithm (RFC 8725 §3.1)"
    yield refused(f"{name}, really so signed by {whose}", token, Reason.ALGORITHM_MISMATCH, why)
    good = forge.signing_input()
    token = f"{good}.{encode(by_key(good.encode()))}"
    said = f"called {forge.algorithm}, signed by {name} with {whose}"
    yield refused(said, token, Reason.SIGNATURE_INVALID, "the header says what is allowed, and lies")
    if isinstance(key, RSAPrivateKey) or not same_kind:
        return
    bare = {"alg": name, "kid": forge.key.kid, "typ": "JWT"}
    signed = forge.signing_input(bare)
    token = f"{signed}.{encode(by_key(signed.encode()))}"
    yield refused(f"{name} with another typ", token, Reason.ALGORITHM_MISMATCH, "the algorithm is looked at before typ")


def _spellings(algorithm: str) -> dict[str, str]:
    return {
        "in lower case": algorithm.lower(),
        "in mixed case": algorithm.swapcase(),
        "with a space in front": f" {algorithm}",
        "with a space behind": f"{algorithm} ",
        "with a newline behind": f"{algorithm}\n",
        "with NUL behind": f"{algorithm}\0",
        "with none behind": f"{algorithm}none",
        "twice": algorithm * 2,
        "but for its last character": algorithm[:-1],
        "but for its first character": algorithm[1:],
        "in brackets": f"[{algorithm}]",
        "as a media type": f"application/{algorithm}",
        "with a long tail": algorithm + "A" * 4000,
        "with a zero-width joiner": f"{algorithm}\u200d",
        "in full width": "".join(chr(ord(letter) + 0xFEE0) for letter in algorithm),
    }
