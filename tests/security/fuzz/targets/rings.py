"""Ring documents, as whoever can write to the store could leave them there."""

import json
from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any

from mintkey.errors import KeyProviderError
from mintkey.keys.document import decode, encode
from mintkey.keys.document_seal import DocumentSeal
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.ports import KeyMaterial
from mintkey.keys.ring import Intent, Ring, apply, keys_needed, plan
from mintkey.keys.sealing import Sealer
from tests.security.fuzz.mutating import flipped, json_mutator
from tests.security.fuzz.reference import rings
from tests.security.fuzz.target import Finding, Target, check, outcome_of, verdict_of

__all__ = ["RING"]

_NOW = 1_767_225_600.0
_POLICY = RotationPolicy(every=timedelta(days=1), previous_ttl=timedelta(hours=6))
_SEALS = [DocumentSeal(Sealer([bytes([1]) * 32]), ring=name) for name in ("fuzz", "other")]


def _version(kid: str, **changed: Any) -> dict[str, Any]:
    version = {
        "kid": kid,
        "algorithm": "EdDSA",
        "public_jwk": {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": kid},
        "handle": "plain1.AA",
        "erase_when_retiring": True,
        "created_at": _NOW - 90_000,
        "activates_at": None,
        "retires_at": None,
        "verify_until": None,
        "revoked_at": None,
        "revoked_because": "",
    }
    return version | changed


_VERSIONS = (
    _version("old", activates_at=_NOW - 180_000, retires_at=_NOW - 90_000, verify_until=_NOW - 68_400, handle=""),
    _version("gone", activates_at=_NOW - 90_000, retires_at=_NOW - 80_000, verify_until=_NOW, revoked_at=_NOW - 80_000),
    _version("now", activates_at=_NOW - 80_000),
    _version("next", created_at=_NOW - 80_000),
    _version("secret", algorithm="HS256", public_jwk=None),
)


def _seeds() -> Iterable[bytes]:
    for versions in ((), _VERSIONS[2:4], _VERSIONS):
        document = {"format": 1, "versions": versions, "tombstones": [{"kid": "before", "revoked": False}]}
        yield json.dumps(document).encode()


def _run(data: bytes) -> None:
    expected = verdict_of(lambda: rings.judge(data))
    found = outcome_of(lambda: _members(decode(data, ring="fuzz")), KeyProviderError)
    check(expected[0], found[0], "a ring document")
    if found[0] == "accepted":
        ring = decode(data, ring="fuzz")
        check(ring, decode(encode(ring), ring="fuzz"), "written and read again")
        for now in (0.0, _NOW, _NOW + 1e6):
            _go_on(ring, now)
    _run_seal(data)


def _members(ring: Ring) -> list[Any]:
    return [[version.kid, version.created_at, version.material.algorithm] for version in ring.versions]


def _go_on(ring: Ring, now: float) -> None:
    """Whatever stands there, the next edit leaves a ring that signs, and takes nothing back."""
    edits = plan(ring, now, _POLICY, Intent())
    materials = [
        KeyMaterial(kid=f"new~{number}", algorithm="HS256", public_jwk=None, handle="", erase_when_retiring=False)
        for number in range(keys_needed(edits))
    ]
    after = apply(ring, edits, materials)
    if after.signer is None or not after.successors:
        raise Finding("nobody signs, or nobody is next")
    if after.signer.revoked_at is not None:
        raise Finding("a revoked key signs")
    for before in ring.versions:
        kept = after.find(before.kid)
        if kept is None or kept.revoked_at != before.revoked_at:
            raise Finding("a version is lost, or no longer revoked")
        if before.verify_until is not None and kept.verify_until != before.verify_until:
            raise Finding("the end of a version moved")
    check(after, decode(encode(after), ring="fuzz"), "what was made of it, written and read again")


def _run_seal(data: bytes) -> None:
    """The seal opens what was sealed, at its revision and for its ring, and nothing else."""
    seal, other = _SEALS
    sealed = seal.close(data, revision=7)
    check(data, seal.open(sealed, revision=7), "a sealed document")
    for wrong, revision in ((other, 7), (seal, 6), (seal, 71)):
        if outcome_of(partial(wrong.open, sealed, revision=revision), KeyProviderError)[0] == "accepted":
            raise Finding("a seal opens elsewhere")
    if outcome_of(lambda: seal.open(data, revision=7), KeyProviderError)[0] == "accepted":
        raise Finding("a document opens without its seal")


_NAMES = [*_VERSIONS[0], "format", "versions", "tombstones", "kid", "revoked", "d", "k", "mints"]
_VALUES = (
    *(_NOW, _NOW - 1, _NOW + 1, 0, 253_402_300_799, 253_402_300_800, 1e31, -1, True, "HS256", "ES256", "EdDSA", "none"),
    *(
        _VERSIONS[0],
        _VERSIONS[2],
        {"kid": "now", "revoked": True},
        {"kty": "oct", "k": "AA"},
        {"d": ""},
        "now",
        "x y",
        2,
    ),
)
_mutate_json = json_mutator(_NAMES, _VALUES)


def _mutate(data: bytes, random: Random) -> bytes:
    return _mutate_json(data, random) if data[:1] == b"{" else flipped(data, random)


RING = Target(run=_run, seeds=_seeds, mutate=_mutate)
