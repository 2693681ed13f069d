"""The commands of the key ceremony run, in their order, against a real server, and do what the page says."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support.servers import RedisServer

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "key-ceremony.md"
MARK = "=== "


def test_every_command_does_what_the_page_says(valkey: RedisServer, tmp_path: Path) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    after_each = f'echo; echo "{MARK}$MINTKEY_SEAL_KEYS"; mintkey keys list --json\n'
    script = "set -eu\n" + "".join(block + (after_each if number else "") for number, block in enumerate(blocks))
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "mintkey").write_text(f'#!/bin/sh\nexec {sys.executable} -m mintkey "$@"\n')
    (commands / "mintkey").chmod(0o755)
    run = subprocess.run(
        ["sh", "-c", script],
        env={
            "PATH": f"{commands}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "STORE": valkey.url,
            "OTHER": f"sqlite:///{tmp_path / 'other.db'}",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    pairs = [line.splitlines() for line in run.stdout.split(MARK)[1:]]
    seal_keys = [pair[0] for pair in pairs]
    rings = [{key["kid"]: key["state"] for key in json.loads(pair[1])["keys"]} for pair in pairs]
    start, exported, changed, moved, revoked = rings
    assert sorted(start.values()) == ["active", "pending"]
    assert start == exported == changed == moved
    assert seal_keys[1] != seal_keys[2]
    (leaked,) = [kid for kid, state in moved.items() if state == "active"]
    (successor,) = [kid for kid, state in moved.items() if state == "pending"]
    assert (revoked[leaked], revoked[successor]) == ("revoked", "active")
    # One key-encryption key at the beginning, another one at the end, and whatever was sealed opens under that.
    assert [key.count(",") for key in seal_keys] == [0, 0, 0, 0, 0]
