"""Families in memory: swapped documents live on, expired ones go a few at a time."""

from mintkey.replay.family_table import FamilyTable


def test_a_document_is_there_until_its_time_is_over():
    table = FamilyTable()
    table.put("a", b"1", expires=10, now=0)
    assert table.get("a", now=9.9) == b"1"
    assert table.get("a", now=10) is None
    assert table.get("b", now=0) is None


def test_expired_documents_give_their_memory_back():
    table = FamilyTable()
    for number in range(100):
        table.put(f"old-{number}", b"1", expires=10, now=0)
    for number in range(50):
        table.put(f"new-{number}", b"1", expires=100, now=20)
    assert len(table) == 50


def test_a_document_that_was_swapped_outlives_its_first_expiry():
    table = FamilyTable()
    table.put("a", b"1", expires=10, now=0)
    table.put("a", b"2", expires=100, now=0)
    table.put("b", b"3", expires=100, now=50)
    assert table.get("a", now=50) == b"2"
    table.put("c", b"4", expires=200, now=150)
    table.put("d", b"5", expires=200, now=150)
    assert len(table) == 2


def test_swapping_again_and_again_takes_no_more_memory():
    table = FamilyTable()
    for number in range(1000):
        table.put("a", b"1", expires=1000 + number, now=number)
    assert len(table) == len(table._expiries) == 1
