"""Tokens for something else: other types, purposes, scopes and shapes of claims (RFC 8725 §2.8, §3.11)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from mintkey import Purpose, Reason, presets
from tests.security.attacks.case import LOGIN, Case, accepted
from tests.security.attacks.forge import NOW, Forge

__all__ = ["purposes", "scopes", "typed_claims", "types"]

_MISMATCH = Reason.PURPOSE_MISMATCH


def types(forge: Forge) -> Iterator[Case]:
    """`typ` in every spelling: some are one and the same, most are not."""
    same = ("magic-login+jwt", "MAGIC-LOGIN+JWT", "Magic-Login+Jwt", "application/magic-login+jwt")
    for typ in (*same, "APPLICATION/magic-login+JWT", "Application/Magic-Login+jwt"):
        yield from forge.both(typ, None, "RFC 7515 §4.1.9: one media type", header={**forge.header, "typ": typ})
    other = (
        *("JWT", "jwt", "JOSE", "JOSE+JSON", "at+jwt", "id_token", "dpop+jwt", "logout+jwt", "jwt+magic-login"),
        *("magic-login", "magic-login+jws", "magic-login+jwt2", "xmagic-login+jwt", "magic-log\u0131n".encode().hex()),
        *("text/magic-login+jwt", "application/application/magic-login+jwt", "/magic-login+jwt", "application/", ""),
        *("magic-login+jwt;charset=utf-8", " magic-login+jwt", "magic-login+jwt ", "magic-login+jwt\n", "*/*", "*"),
        *("magic-login+jwt\0", "magic_login+jwt", "magic-login%2Bjwt", "magic-login jwt", "magic-login+jwt,at+jwt"),
        *("image/magic-login+jwt", "application/magic-login+jwt/", "application\\magic-login+jwt", "+jwt"),
    )
    for typ in other:
        why = "a token for something else is no token for this"
        yield from forge.both(f"typ {typ!r}", _MISMATCH, why, header={**forge.header, "typ": typ})
    without = {name: value for name, value in forge.header.items() if name != "typ"}
    yield from forge.both("no typ", _MISMATCH, "a token for everything", header=without)
    for name in ("TYP", "Typ", "type"):
        header = {**without, name: LOGIN.typ}
        yield from forge.both(f"{name} instead of typ", Reason.HEADER_UNSUPPORTED, "names have a case", header=header)
    malformed: list[Any] = [None, True, 1, 1.5, [], ["magic-login+jwt"], {}, {"typ": "magic-login+jwt"}]
    malformed += [
        "magic-log\u0131n+jwt",
        "mag\u0131c-login+jwt",
        "\u212aey+jwt",
        "\uff4dagic-login+jwt",
        "a" * 129,
        "\0" * 200,
    ]
    for number, value in enumerate(malformed):
        why = "no media type: what lower-casing or comparing could make of it"
        yield from forge.both(f"typ, odd {number}", Reason.MALFORMED, why, header={**forge.header, "typ": value})


def purposes(forge: Forge) -> Iterator[Case]:
    """A token of every preset where another one is expected, and claims that a purpose asks for."""
    for name in ("MAGIC_LINK", "EMAIL_VERIFY", "PASSWORD_RESET", "PAYMENT_APPROVAL", "ACCESS", "REFRESH", "SERVICE"):
        preset: Purpose[Any] = getattr(presets, name).replace(audience="myapp.web")
        header = {**forge.header, "typ": preset.typ}
        yield from forge.both(f"a token of {name}", _MISMATCH, "minted for something else", header=header)
        claims = {**forge.claims, "sub": "20", "client_id": "web"}
        token = forge.token({**forge.header, "typ": preset.typ}, claims)
        if preset.single_use:
            yield accepted(f"a token of {name} where it belongs", token, "minted for this", purpose=preset)
        why = "minted for something else"
        yield from forge.both(f"ours as {name}", _MISMATCH, why, header=forge.header, claims=claims, purpose=preset)
    required = Purpose(
        "magic-login", lifetime=LOGIN.lifetime, audience=LOGIN.audience, single_use=True, required=["plan"]
    )
    present: list[Any] = ["gold", None, "", 0, False, [], {}]
    for value in present:
        claims = {**forge.claims, "plan": value}
        yield from forge.both(f"plan {value!r}", None, "it is there", claims=claims, purpose=required)
    missing: dict[str, dict[str, Any]] = {"plan": {}, "Plan": {"Plan": 1}, "deeper": {"user": {"plan": 1}}}
    for name, more in missing.items():
        claims = {**forge.claims, **more}
        why = "the purpose asks for it"
        yield from forge.both(
            f"required, {name}", Reason.CLAIM_MISSING, why, claims=claims, purpose=required, claim="plan"
        )
    young = Purpose(
        "magic-login",
        lifetime=LOGIN.lifetime,
        audience=LOGIN.audience,
        single_use=True,
        max_age=timedelta(minutes=2),
    )
    for age, reason in ((0, None), (129, None), (130, Reason.EXPIRED), (10**6, Reason.EXPIRED), (NOW, Reason.EXPIRED)):
        claims = {**forge.claims, "iat": NOW - age}
        why = "older than the purpose takes, whatever its exp says"
        yield from forge.both(
            f"{age} seconds old", reason, why, claims=claims, purpose=young, claim="iat" * bool(reason)
        )
    alone = Purpose("magic-login", lifetime=LOGIN.lifetime, single_use=True)
    without = {name: value for name, value in forge.claims.items() if name != "aud"}
    yield from forge.both("no audience where none is named", None, "it fits", claims=without, purpose=alone)
    for value in ("myapp.web", ["myapp.web"], "*"):
        why = "verification is symmetric"
        claims = {**forge.claims, "aud": value}
        yield from forge.both(
            f"aud {value!r} where none is named",
            Reason.AUDIENCE_MISMATCH,
            why,
            claims=claims,
            purpose=alone,
            claim="aud",
        )


def scopes(forge: Forge) -> Iterator[Case]:
    """Scopes are words, compared whole (RFC 6749 §3.3)."""
    needed = ("orders:admin",)
    good = (
        "orders:admin",
        "orders:read orders:admin",
        "orders:admin orders:read",
        "  orders:admin  ",
        "a orders:admin b",
    )
    for scope in good:
        claims = {**forge.claims, "scope": scope}
        yield from forge.both(f"scope {scope!r}", None, "it is granted", claims=claims, scopes=needed)
    lacking = (
        *("", " ", "orders:admin-readonly", "orders:admins", "xorders:admin", "orders", "admin", "orders:", "*"),
        *("orders:*", "ORDERS:ADMIN", "orders:admin,orders:read", "orders:admin\torders:read", "orders:admin\n"),
        *("orders:admin\0", "orders.admin", "orders:\u0430dmin", "orders: admin", '"orders:admin"', "-orders:admin"),
        *(
            "orders:admin\u00a0orders:read",
            "orders:admin\u200b",
            "orders:admin\u2003x",
            "orders%3Aadmin",
            "orders:adminorders:admin",
        ),
    )
    for scope in lacking:
        why = "admin by way of something that contains it"
        claims = {**forge.claims, "scope": scope}
        yield from forge.both(f"scope {scope!r}", Reason.INSUFFICIENT_SCOPE, why, claims=claims, scopes=needed)
    values: list[Any] = [None, True, 7, [], ["orders:admin"], {"orders:admin": True}, [["orders:admin"]]]
    for value in values:
        claims = {**forge.claims, "scope": value}
        yield from forge.both(
            f"scope is {value!r}", Reason.CLAIM_INVALID, "a scope is text", claims=claims, scopes=needed, claim="scope"
        )
    for name in ("scp", "scopes", "Scope", "permissions", "roles"):
        claims = {key: value for key, value in forge.claims.items() if key != "scope"} | {name: "orders:admin"}
        why = "another claim grants nothing"
        yield from forge.both(f"{name} for scope", Reason.INSUFFICIENT_SCOPE, why, claims=claims, scopes=needed)


@dataclass
class _Payment:
    amount: int
    currency: Literal["EUR", "USD"]
    express: bool = False
    notes: list[str] | None = None


_PAYMENT = Purpose("magic-login", lifetime=LOGIN.lifetime, audience=LOGIN.audience, single_use=True, claims=_Payment)


_NO_FLAGS: list[Any] = [0, 1, "true", None, [], {}]
_NO_NOTES: list[Any] = ["a", 1, {"0": "a"}, True, [1], ["a", None], [["a"]], [{}]]


def typed_claims(forge: Forge) -> Iterator[Case]:
    """A purpose with a type takes nothing else, and makes nothing fit."""
    base: dict[str, Any] = {**forge.claims, "amount": 100, "currency": "EUR"}
    good: dict[str, dict[str, Any]] = {
        "plain": {},
        "everything": {"express": True, "notes": ["a", "b"]},
        "large": {"amount": 10**30},
        "negative": {"amount": -1},
        "nothing for a list": {"notes": None},
        "a member more": {"__class__": "x", "self": 1, "canary": {}},
    }
    for name, more in good.items():
        yield from forge.both(name, None, "it fits the type", claims={**base, **more}, purpose=_PAYMENT)
    bad: list[tuple[str, Any, str]] = [
        *(("amount", value, "amount") for value in ("100", 100.0, 1.5, True, None, [], [100], {}, {"amount": 100})),
        *(("currency", value, "currency") for value in ("eur", "", "EURO", None, 1, ["EUR"], {"EUR": 1}, True)),
    ]
    bad += [("express", value, "express") for value in _NO_FLAGS]
    bad += [("notes", value, "notes") for value in _NO_NOTES]
    for claim, value, path in bad:
        why = "what a lax reader makes fit"
        yield from forge.both(
            f"{claim} is {value!r}",
            Reason.CLAIM_INVALID,
            why,
            claims={**base, claim: value},
            purpose=_PAYMENT,
            claim=path,
            is_typed=True,
        )
    for claim in ("amount", "currency"):
        claims = {name: value for name, value in base.items() if name != claim}
        yield from forge.both(
            f"no {claim}", Reason.CLAIM_INVALID, "missing", claims=claims, purpose=_PAYMENT, claim=claim, is_typed=True
        )
