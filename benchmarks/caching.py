"""What does a `VerificationCache` save when the same token comes again, and what does it cost when it does not?"""

import sys

from benchmarks import ours, rivals
from benchmarks.question import ask
from benchmarks.report import Figure, Report
from benchmarks.rounds import Scale, Subject, interleaved, repeated
from mintkey import VerificationCache
from mintkey.jose.jwk import generate

__all__ = ["measure"]

_KNOWN = 64
_TOO_FEW = 8


async def measure(scale: Scale) -> Report:
    """Hits against the bare signature, and a cache that is always too small against none."""
    async with (
        ours.service() as plain,
        ours.service(cache=VerificationCache()) as cached,
        ours.service(cache=VerificationCache(max_entries=_TOO_FEW)) as crowded,
    ):
        known = await ours.minted(cached, _KNOWN)
        bare = rivals.bare("EdDSA", generate("EdDSA").private_jwk or {}, known[0].rpartition(".")[0].encode())
        signature = bare.mint()
        subjects: dict[str, Subject] = {
            "bare": repeated(lambda: bare.verify(signature)),
            "hits": ours.verifying(cached, known),
            "none": ours.verifying(plain, await ours.minted(plain, _KNOWN)),
            "misses": ours.verifying(crowded, await ours.minted(crowded, _KNOWN)),
        }
        samples = await interleaved(subjects, scale=scale)
    hit = samples["hits"].times_faster_than(samples["bare"])
    miss = samples["misses"].times_faster_than(samples["none"])
    return Report(
        (
            Figure("P15", "repeat verify through a cache, times bare Ed25519 verify", hit, must=80, aim=140),
            Figure("", "verify that misses a full cache, times verify without one", miss),
        )
    )


if __name__ == "__main__":
    sys.exit(ask(measure, sys.argv[1:]))
