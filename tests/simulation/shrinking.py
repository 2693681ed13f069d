"""Cuts a schedule that breaks a promise down to the events that it takes."""

from tests.simulation.invariants import Violation
from tests.simulation.node import Node
from tests.simulation.schedule import Schedule
from tests.simulation.world import play

__all__ = ["broken_promise", "shrink"]


def broken_promise(schedule: Schedule, /, *, node_type: type[Node] = Node) -> Violation | None:
    """How playing a schedule ends: with a broken promise, or well."""
    try:
        play(schedule, node_type=node_type)
    except Violation as violation:
        return violation
    return None


def shrink(schedule: Schedule, /, *, node_type: type[Node] = Node) -> Schedule:
    """A shorter schedule that breaks the same promise; the same one if it breaks none."""
    violation = broken_promise(schedule, node_type=node_type)
    if violation is None:
        return schedule
    size = len(schedule.events) // 2
    while size:
        start = 0
        while start < len(schedule.events):
            events = schedule.events
            shorter = schedule._replace(events=events[:start] + events[start + size :])
            found = broken_promise(shorter, node_type=node_type)
            if found is not None and found.promise == violation.promise:
                schedule = shorter
            else:
                start += size
        size //= 2
    return schedule
