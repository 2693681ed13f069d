"""What the attack corpus is made of: enough of everything, named, explained, and the same in every process."""

import os
import subprocess
import sys

import pytest

from mintkey import Reason, TokenService
from mintkey.claims.template import ClaimsTemplate
from mintkey.jose.base64url import decode
from mintkey.keys import StaticKeyProvider
from mintkey.replay import MemoryReplayStore
from tests.security.attacks.case import LOGIN
from tests.security.attacks.corpus import ALGORITHMS, FAMILIES, cases, families_of, forge_of
from tests.security.attacks.forge import ISSUER

LEAST = 600


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_there_are_enough_cases_and_none_is_there_twice(algorithm: str) -> None:
    of_family = {family: cases(algorithm, family) for family in families_of(algorithm)}
    total = 0
    for family, members in of_family.items():
        assert members, family
        assert len({case.name for case in members}) == len(members), family
        assert all(case.name and case.why for case in members), family
        total += len(members)
    assert total >= LEAST
    every = [case for members in of_family.values() for case in members]
    good = sum(case.reason is None for case in every)
    assert good >= LEAST / 6, "a corpus of refusals cannot tell a strict verifier from a dead one"
    assert good <= total / 2
    # What a token alone can be refused for; the others need a store, a ring or a network.
    assert {case.reason for case in every} >= {
        *(Reason.MALFORMED, Reason.TOO_LARGE, Reason.HEADER_UNSUPPORTED, Reason.SIGNATURE_INVALID),
        *(Reason.ALGORITHM_MISMATCH, Reason.KEY_UNKNOWN, Reason.PURPOSE_MISMATCH, Reason.CLAIM_MISSING),
        *(Reason.CLAIM_INVALID, Reason.ISSUER_MISMATCH, Reason.AUDIENCE_MISMATCH, Reason.EXPIRED),
        *(Reason.NOT_YET_VALID, Reason.INSUFFICIENT_SCOPE),
    }


def test_every_family_is_about_some_algorithm() -> None:
    assert {family for algorithm in ALGORITHMS for family in families_of(algorithm)} >= set(FAMILIES)


def test_names_are_the_same_in_every_process() -> None:
    """Keys are drawn at random, and sets have an order of their own: neither may decide about a name."""
    families = ["kids", "embedded", "signature-bytes", "public-as-secret"]
    here = [case.name for family in families for case in cases("ES256", family)]
    program = (
        "from tests.security.attacks.corpus import cases\n"
        f"for family in {families!r}:\n"
        "    for case in cases('ES256', family): print(ascii(case.name))"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    environment |= {"PYTHONPATH": ".", "PYTHONHASHSEED": "7"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.splitlines() == [ascii(name) for name in here]


async def test_the_good_token_is_what_the_service_mints() -> None:
    """Else all that is bent here would be bent from something that nobody sends."""
    forge = forge_of("EdDSA")
    keys = StaticKeyProvider({"keys": [forge.key.private_jwk]})
    service = TokenService(issuer=ISSUER, keys=keys, replay=MemoryReplayStore())
    minted = await service.mint(LOGIN, subject="20", claims={"email": "a@b.example"}, scopes=["orders:read"])
    template = ClaimsTemplate(issuer=ISSUER, audience=LOGIN.audience, required=())
    assert minted.split(".")[0] == forge.segments[0]
    for token, is_ours in ((minted, True), (forge.good, True), (forge_of("EdDSA", foreign=True).good, False)):
        assert (template.recognise(decode(token.split(".")[1])) is not None) is is_ours
