"""The corpus: every family, by name, and its cases for an algorithm."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache

from tests.security.attacks.case import Case
from tests.security.attacks.families import (
    claims,
    confusion,
    elliptic,
    embedded,
    json_texts,
    kids,
    purposes,
    rsa,
    spellings,
    structures,
    unsecured,
)
from tests.security.attacks.families import signature_bytes as signatures
from tests.security.attacks.forge import Forge
from tests.support.signing_keys import ALGORITHMS

__all__ = [
    "ALGORITHMS",
    "ALL",
    "FAMILIES",
    "ONE_OF_A_KIND",
    "cases",
    "families_of",
    "forge_of",
    "is_about_claims",
    "is_foreign",
]

FAMILIES: Mapping[str, Callable[[Forge], Iterator[Case]]] = {
    "unsecured": unsecured.unsecured,
    "public-as-secret": confusion.public_as_secret,
    "weak-secrets": confusion.weak_secrets,
    "algorithms": confusion.algorithms,
    "kids": kids.kids,
    "embedded": embedded.embedded,
    "critical": embedded.critical,
    "private-members": embedded.private_members,
    "header-texts": json_texts.header_texts,
    "payload-texts": json_texts.payload_texts,
    "spellings": spellings.spellings,
    "structures": structures.structures,
    "no-texts": structures.no_texts,
    "sizes": structures.sizes,
    "signature-bytes": signatures.signature_bytes,
    "ecdsa": elliptic.ecdsa,
    "eddsa": elliptic.eddsa,
    "rsa": rsa.rsa,
    "times": claims.times,
    "issuers": claims.issuers,
    "audiences": claims.audiences,
    "subjects": claims.subjects,
    "types": purposes.types,
    "purposes": purposes.purposes,
    "scopes": purposes.scopes,
    "typed-claims": purposes.typed_claims,
}

_ONLY: Mapping[str, str | tuple[str, ...]] = {
    "ecdsa": "ES",
    "eddsa": "EdDSA",
    "rsa": ("RS", "PS"),
    "weak-secrets": "HS",
    "public-as-secret": ("EdDSA", "ES", "RS", "PS"),
}
"""Families that are about some algorithms only, by how these are called."""

_ABOUT_CLAIMS = {"payload-texts", "times", "issuers", "audiences", "subjects", "purposes", "scopes", "typed-claims"}
_FOREIGN = "-of-others"

ALL = os.environ.get("MINTKEY_ATTACKS") == "all"
ONE_OF_A_KIND: Sequence[str] = ALGORITHMS if ALL else ("EdDSA", "ES256", "RS256", "PS256", "HS256")
"""What is tried where the algorithm makes no difference but by its kind; `MINTKEY_ATTACKS=all` asks for all of them."""


def families_of(algorithm: str) -> list[str]:
    """The families that have something to say about an algorithm.

    Those about claims are there twice, for one algorithm of each kind: in the order in which we write claims, which is
    recognised by its form, and in another one, which has to be read.
    """
    own = [name for name in FAMILIES if algorithm.startswith(_ONLY.get(name, ""))]
    twice = [name for name in own if name in _ABOUT_CLAIMS and algorithm in ONE_OF_A_KIND]
    return [*own, *(name + _FOREIGN for name in twice)]


def is_about_claims(family: str) -> bool:
    """Whether its tokens differ in what they say, and in nothing that is looked at before."""
    return family.removesuffix(_FOREIGN) in _ABOUT_CLAIMS


def is_foreign(family: str) -> bool:
    """Whether its claims stand in another order than ours do."""
    return family.endswith(_FOREIGN)


@cache
def forge_of(algorithm: str, bait: str = "http://127.0.0.1:9", *, foreign: bool = False) -> Forge:
    """The one forge of an algorithm: keys and the good token are made once per process."""
    return Forge(algorithm, bait, foreign=foreign)


@cache
def cases(algorithm: str, family: str, bait: str = "http://127.0.0.1:9") -> tuple[Case, ...]:
    """A family's cases for an algorithm, made once per process: signing is what takes time."""
    name = family.removesuffix(_FOREIGN)
    return tuple(FAMILIES[name](forge_of(algorithm, bait, foreign=is_foreign(family))))
