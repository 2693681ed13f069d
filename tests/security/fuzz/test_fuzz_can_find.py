"""Every target finds the defect that was put in for it: a fuzzer that cannot find is worse than none."""

import binascii
import json
import re
from typing import Any

import pytest

from mintkey.bus.envelope import Envelopes
from mintkey.claims import registered, strict_json, template
from mintkey.jose import compact, header, native, pem
from mintkey.keys import document
from mintkey.settings import durations, redaction
from tests.security.fuzz.campaign import campaign
from tests.security.fuzz.registry import NAMES, target_of
from tests.security.fuzz.target import Finding

pytestmark = pytest.mark.filterwarnings("ignore")


def _lax_base64(text: bytes) -> bytes:
    return binascii.a2b_base64(text + b"==")


def _lax_text(value: Any, _name: str) -> str:
    return str(value)


def _uninspected(key: Any) -> tuple[str, str | None]:
    jwk = native.export(key)
    return jwk["kty"], jwk.get("crv")


def _yes(*_: object) -> bool:
    return True


_LAX_JSON = json.JSONDecoder(parse_int=strict_json._integer, parse_float=strict_json._float)

# The target, and what is wrong: a reader that takes more than it may, or shows what it must not.
DEFECTS = {
    "base64 with bits left over": ("text", compact, "decode_base64", _lax_base64),
    "kids of any shape": ("header", header, "check_kid", _yes),
    "registered claims behind the private ones": ("payload", template, "REGISTERED", frozenset[str]()),
    "a subject that is no string": ("payload", registered, "_text", _lax_text),
    "the last of two equal names": ("json", strict_json, "_DECODER", _LAX_JSON),
    "keys of low order": ("jwks", native, "is_sound", _yes),
    "points of no curve": ("pem", pem, "inspect", _uninspected),
    "digits of other scripts": (
        "settings",
        durations,
        "_FORM",
        re.compile(durations._FORM.pattern.replace("0-9", r"\d")),
    ),
    "parameters that are shown": ("urls", redaction, "_PARAMETER", re.compile(r"(?!)")),
    "tags that nobody made": ("envelope", Envelopes, "_is_authentic", _yes),
    "kids of any shape in a ring": ("ring", document, "check_kid", _yes),
}


@pytest.mark.parametrize("defect", DEFECTS, ids=[*DEFECTS])
def test_a_defect_is_found(defect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, room, attribute, replacement = DEFECTS[defect]
    target = target_of(name)
    monkeypatch.setattr(room, attribute, replacement)
    with pytest.raises(Finding):
        campaign(name, target, runs=5_000)


def test_there_is_a_defect_for_every_target() -> None:
    assert {name for name, *_ in DEFECTS.values()} == {*NAMES}
