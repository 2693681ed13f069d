"""`mintkey` as other programs meet it: a process with pipes, signals and an exit code."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress

import pytest

MINTKEY = [sys.executable, "-m", "mintkey"]

WITHOUT = """
import runpy, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == MISSING:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
sys.argv = ["mintkey", "keys", "list"]
runpy.run_module("mintkey", run_name="__main__")
"""

PATIENT = """
from mintkey.__main__ import main
from mintkey.cli import completion

completion._PATIENCE = 60.0
main()
"""


@pytest.fixture
def run(data_home):
    def run(*arguments, stdin=b""):
        return subprocess.run([*MINTKEY, *arguments], input=stdin, capture_output=True, check=False, timeout=60)

    return run


def test_mint_pipes_into_verify_once(run):
    minted = run("token", "mint", "magic-link", "--subject", "20")
    first = run("token", "verify", "magic-link", stdin=minted.stdout)
    second = run("token", "verify", "magic-link", "--json", stdin=minted.stdout)

    assert (minted.returncode, first.returncode, second.returncode) == (0, 0, 1)
    assert (minted.stderr, first.stderr, second.stdout) == (b"", b"", b"")
    assert json.loads(second.stderr)["error"]["reason"] == "replayed"


def test_the_demo_ends_by_itself_and_well(run):
    result = run("demo")

    assert (result.returncode, result.stderr) == (0, b"")
    assert "promises kept" in result.stdout.decode()


@pytest.mark.parametrize("package", ["typer", "sqlalchemy"])
def test_a_missing_extra_is_one_line_that_names_it(data_home, package):
    program = WITHOUT.replace("MISSING", repr(package))

    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)

    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("mintkey: extra_missing: ")
    assert "pip install 'mintkey[cli]'" in result.stderr
    assert result.stderr.count("\n") == 1


def test_ten_megabytes_of_nonsense_are_refused(run):
    result = run("token", "inspect", stdin=os.urandom(10_000_000))

    assert (result.returncode, result.stdout) == (1, b"")
    assert result.stderr.count(b"\n") == 1


def test_a_reader_that_went_away_is_no_trouble(data_home):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as nobody:
        result = subprocess.run(
            [*MINTKEY, "token", "inspect"],
            input=b"e30.e30.",
            stdout=nobody,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )

    assert (result.returncode, result.stderr) == (141, b"")


def test_an_interrupted_person_leaves_with_130(data_home):
    person, terminal = os.openpty()
    process = subprocess.Popen(
        [*MINTKEY, "token", "verify", "magic-link"],
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Whoever runs the tests in the background of a shell ignores Ctrl-C, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - one harmless system call
    )
    with process, os.fdopen(person, "wb", buffering=0):
        os.close(terminal)
        assert process.stderr.readline() == b"paste the token and press Enter:\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert (process.stdout.read(), process.stderr.read()) == (b"", b"")


def test_a_person_confirms_a_rotation(data_home):
    subprocess.run([*MINTKEY, "keys", "list"], capture_output=True, check=True, timeout=60)
    person, terminal = os.openpty()
    with os.fdopen(person, "wb", buffering=0) as keyboard:
        keyboard.write(b"y\n")
        result = subprocess.run(
            [*MINTKEY, "keys", "rotate"], stdin=terminal, capture_output=True, text=True, check=False, timeout=60
        )
        os.close(terminal)

    assert (result.returncode, result.stderr) == (0, "Rotate the key now? [y/N] ")
    assert result.stdout.endswith(" signs from now on\n")


def seen_by(person):
    """All that comes to a terminal until nobody can write to it any more."""
    parts = []
    with suppress(OSError):  # EIO: the other side is closed
        while part := os.read(person, 65_536):
            parts.append(part)
    os.close(person)
    return b"".join(parts)


def test_who_mints_many_into_a_file_sees_how_far_it_is(data_home, tmp_path, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    person, terminal = os.openpty()
    with (tmp_path / "tokens").open("wb") as file:
        process = subprocess.Popen(
            [*MINTKEY, "token", "mint", "access", "--subject", "20", "--count", "1500"],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=terminal,
        )
    with process:
        os.close(terminal)
        seen = seen_by(person)

    tokens = (tmp_path / "tokens").read_bytes()
    assert (process.returncode, tokens.count(b"\n"), tokens.count(b".")) == (0, 1500, 3000)
    assert b"minting" in seen
    assert b"1500/1500" in seen


def test_minting_ends_when_nobody_reads_any_more(data_home, answer):
    process = subprocess.Popen(
        [*MINTKEY, "token", "mint", "access", "--subject", "20", "--count", "1000000"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        assert process.stdout.readline().count(b".") == 2
        process.stdout.close()
        assert process.wait(60) == 141
        assert process.stderr.read() == b""
    assert 1 <= answer("keys", "list")["keys"][1]["mints"] <= 2 * 1024 + 1


def test_bash_completes_kids(data_home, tmp_path, answer):
    """By a `mintkey` on the path that waits for its store for as long as a busy machine needs, and not two seconds."""
    kids = {version["kid"] for version in answer("keys", "list")["keys"]}
    at_tab = """
        eval "$(_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION=1 mintkey --show-completion bash)"
        COMP_WORDS=(mintkey keys show ""); COMP_CWORD=3
        _mintkey_completion mintkey
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    patient = tmp_path / "bin" / "mintkey"
    patient.parent.mkdir()
    patient.write_text(f"#!{sys.executable}\n{PATIENT}")
    patient.chmod(0o700)

    result = subprocess.run(
        ["bash", "-c", at_tab],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "PATH": f"{patient.parent}:{os.environ['PATH']}"},
    )

    assert (result.returncode, result.stderr) == (0, "")
    assert set(result.stdout.split()) == kids


def test_a_store_that_dies_is_one_line_and_3(run, own_valkey, seal_keys):
    store = ("--store", own_valkey.url)
    assert run("keys", "list", *store).returncode == 0
    healthy = run("doctor", *store)
    own_valkey.kill()

    listed, examined = run("keys", "list", "--json", *store), run("doctor", *store)

    assert (healthy.returncode, healthy.stderr) == (0, b"")
    assert (listed.returncode, listed.stdout) == (3, b"")
    assert json.loads(listed.stderr)["error"]["reason"] == "keys_unavailable"
    assert (examined.returncode, examined.stderr) == (3, b"")
    assert "1 of 1 checks failed" in examined.stdout.decode()


def test_a_ring_moves_to_a_server_while_tokens_are_out(run, postgres, data_home, monkeypatch):
    monkeypatch.setenv("NEW_KEYS", run("keys", "seal-key").stdout.decode().strip())
    token = run("token", "mint", "access", "--subject", "20").stdout

    copied = run("keys", "copy", "--to", postgres.url, "--to-seal-keys-from", "NEW_KEYS", "--json")
    monkeypatch.setenv("MINTKEY_SEAL_KEYS", os.environ["NEW_KEYS"])
    verified = run("token", "verify", "access", "--store", postgres.url, stdin=token)

    assert (copied.returncode, copied.stderr) == (0, b"")
    assert json.loads(copied.stdout)["added"] == 2
    assert (verified.returncode, verified.stderr) == (0, b"")


def test_a_server_that_forgets_keys_is_reported_by_the_doctor_alone(run, own_valkey, seal_keys):
    own_valkey.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")

    minted = run("token", "mint", "access", "--subject", "20", "--store", own_valkey.url)
    examined = run("doctor", "--store", own_valkey.url)

    assert (minted.returncode, minted.stderr) == (0, b"")
    assert examined.returncode == 3
    assert "noeviction" in examined.stdout.decode()
