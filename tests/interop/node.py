"""Programs in JavaScript: their packages are installed once a machine, and each program answers questions by lines."""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import Any, NoReturn, cast

import platformdirs
import pytest

__all__ = ["NodePackages", "NodeProgram", "installed"]

_PACKAGES = ("jose@^6", "oidc-provider@^9")
_OLDEST_NODE = (20, 19)
_INSTALL_SECONDS = 240.0
_ANSWER_SECONDS = 30.0
_HERE = Path(__file__).parent


def _do_without(reason: str) -> NoReturn:
    """A laptop may, CI may not."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


class NodePackages:
    """The packages that our programs import, and the interpreter that runs them.

    Args:
        node: The interpreter.
        folder: Where the packages are.
    """

    def __init__(self, node: str, folder: Path) -> None:
        self._node = node
        self._folder = folder

    def version(self, package: str) -> str:
        """Which version of a package was installed."""
        about = json.loads((self._folder / package / "package.json").read_text(encoding="utf-8"))
        return cast("str", about["version"])

    @contextmanager
    def run(self, script: str) -> Iterator["NodeProgram"]:
        """One of the scripts beside this file, for as long as the block lasts."""
        with self._place() as place:
            shutil.copyfile(_HERE / script, place / script)
            program = NodeProgram(self._node, place / script, place / "log")
            try:
                yield program
            finally:
                program.stop()

    def call(self, source: str, function: str, *arguments: object, constants: Mapping[str, object]) -> Any:
        """What a function of a module returns, given by its source, when the names that it misses are constants."""
        with self._place() as place:
            (place / "module.mjs").write_text(source, encoding="utf-8")
            (place / "main.mjs").write_text(
                f"Object.assign(globalThis, {json.dumps(constants)});\n"
                f"const {{ {function} }} = await import('./module.mjs');\n"
                f"console.log(JSON.stringify(await {function}(...{json.dumps(arguments)})));\n",
                encoding="utf-8",
            )
            command = [self._node, str(place / "main.mjs")]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_ANSWER_SECONDS)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return json.loads(done.stdout)

    @contextmanager
    def _place(self) -> Iterator[Path]:
        """A folder in which modules find the packages: they look above their own file, and nowhere else."""
        with tempfile.TemporaryDirectory(prefix="mintkey-node-") as place:
            (Path(place) / "node_modules").symlink_to(self._folder, target_is_directory=True)
            yield Path(place)


class NodeProgram:
    """A process that answers a line of JSON with a line of JSON. Blocking: ask it from a thread.

    Args:
        node: The interpreter.
        script: The program.
        log: Where what it complains about goes.
    """

    def __init__(self, node: str, script: Path, log: Path) -> None:
        self._log = log
        with log.open("wb") as complaints:
            self._process = subprocess.Popen(
                [node, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints
            )

    def ask(self, question: str, **details: Any) -> Any:
        """Its answer.

        Raises:
            RuntimeError: It has none, or says that it could not; the message is what it says.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps({"question": question, **details}).encode() + b"\n")
        stdin.flush()
        patience = Timer(_ANSWER_SECONDS, self._process.kill)
        patience.start()
        line = stdout.readline()
        patience.cancel()
        if not line:
            raise RuntimeError(f"no answer to {question}: {self._log.read_text(encoding='utf-8')}")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["answer"]

    def stop(self) -> None:
        """End it: it does so by itself when nobody can ask any more."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


def installed() -> NodePackages:
    """The packages, installed by whoever comes first into a folder that stays for the next run."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        _do_without("node (20.19 or later) and npm are not on PATH")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if tuple(map(int, version.removeprefix("v").split(".")[:2])) < _OLDEST_NODE:
        _do_without(f"node is {version}, and these packages need {'.'.join(map(str, _OLDEST_NODE))} or later")
    wanted = hashlib.sha256(" ".join((version, *_PACKAGES)).encode()).hexdigest()[:12]
    folder = platformdirs.user_cache_path("mintkey-tests") / f"node-{wanted}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # until it is closed: the workers of a parallel run wait for the first
        if not (folder / "complete").exists():
            _install(npm, folder)
            (folder / "complete").touch()
    return NodePackages(node, folder / "node_modules")


def _install(npm: str, folder: Path) -> None:
    shutil.rmtree(folder / "node_modules", ignore_errors=True)  # of somebody who was interrupted
    (folder / "package.json").write_text('{"private": true}', encoding="utf-8")
    quiet = ("--no-audit", "--no-fund", "--no-package-lock", "--no-update-notifier", "--ignore-scripts")
    command = [npm, "install", *quiet, *_PACKAGES]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=_INSTALL_SECONDS
        )
    except subprocess.TimeoutExpired:
        _do_without("npm install takes too long")
    if done.returncode != 0:
        _do_without(f"npm install failed: {done.stderr[-2000:]}")
