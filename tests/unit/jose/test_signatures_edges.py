"""DER by hand where its length takes a byte more, and work in threads where there is more of it than cores."""

import os
import threading
import time

import anyio
import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from mintkey.jose.signatures import _der, _raw
from mintkey.jose.threads import offload

P521 = 66


@pytest.mark.parametrize("size_of_r", range(1, P521 + 1))
@pytest.mark.parametrize("first", [0x01, 0x7F, 0x80, 0x81])
def test_both_numbers_of_any_length_are_written_and_read_as_openssl_does(size_of_r: int, first: int) -> None:
    """About 128 bytes the length of the whole begins to take two."""
    r = int.from_bytes(bytes([first]) + bytes(range(size_of_r - 1)))
    for size_of_s in (1, 58, 59, 60, 61, 62, 63, 64, 65, 66):
        s = int.from_bytes(bytes([first]) + bytes([0xA5]) * (size_of_s - 1))
        raw, der = r.to_bytes(P521) + s.to_bytes(P521), encode_dss_signature(r, s)
        assert _der(raw, P521) == der
        assert _raw(der, P521) == raw


@pytest.mark.parametrize("first", range(256))
def test_a_number_may_begin_with_any_byte(first: int) -> None:
    number = bytes([first, *range(100, 131)])
    raw, der = number * 2, encode_dss_signature(int.from_bytes(number), int.from_bytes(number))
    assert _der(raw, 32) == der
    assert _raw(der, 32) == raw


async def test_at_most_one_thread_a_core_does_what_was_offloaded() -> None:
    cores, lock = os.cpu_count() or 1, threading.Lock()
    at_work = most = 0

    def work() -> None:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        time.sleep(0.01)
        with lock:
            at_work -= 1

    async with anyio.create_task_group() as tasks:
        for _ in range(4 * cores):
            tasks.start_soon(offload, work)
    assert 1 <= most <= cores
