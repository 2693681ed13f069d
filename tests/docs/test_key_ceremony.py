"""The commands of the key ceremony run, in their order, against a real server, and do what the page says."""

import json
from pathlib import Path

from tests.docs.page import Page
from tests.support.servers import RedisServer

PAGE = Page("key-ceremony")
MARK = "=== "


def test_every_command_does_what_the_page_says(valkey: RedisServer, tmp_path: Path) -> None:
    look = f'echo; echo "{MARK}$MINTKEY_SEAL_KEYS"; mintkey keys list --json'
    printed = PAGE.shell(
        tmp_path,
        # The first block only makes a key: there is no store to look at yet.
        after_each=f'[ -z "${{MINTKEY_STORE:-}}" ] || {{ {look}; }}\n',
        STORE=valkey.url,
        OTHER=f"sqlite:///{tmp_path / 'other.db'}",
    )
    pairs = [line.splitlines() for line in printed.split(MARK)[1:]]
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
