"""Purposes with defaults that a standard or a guideline stands behind.

Give one an audience before use: `presets.MAGIC_LINK.replace(audience="myapp.web")`. All of them fit the default
`RotationPolicy.previous_ttl` of a day.
"""

from datetime import timedelta

from mintkey.purpose import Purpose

__all__ = ["ACCESS", "EMAIL_VERIFY", "MAGIC_LINK", "PASSWORD_RESET", "PAYMENT_APPROVAL", "REFRESH", "SERVICE"]

MAGIC_LINK = Purpose("magic-link", lifetime=timedelta(minutes=10), single_use=True)
"""Sign-in by a link: 10 minutes at most for an out-of-band secret (NIST SP 800-63B §5.1.3.2), used once.

Example:
    >>> MAGIC_LINK.replace(audience="myapp.web").single_use
    True
"""

EMAIL_VERIFY = Purpose("email-verify", lifetime=timedelta(hours=12), single_use=True)
"""Proof that an address is read: people verify late, so half a day (OWASP Authentication Cheat Sheet), used once.

Example:
    >>> EMAIL_VERIFY.lifetime
    datetime.timedelta(seconds=43200)
"""

PASSWORD_RESET = Purpose("password-reset", lifetime=timedelta(minutes=30), single_use=True, revocable=True)
"""A password reset: short, once, and void as soon as another reset succeeds (OWASP Forgot Password Cheat Sheet).

Example:
    >>> PASSWORD_RESET.single_use, PASSWORD_RESET.revocable
    (True, True)
"""

PAYMENT_APPROVAL = Purpose(
    "payment-approval", lifetime=timedelta(minutes=5), single_use=True, required=("sub",), leeway=timedelta(seconds=5)
)
"""Consent to one payment: 5 minutes, the bound of an authentication session (EU 2018/389 Art. 4(3)(d)), used once.

Example:
    >>> sorted(PAYMENT_APPROVAL.required)
    ['sub']
"""

ACCESS = Purpose("access", lifetime=timedelta(minutes=10), typ="at+jwt", required=("sub",))
"""An access token by RFC 9068: `typ` is `at+jwt` (§2.1), short, verified without a store.

Of the claims of §2.2, `iss`, `exp`, `iat`, `jti` and `sub` are always required. `aud` is as soon as you name who the
token is for, which §4 has every resource server check. `client_id` goes into the private claims; where several clients
get tokens, ask for it:

    ACCESS.replace(audience="https://api.myapp.example", required=("sub", "client_id"))

Mint with `claims={"client_id": …}` then, and `scopes=` for `scope` (§2.2.3). `sub` is the client itself where no user
is involved (§2.2). To be able to revoke one, make a `Purpose` of your own with `revocable=True` and `typ="at+jwt"`.

Example:
    >>> api = ACCESS.replace(audience="https://api.myapp.example", required=("sub", "client_id"))
    >>> api.typ, sorted(api.required)
    ('at+jwt', ['client_id', 'sub'])
"""

REFRESH = Purpose("refresh", lifetime=timedelta(hours=12), revocable=True, required=("sub",))
"""A refresh token: 12 hours until the user signs in again (NIST SP 800-63B §4.2.3), revocable (RFC 9700 §4.14).

Example:
    >>> REFRESH.revocable, REFRESH.lifetime
    (True, datetime.timedelta(seconds=43200))
"""

SERVICE = Purpose("service", lifetime=timedelta(minutes=5), required=("sub",))
"""A token from one service to another, minted per call or shortly cached, as a client assertion is (RFC 7523 §3).

Example:
    >>> SERVICE.lifetime
    datetime.timedelta(seconds=300)
"""
