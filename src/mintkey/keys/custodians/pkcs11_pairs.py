"""What a custodian does with key pairs on its token. Each function runs in a worker thread, in a session of its own."""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from threading import Event
from typing import Any

from mintkey.errors import ConfigurationError, KeyProviderError
from mintkey.ids import random_bytes
from mintkey.jose.algorithms import AlgorithmSpec
from mintkey.jose.loaded import LoadedKey
from mintkey.jose.prepared import verification_key
from mintkey.keys.custodians.leftovers import Leftovers
from mintkey.keys.custodians.pkcs11_api import UNSUPPORTED, Attribute, PKCS11Error
from mintkey.keys.custodians.pkcs11_names import Label, attributes_of, uri_of
from mintkey.keys.custodians.pkcs11_objects import (
    PRIVATE,
    PUBLIC,
    find,
    find_one,
    generate,
    private_key,
    public_half,
    sign,
    signature_size,
)
from mintkey.keys.custodians.pkcs11_sessions import OwnSession
from mintkey.keys.ports import KeyMaterial

__all__ = ["adopt", "check", "create", "destroy", "sweep"]

_ID_SIZE = 16
_PROOF = b"mintkey: do the halves of this key belong together?"


def create(spec: AlgorithmSpec, label: Label, rsa_bits: int, is_given_up: Event, session: OwnSession, /) -> KeyMaterial:
    """A new key pair.

    Args:
        spec: What it is for.
        label: What to write on it; the key id is added.
        rsa_bits: The modulus, if it has one.
        is_given_up: Set when nobody waits for it any more; then it is deleted.
        session: The session.

    Raises:
        ConfigurationError: The token does not do this algorithm (`configuration`).
        PKCS11Error: It could not be made.
    """
    key_id = random_bytes(_ID_SIZE)
    with session.writing() as writing:
        make = partial(generate, writing, spec, rsa_bits=rsa_bits, key_id=key_id, label=label)
        try:
            try:
                halves = make()
            except UNSUPPORTED:
                # SoftHSM has said so of a template that it took before and after, while other threads made keys.
                halves = make()
        except UNSUPPORTED as error:
            problem = f"the token makes no keys for {spec.name}: {type(error).__name__}"
            raise ConfigurationError(problem) from error
        key = public_half(halves[0], spec)
        for half in halves:
            if is_given_up.is_set():
                half.destroy()
            else:
                with suppress(PKCS11Error):  # not every token lets its labels be changed; `sweep` can do without
                    half[Attribute.LABEL] = str(Label(label.ring, label.made_at, key.kid))
    handle = uri_of(key_id=key_id, label="")
    return KeyMaterial(kid=key.kid, algorithm=spec.name, public_jwk=key.public_jwk, handle=handle)


def check(material: KeyMaterial, spec: AlgorithmSpec, session: OwnSession, /) -> int:
    """How long the signatures of a key are, in bytes, if it is the one that the ring says.

    Raises:
        KeyProviderError: It is another one, or must not sign (`keys_unavailable`).
        PKCS11Error: There is no such key.
    """
    public = find_one(session.raw, PUBLIC, attributes_of(material.handle))
    key = _public_half(public, spec)
    if key is None or key.kid != material.kid:  # whoever can write to the ring must not choose which key signs
        raise KeyProviderError(f"the ring names another key of the token than {material.kid}")
    private_key(session, material.handle)
    return signature_size(key, spec)


def destroy(material: KeyMaterial, spec: AlgorithmSpec, ring: str, session: OwnSession, /) -> bool:
    """Delete both halves of a key pair that was made here, the private one first; whether there was anything to do."""
    wanted = attributes_of(material.handle)
    with session.writing() as writing:
        publics = find(writing, PUBLIC, wanted)
        halves = [*find(writing, PRIVATE, wanted), *publics]
        # Whoever can write to the ring must not choose what is deleted either. A token that lets no label be changed
        # says in its public key alone which one it is.
        kids: set[str | None] = {_label(half).kid for half in halves}
        kids |= {_kid(public, spec) for public in publics}
        if kids - {""} != {material.kid} or any(_label(half).ring != ring for half in halves):
            return False
        for half in halves:
            half.destroy()
    return True


def adopt(name: str, spec: AlgorithmSpec, session: OwnSession, /) -> KeyMaterial:
    """A key pair that is on the token already.

    Raises:
        ConfigurationError: It does not fit the algorithm, or could leave the token (`configuration`).
        KeyProviderError: Its halves do not belong together, or it must not sign (`keys_unavailable`).
        PKCS11Error: There is not exactly one pair of this name.
    """
    wanted = attributes_of(name) if name.startswith("pkcs11:") else {Attribute.LABEL: name}
    private = find_one(session.raw, PRIVATE, wanted)
    if private[Attribute.EXTRACTABLE] or not private[Attribute.SENSITIVE]:
        raise ConfigurationError("the key could leave the token: set CKA_SENSITIVE and clear CKA_EXTRACTABLE first")
    handle = uri_of(key_id=private[Attribute.ID], label=private[Attribute.LABEL])
    key = public_half(find_one(session.raw, PUBLIC, attributes_of(handle)), spec)
    proof = sign(private_key(session, handle), spec, _PROOF, signature_size(key, spec))
    if not verification_key(key).verify(_PROOF, proof):
        raise KeyProviderError("the public key with the name of the private one is that of another")
    return KeyMaterial(kid=key.kid, algorithm=spec.name, public_jwk=key.public_jwk, handle=handle)


def sweep(ring: str, leftovers: Leftovers, session: OwnSession, /) -> Sequence[str]:
    """Delete key pairs that were made for a ring and are left over; their handles."""
    swept: dict[str, None] = {}
    with session.writing() as writing:
        for half in (*find(writing, PRIVATE, {}), *find(writing, PUBLIC, {})):
            label, handle = _label(half), uri_of(key_id=half[Attribute.ID], label="")
            is_old = label.ring == ring and label.made_at < leftovers.made_before
            if is_old and leftovers.has(handle=handle, kid=label.kid):
                half.destroy()
                swept[handle] = None
    return tuple(swept)


def _public_half(public: Any, spec: AlgorithmSpec) -> LoadedKey | None:
    """A public key on the token; None: it is none for this algorithm."""
    try:
        return public_half(public, spec)
    except ConfigurationError:
        return None


def _kid(public: Any, spec: AlgorithmSpec) -> str | None:
    key = _public_half(public, spec)
    return None if key is None else key.kid


def _label(half: Any) -> Label:
    """What is written on it; no ring where that is not ours."""
    return Label.of(half[Attribute.LABEL]) or Label("", 0)
