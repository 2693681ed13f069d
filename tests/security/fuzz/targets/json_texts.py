"""The one reader of JSON, with orjson and without, against the grammar."""

from collections.abc import Iterable

from mintkey import speed
from mintkey.claims import strict_json
from tests.security.fuzz.mutating import json_mutator
from tests.security.fuzz.reference import json_text
from tests.security.fuzz.target import Target, check, exact, outcome_of, verdict_of

__all__ = ["JSON"]

_SEEDS = (
    b'{"sub":"20","roles":["editor",null,true,false],"n":-1.5e3,"deep":{"a":{"b":[{}]}}}',
    b' {"\\ud83d\\udd11" : "\\"\\\\\\/\\b\\f\\n\\r\\t", "\xc3\xbc":0}\n',
    b'{"a":1,"b":{"a":2},"c":[{"a":3},{"a":4}]}',
    b'{"a":99999999999999999999999999999999,"b":-9999999999999999999999999999999,"c":18446744073709551616}',
    b"[" * 15 + b"]" * 15,
    b'{"a":' + b"[" * 15 + b"]" * 15 + b"}",
)


def _seeds() -> Iterable[bytes]:
    return _SEEDS


def _run(data: bytes) -> None:
    verdict = verdict_of(lambda: json_text.read(data))
    for name, imported in (("orjson", speed.imported), ("the standard library", _nothing)):
        found = _read(data, imported)
        check(verdict[0], found[0], f"read with {name}")
        if found[0] == "accepted":
            check(verdict[1], found[1], f"the value, read with {name}")
    if verdict[0] == "accepted":
        value = strict_json.loads(data)
        check(exact(value), exact(strict_json.loads(strict_json.dumps(value))), "written and read again")


def _read(data: bytes, imported: object) -> tuple[object, ...]:
    whole, speed.imported = speed.imported, imported  # type: ignore[assignment]  # as tests.support.speed does it
    try:
        return outcome_of(lambda: strict_json.loads(data), strict_json.StrictJSONError)
    finally:
        speed.imported = whole


def _nothing(_module: str) -> None:
    return None


JSON = Target(run=_run, seeds=_seeds, mutate=json_mutator(["a", "b", "", "sub"], [{"a": 1}, [1, 2], "x"]))
