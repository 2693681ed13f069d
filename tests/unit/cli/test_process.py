"""`mintkey` as other programs meet it: a process with pipes, signals and an exit code."""

import json
import os
import signal
import subprocess
import sys

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
    person, terminal = os.openpty()
    with os.fdopen(person, "wb", buffering=0) as keyboard:
        keyboard.write(b"y\n")
        result = subprocess.run(
            [*MINTKEY, "keys", "rotate"], stdin=terminal, capture_output=True, text=True, check=False, timeout=60
        )
        os.close(terminal)

    assert (result.returncode, result.stderr) == (0, "Rotate the key now? [y/N] ")
    assert result.stdout.endswith(" signs from now on\n")


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
