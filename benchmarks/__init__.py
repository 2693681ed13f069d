"""Questions of speed and cost, one module each, answered by measuring side by side.

`python -m benchmarks` asks all of them; `python -m benchmarks.codecs` asks one.
"""

import os
import sys

WITHOUT = "MINTKEY_BENCH_WITHOUT"
"""The variable that names the packages a process, and every process it starts, does as if it did not have."""

SPEED = "nacl orjson"
"""What the `speed` extra brings; every question but the one about the extra itself is asked without it."""

for _package in os.environ.get(WITHOUT, "").split():
    sys.modules[_package] = None  # type: ignore[assignment] # how Python writes "cannot be imported"
