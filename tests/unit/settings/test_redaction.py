"""A URL is shown without anything that may be a password."""

import pytest

from mintkey.settings.redaction import redacted


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("memory://", "memory://"),
        ("file:///home/a:b@c/ring", "file:///home/a:b@c/ring"),
        ("sqlite:////home/a:b@c/x.db?mode=ro", "sqlite:////home/a:b@c/x.db?mode=ro"),
        ("redis://h:6379/0", "redis://h:6379/0"),
        ("redis://:hunter2@h/0", "redis://:***@h/0"),
        ("redis://app:hunter2@h/0", "redis://app:***@h/0"),
        ("redis://hunter2@h/0", "redis://:***@h/0"),
        ("unix://app:hunter2@/run/s?db=1", "unix://app:***@/run/s?db=1"),
        ("redis+sentinel://u:hunter2@a:1,b:2/s", "redis+sentinel://u:***@a:1,b:2/s"),
        ("postgresql://app@h/d", "postgresql://app@h/d"),
        ("postgresql://app:hun@ter/2@h/d", "postgresql://app:***@h/d"),
        ("postgresql://h/d?password=hunter2&ssl=require", "postgresql://h/d?password=***&ssl=require"),
        ("redis://h?PASSWORD=hunter2&x=hunter2=2", "redis://h?PASSWORD=***&x=***"),
    ],
)
def test_what_is_shown(url, shown):
    assert redacted(url) == shown
