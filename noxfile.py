"""What is checked, and how: `nox` runs lint, types, tests on every Python it finds, coverage and the build."""

import os
import shutil
import subprocess
from pathlib import Path

import nox

PYTHONS = ["3.11", "3.12", "3.13"]

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["servers", "lint", "types", "tests", "coverage", "build", "extras"]


def _show_pyenv_interpreters() -> None:
    """Let nox find every interpreter that pyenv has, not only the one that is selected."""
    if "PYENV_VERSION" not in os.environ and shutil.which("pyenv"):
        versions = subprocess.run(["pyenv", "versions", "--bare"], capture_output=True, text=True, check=False).stdout
        wanted = [v for v in versions.split() if v.rsplit(".", 1)[0] in PYTHONS]
        if wanted:
            os.environ["PYENV_VERSION"] = ":".join(wanted)


def _runs(version: str) -> bool:
    command = shutil.which(f"python{version}")
    return command is not None and subprocess.run([command, "-c", ""], capture_output=True, check=False).returncode == 0


_show_pyenv_interpreters()

# Everything is done on one interpreter at least, and what differs between interpreters on each. The newest one here
# traces every line, and then does without tracing what is many processes, many schedules or many hostile tokens: the
# other tests reach every branch without these. The oldest one has the contracts of all backends, and generated cases;
# what works on both ends does so between.
OLDEST = next(filter(_runs, PYTHONS), PYTHONS[0])
NEWEST = next(filter(_runs, reversed(PYTHONS)), PYTHONS[0])
LARGE = [
    "tests/benchmarks",
    "tests/browser",
    "tests/concurrency",
    "tests/docs",
    "tests/faults",
    "tests/fleet",
    "tests/interop",
    "tests/model",
    "tests/mutation",
    "tests/security",
    "tests/simulation",
    "tests/soak",
]
# Contracts reach what users inherit from us; of those that are traced, none needs more than a Valkey.
LOCAL = ("-k", "not (contracts and (redis or postgresql or kms or pkcs11))")
# What starts servers and processes.
SERVED = ["tests/contracts", "tests/unit/cli", "tests/unit/redis", "tests/unit/replay", "tests/unit/sql"]

# Debian's names for what tests start, besides what comes from PyPI.
PROGRAMS = {
    "redis-server": "redis-server",
    "chromium": "chromium",
    "chromedriver": "chromium-driver",
    "softhsm2-util": "softhsm2",
    "wrk": "wrk",
}

EXTRAS = frozenset(nox.project.load_toml("pyproject.toml")["project"]["optional-dependencies"])

# More workers than cores: many tests wait for servers, or for time to pass. Each worker has servers of its own.
WORKERS = str(min(8, 2 * (os.cpu_count() or 1)))


def _install(session: nox.Session, *groups: str) -> None:
    session.install("-e", ".", *nox.project.dependency_groups(nox.project.load_toml("pyproject.toml"), *groups))


@nox.session(python=False)
def servers(session: nox.Session) -> None:
    """Install servers and programs that come as system packages, where that is possible; tests skip what is missing."""
    missing = [package for command, package in PROGRAMS.items() if not shutil.which(command)]
    if not missing:
        session.log("all of them are here")
    elif os.name == "posix" and os.geteuid() == 0 and shutil.which("apt-get"):
        # RUNLEVEL=1 keeps packages from starting servers of their own: the tests start theirs on free ports.
        quiet = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        session.run("apt-get", "update", "-qq", external=True, env=quiet, success_codes=range(256))
        session.run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing, external=True, env=quiet)
    else:
        session.log(f"not here, and cannot be installed: {', '.join(missing)}; tests that need them will be skipped")


@nox.session
def lint(session: nox.Session) -> None:
    """Style, format and the direction of imports."""
    _install(session, "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports")


