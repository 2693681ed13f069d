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
        ("redis://h?hunter2&=hunter2&db=1", "redis://h?***&=***&db=1"),
        ("sqlite:///x.db?password=hunter2&mode=ro", "sqlite:///x.db?password=***&mode=ro"),
        # Nobody escaped the ? in the password, so that nobody can tell where it ends.
        ("redis://app:hun?ter2@h/0", "redis://***"),
        ("postgresql://app:hun?ter2@h/d?sslmode=require", "postgresql://***"),
    ],
)
def test_what_is_shown(url, shown):
    assert redacted(url) == shown
