"""Which modules are mutated, and by which tests their mutants are hunted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["ROOMS", "SOURCE", "Room"]

SOURCE = Path(__file__).parents[2] / "src"

# Servers of these kinds change no line of a room that the others do not run, and are slow to ask.
_NOT_ON = "not (debian or cluster or sentinel or postgres)"


@dataclass(frozen=True)
class Room:
    """Modules that are mutated together.

    Attributes:
        modules: Dotted names; one that ends in `.*` is all modules of a package.
        tests: Paths of tests that may kill.
        keywords: Which of them, as `pytest -k` says it.
        likely: What is in the name of tests that notice what is wrong in a module, besides the module's own name.
    """

    modules: tuple[str, ...]
    tests: tuple[str, ...]
    keywords: str = _NOT_ON
    likely: Mapping[str, str] = field(default_factory=dict)

    def files(self) -> dict[str, Path]:
        """The modules and their files."""
        found: dict[str, Path] = {}
        for name in self.modules:
            if name.endswith(".*"):
                for path in sorted((SOURCE / name[:-2].replace(".", "/")).glob("*.py")):
                    found[f"{name[:-2]}.{path.stem}"] = path
            else:
                found[name] = SOURCE / f"{name.replace('.', '/')}.py"
        return found


ROOMS = {
    "replay": Room(
        ("mintkey.replay.*",),
        (
            "tests/unit/replay",
            "tests/contracts/test_replay_stores.py",
            "tests/contracts/test_family_stores.py",
            "tests/integration/test_redis_faults.py",
            "tests/integration/test_lost_replies.py",
            "tests/integration/test_looking_over_redis.py",
            "tests/unit/sql",
            "tests/unit/redis",
            "tests/unit/test_verifying.py",
            "tests/unit/test_values.py",
        ),
        likely={
            **dict.fromkeys(
                ("mintkey.replay.redis_scripts", "mintkey.replay.redis", "mintkey.replay.redis_keys"), "valkey"
            ),
            **dict.fromkeys(("mintkey.replay.base", "mintkey.replay.memory"), "[memory]"),
            "mintkey.replay.redis_errors": "test_redis_edges",
            "mintkey.replay.sql": "[sqlite]",
        },
    ),
    "keys": Room(
        (
            "mintkey.keys.ring",
            "mintkey.keys.engine",
            "mintkey.keys.keeper",
            "mintkey.keys.minting",
            "mintkey.keys.counts",
        ),
        (
            "tests/unit/keys",
            "tests/contracts/test_key_providers.py",
            "tests/properties/test_ring_machine.py",
            "tests/simulation/test_engine_agrees.py",
            "tests/unit/test_two_loops.py",
            "tests/unit/test_values.py",
        ),
        likely=dict.fromkeys(("mintkey.keys.keeper", "mintkey.keys.minting", "mintkey.keys.counts"), "test_two_loops"),
    ),
    "jose": Room(
        ("mintkey.jose.*",),
        ("tests/unit/jose", "tests/conformance", "tests/properties/test_two_ed25519.py", "tests/unit/test_values.py"),
    ),
    "claims": Room(
        ("mintkey.claims.*",),
        (
            "tests/unit/claims",
            "tests/unit/test_verifying.py",
            "tests/unit/test_minting.py",
            "tests/properties/test_template.py",
            "tests/unit/test_values.py",
        ),
        likely={"mintkey.claims.registered": "test_names_edges"},
    ),
    "service": Room(
        ("mintkey.service", "mintkey.verifier", "mintkey.spending", "mintkey.issuing"),
        (
            "tests/unit/test_verifying.py",
            "tests/unit/test_minting.py",
            "tests/unit/test_cache.py",
            "tests/unit/test_pace.py",
            "tests/unit/test_purpose.py",
            "tests/unit/test_places.py",
            "tests/unit/test_surface.py",
            "tests/unit/refresh",
            "tests/unit/integrations/test_vocabulary.py",
            "tests/unit/integrations/test_operations.py",
            "tests/unit/test_defaults_edges.py",
            "tests/unit/test_issuing_edges.py",
            "tests/unit/test_kept_edges.py",
            "tests/unit/test_lifecycle.py",
            "tests/unit/test_pacing_edges.py",
            "tests/unit/test_service_edges.py",
            "tests/unit/test_spending.py",
            "tests/unit/test_verifier_edges.py",
            "tests/unit/test_values.py",
        ),
        likely={
            **dict.fromkeys(("mintkey.service", "mintkey.issuing"), "test_minting"),
            **dict.fromkeys(("mintkey.verifier", "mintkey.spending"), "verif"),
        },
    ),
}
