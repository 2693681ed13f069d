"""A reader of JSON, written along the grammar of RFC 8259, for objects in which everything has one reading."""

from typing import Any

from tests.security.fuzz.reference.verdict import Refused

__all__ = ["read"]

_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_CONSTANTS = (("true", True), ("false", False), ("null", None))
_HEX = "0123456789abcdefABCDEF"
_DIGITS = "0123456789"
_LONGEST_NUMBER = 32


def read(data: bytes, *, max_depth: int = 16) -> dict[str, Any]:
    """The object in these bytes."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("malformed") from None
    reader = _Reader(text, max_depth)
    value = reader.value(0)
    reader.space()
    if reader.at != len(text) or not isinstance(value, dict):
        raise Refused("malformed")
    return value


class _Reader:
    def __init__(self, text: str, max_depth: int) -> None:
        self.text, self.at, self.max_depth = text, 0, max_depth

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def expect(self, literal: str) -> None:
        if not self.text.startswith(literal, self.at):
            raise Refused("malformed")
        self.at += len(literal)

    def space(self) -> None:
        while self.peek() and self.peek() in " \t\n\r":
            self.at += 1

    def value(self, depth: int) -> Any:
        self.space()
        match self.peek():
            case "{":
                return self.object(depth + 1)
            case "[":
                return self.array(depth + 1)
            case '"':
                return self.string()
            case "t" | "f" | "n":
                return self.constant()
            case _:
                return self.number()

    def constant(self) -> bool | None:
        literal, value = next(pair for pair in _CONSTANTS if pair[0][0] == self.peek())
        self.expect(literal)
        return value

    def enter(self, depth: int, bracket: str) -> None:
        if depth > self.max_depth:
            raise Refused("malformed")
        self.expect(bracket)
        self.space()

    def is_over(self, bracket: str) -> bool:
        """After an element: whether that was the last one."""
        self.space()
        if self.peek() == bracket:
            self.at += 1
            return True
        self.expect(",")
        return False

    def object(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        self.enter(depth, "{")
        if self.peek() == "}":
            self.at += 1
            return found
        while True:
            self.space()
            name = self.string()
            self.space()
            self.expect(":")
            if name in found:
                raise Refused("malformed")
            found[name] = self.value(depth)
            if self.is_over("}"):
                return found

    def array(self, depth: int) -> list[Any]:
        found: list[Any] = []
        self.enter(depth, "[")
        if self.peek() == "]":
            self.at += 1
            return found
        while True:
            found.append(self.value(depth))
            if self.is_over("]"):
                return found

    def string(self) -> str:
        self.expect('"')
        units: list[int] = []  # UTF-16, in which an escape may be half a character
        while (character := self.peek()) != '"':
            self.at += 1
            if not character or character < " ":
                raise Refused("malformed")
            if character == "\\":
                units.append(self.escape())
            else:
                coded = character.encode("utf-16-be")
                units += [int.from_bytes(coded[place : place + 2], "big") for place in range(0, len(coded), 2)]
        self.at += 1
        try:
            return b"".join(unit.to_bytes(2, "big") for unit in units).decode("utf-16-be")
        except UnicodeDecodeError:
            raise Refused("malformed") from None

    def escape(self) -> int:
        letter = self.peek()
        self.at += 1
        if letter == "u":
            digits = self.text[self.at : self.at + 4]
            if len(digits) < 4 or any(digit not in _HEX for digit in digits):
                raise Refused("malformed")
            self.at += 4
            return int(digits, 16)
        if letter not in _ESCAPES:  # nothing at all is in no dict either
            raise Refused("malformed")
        return ord(_ESCAPES[letter])

    def digits(self) -> None:
        start = self.at
        while self.peek() and self.peek() in _DIGITS:
            self.at += 1
        if self.at == start:
            raise Refused("malformed")

    def number(self) -> int | float:
        start, is_integer = self.at, True
        if self.peek() == "-":
            self.at += 1
        if self.peek() == "0":
            self.at += 1
        else:
            self.digits()
        if self.peek() == ".":
            is_integer = False
            self.at += 1
            self.digits()
        if self.peek() in {"e", "E"}:
            is_integer = False
            self.at += 1
            if self.peek() in {"+", "-"}:
                self.at += 1
            self.digits()
        written = self.text[start : self.at]
        if len(written) > _LONGEST_NUMBER:
            raise Refused("malformed")
        if is_integer:
            return int(written)
        number = float(written)
        if number in {float("inf"), float("-inf")}:
            raise Refused("malformed")
        return number