@nox.session
def types(session: nox.Session) -> None:
    """Types, by two checkers, and that the whole public surface has them."""
    _install(session, "types")
    session.run("mypy")
    session.run("pyright")
    session.run("pyright", "--verifytypes", "mintkey", "--ignoreexternal")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """All tests, each on one interpreter at least; branch coverage, and the `speed` extra, on the newest."""
    is_oldest, is_newest = session.python == OLDEST, session.python == NEWEST
    _install(session, *(("bench", "docs", "recipes") if is_newest else ("test",)), "fuzz")
    env = {"COVERAGE_FILE": f".coverage.{session.python}", "PYTHONWARNINGS": "default"}
    if is_newest:
        env["TEST_EXTRAS"] = "speed"  # what is missing of it fails, and is not skipped
    runner = ("coverage", "run", "-m", "pytest") if is_newest else ("pytest",)
    if session.posargs:
        session.run(*runner, *session.posargs, env=env)
        return
    left_out, names = [*LARGE], tuple[str, ...]()
    if not is_newest:
        left_out += ["tests/integration", "tests/unit/cli/test_process.py"]
    if not is_oldest:
        left_out += ["tests/properties"]
        names = LOCAL
    if not (is_newest or is_oldest):
        left_out += SERVED
    chosen = [*names, *(f"--ignore={path}" for path in left_out)]
    session.run(*runner, "-n", WORKERS, "--dist=worksteal", *chosen, env=env)
    if is_newest:
        session.run("pytest", "-n", WORKERS, "--dist=worksteal", *LARGE, env=env)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site, strictly, into `build/site`; the tests do that, too."""
    _install(session, "docs")
    session.run("sphinx-build", "-W", "--keep-going", "-n", "docs", "build/site")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure everything, and draw the plots that the documentation shows; not part of the checks."""
    _install(session, "bench")
    plots = () if "--quick" in session.posargs or "--only" in session.posargs else ("--plots", "docs/img")
    session.run("python", "-m", "benchmarks", *plots, *session.posargs)


@nox.session
def proof(session: nox.Session) -> None:
    """Every hostile token, every fault on every wire, the larger models: of all these the tests try a part."""
    _install(session, "bench")
    whole = {"MINTKEY_ATTACKS": "all", "MINTKEY_FAULTS": "all", "MINTKEY_MODEL": "large"}
    session.run("pytest", "-n", WORKERS, "tests/security", "tests/model", "tests/faults", env=whole)
    session.run("python", "-m", "tests.faults")


@nox.session
def fuzz(session: nox.Session) -> None:
    """Compare with a strict reference for ten minutes, or as many seconds as are asked for; not part of the checks."""
    _install(session, "test", "fuzz")
    session.run("python", "-m", "tests.security.fuzz", "--seconds", *(session.posargs or ["600"]))


@nox.session
def soak(session: nox.Session) -> None:
    """Fleets under random faults, and a ledger that must balance: ten minutes, or as many seconds as are asked for."""
    _install(session, "test")
    session.run("python", "-m", "tests.soak", *(session.posargs or ["600"]))


@nox.session
def mutants(session: nox.Session) -> None:
    """Put one defect after the other into the core, and see that a test notices; takes hours, and can be resumed."""
    _install(session, "bench")
    session.run("python", "-m", "tests.mutation", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Every branch of the source was taken by some test."""
    session.install("coverage[toml]")
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")


@nox.session
def build(session: nox.Session) -> None:
    """Source distribution and wheel."""
    session.install("build", "twine")
    shutil.rmtree("dist", ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", "dist")
    session.run("twine", "check", "--strict", *map(str, Path("dist").iterdir()))


def _wheel(session: nox.Session) -> str:
    found = next(Path("dist").glob("*.whl"), None)
    if found is None:
        session.error("there is no wheel: nox -s build")
    return str(found)


@nox.session(reuse_venv=False)
@nox.parametrize("extra", ["none", *sorted(EXTRAS), "pytest"])
def extras(session: nox.Session, extra: str) -> None:
    """The wheel works in an empty environment, and with any one extra every module that asks for it."""
    others = (
        [f"mintkey[{extra}] @ {Path(_wheel(session)).resolve().as_uri()}"] if extra in EXTRAS else [_wheel(session)]
    )
    session.install(*others, *(["pytest"] if extra == "pytest" else []))
    installed = EXTRAS if extra == "all" else {extra}
    session.run("python", "-I", "tests/packaging/every_module.py", *sorted(installed))


def _installation(session: nox.Session) -> Path:
    """An environment with the wheel, every extra, and nothing else; not even pip."""
    session.install("pip")
    made = Path(session.create_tmp()) / "installation"
    session.run("python", "-m", "venv", "--clear", "--without-pip", str(made))
    everything = f"mintkey[all] @ {Path(_wheel(session)).resolve().as_uri()}"
    session.run("python", "-m", "pip", "--quiet", "--python", str(made), "install", everything)
    return made


@nox.session
def audit(session: nox.Session) -> None:
    """Whether anything in an installation with every extra has a known weakness; asks a database on the net."""
    session.install("pip-audit>=2.7")
    (packages,) = _installation(session).glob("lib/python*/site-packages")
    session.run("pip-audit", "--strict", "--progress-spinner", "off", "--path", str(packages))


@nox.session
def sbom(session: nox.Session) -> None:
    """What an installation with every extra is made of, as a CycloneDX bill of materials."""
    session.install("cyclonedx-bom>=7")
    described = _installation(session)
    Path("sbom").mkdir(exist_ok=True)
    session.run(
        *("cyclonedx-py", "environment", "--pyproject", "pyproject.toml", "--mc-type", "library"),
        *("--output-reproducible", "--output-file", "sbom/mintkey.cdx.json", str(described)),
    )
