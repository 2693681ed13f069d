"""`python -m tests.simulation`: the inequalities, some thousand schedules, and what happened in them.

`--seed N --verbose` tells one schedule as a time line; `--shrink` cuts it down to what breaks the promise.
"""

# ruff: noqa: T201 - this is a command

import argparse
import sys
from time import process_time

from tests.simulation.inequalities import explain
from tests.simulation.invariants import Violation
from tests.simulation.schedule import Schedule, draw
from tests.simulation.shrinking import shrink
from tests.simulation.world import Tally, play


def main() -> int:
    """What the command line asks for; 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description="Simulates fleets on one key ring.")
    parser.add_argument("--schedules", type=int, default=1000, help="how many to play, from --seed on (default 1000)")
    parser.add_argument("--seed", type=int, help="play this one only")
    parser.add_argument("--verbose", action="store_true", help="tell what happens in it")
    parser.add_argument("--shrink", action="store_true", help="leave out what does not matter")
    options = parser.parse_args()
    if options.seed is not None:
        schedule = draw(options.seed)
        return _tell(shrink(schedule) if options.shrink else schedule, verbose=options.verbose)
    print(explain(), end="\n\n")
    return _play_many(options.schedules)


def _tell(schedule: Schedule, *, verbose: bool) -> int:
    print(f"seed {schedule.seed}: {schedule.settings}")
    try:
        tally = play(schedule, log=print if verbose else None)
    except Violation as violation:
        print(f"BROKEN: {violation}")
        return 1
    print(tally)
    return 0


def _play_many(count: int) -> int:
    total, began_at = Tally(), process_time()
    for seed in range(count):
        try:
            total.add(play(draw(seed)))
        except Violation as violation:
            print(f"\nBROKEN: {violation}\nreplay: python -m tests.simulation --seed {seed} --verbose --shrink")
            return 1
        if sys.stderr.isatty() and not seed % 100:
            print(f"\r{seed} of {count}", end="", file=sys.stderr)
    print(
        f"\r{total.schedules} schedules in {process_time() - began_at:.1f} s of one core, no promise broken: ", end=""
    )
    print(
        f"{total.events} events, {total.tokens} tokens, {total.verifications} verifications, "
        f"{total.rotations} rotations, {total.versions} versions, "
        f"{total.crashes} crashes, {total.losses} losses of a ring"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
