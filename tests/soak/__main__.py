"""`python -m tests.soak [SECONDS] [SEED]`: by default ten minutes. Figures and every breach; 1 if there is one."""

import shutil
import sys
from pathlib import Path
from tempfile import mkdtemp

import anyio

from tests.soak.audit import breaches
from tests.soak.soak import soak


def main(seconds: float, seed: int | None) -> int:
    """The exit code. What was written down is kept if the books do not balance."""
    directory = Path(mkdtemp(prefix="mintkey-soak-"))
    books = anyio.run(lambda: soak(seconds, directory, seed=seed))
    found = {name: breaches(of_one) for name, of_one in books.items()}
    for name, of_one in books.items():
        print(f"# {name}", of_one.summary(), *found[name], sep="\n")  # noqa: T201 - what it is for
    if any(found.values()):
        print(f"What each process wrote down is in {directory}.")  # noqa: T201
        return 1
    shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    words = dict(enumerate(sys.argv))
    sys.exit(main(float(words.get(1, 600)), int(words[2]) if 2 in words else None))
