"""The error tree is closed, carries reasons and statuses, and survives a process boundary."""

import pickle
from types import MappingProxyType

import pytest

from mintkey import errors
from mintkey.errors import ConfigurationError, Reason, ReplayStoreError

RAISABLE = {
    "ConfigurationError": ({"configuration"}, 500, False),
    "MissingExtraError": ({"extra_missing"}, 500, False),
    "UnsupportedOperationError": ({"unsupported"}, 500, False),
    "MalformedTokenError": ({"malformed", "too_large", "header_unsupported"}, 401, False),
    "SignatureError": ({"signature_invalid", "algorithm_mismatch"}, 401, False),
    "KeyNotFoundError": ({"key_unknown", "key_retired"}, 401, False),
    "KeyRevokedError": ({"key_revoked"}, 401, False),
    "PurposeMismatchError": ({"purpose_mismatch"}, 401, False),
    "ClaimError": ({"claim_missing", "claim_invalid", "issuer_mismatch", "audience_mismatch"}, 401, False),
    "ExpiredTokenError": ({"expired"}, 401, False),
    "NotYetValidError": ({"not_yet_valid"}, 401, False),
    "TokenReplayedError": ({"replayed", "replay_unprovable"}, 401, False),
    "TokenRevokedError": ({"revoked"}, 401, False),
    "InsufficientScopeError": ({"insufficient_scope"}, 403, False),
    "KeyProviderError": ({"keys_unavailable", "signing_failed", "rotation_conflict", "key_exhausted"}, 503, True),
    "ReplayStoreError": ({"replay_unavailable", "replay_outcome_unknown", "token_reserved"}, 503, True),
    "RemoteKeysError": ({"jwks_unavailable", "jwks_invalid"}, 503, True),
    "TokenEndpointError": ({"token_endpoint_unavailable", "token_endpoint_rejected"}, 503, True),
    "EventBusError": ({"bus_unavailable", "bus_outcome_unknown"}, 503, True),
}


@pytest.mark.parametrize("name", RAISABLE)
def test_an_error_has_its_reasons_status_and_retryability(name):
    reasons, status, retryable = RAISABLE[name]
    kind = getattr(errors, name)
    error = kind("what happened")
    assert {str(reason) for reason in kind.reasons} == reasons
    assert error.reason is kind.reasons[0]
    assert (error.status_code, error.retryable) == (status, retryable)
    assert str(error) == "what happened"
    assert dict(error.details) == {}


def test_every_reason_belongs_to_exactly_one_error():
    owned = [str(reason) for name in RAISABLE for reason in getattr(errors, name).reasons]
    assert sorted(owned) == sorted(str(reason) for reason in Reason)


def test_the_tree_is_the_one_of_the_documentation():
    assert issubclass(errors.MissingExtraError, ImportError)
    assert issubclass(errors.KeyRevokedError, errors.KeyNotFoundError)
    assert issubclass(errors.ExpiredTokenError, errors.ClaimError)
    assert issubclass(errors.InsufficientScopeError, errors.InvalidTokenError)
    assert not issubclass(errors.BackendError, errors.InvalidTokenError)


def test_a_reserved_token_is_a_conflict_and_not_an_outage():
    assert ReplayStoreError("busy", reason=Reason.TOKEN_RESERVED).status_code == 409


def test_a_claim_error_names_the_claim():
    error = errors.ClaimError("no integer", claim="age", details={"wanted": "int"})
    assert (error.claim, error.details["wanted"]) == ("age", "int")


def test_all_problems_are_told_at_once():
    with pytest.raises(ConfigurationError, match="first; second") as caught:
        ConfigurationError.raise_if(["first", "second"])
    assert caught.value.details["problems"] == ("first", "second")
    ConfigurationError.raise_if([])


@pytest.mark.parametrize("details", [None, {}, {"n": 1}, MappingProxyType({"n": 1})], ids=["left out", *"012"])
@pytest.mark.parametrize("name", RAISABLE)
def test_an_error_survives_a_process_boundary(name, details):
    kind = getattr(errors, name)
    for reason in kind.reasons:
        error = kind("busy", reason=reason, details=details)
        error.add_note("seen by a worker")
        again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
        assert type(again) is kind
        assert (again.reason, again.status_code, str(again)) == (reason, error.status_code, "busy")
        assert (dict(again.details), again.__notes__) == (dict(details or {}), ["seen by a worker"])


def test_a_claim_error_still_names_the_claim_beyond_a_process_boundary():
    again = pickle.loads(pickle.dumps(errors.ExpiredTokenError("over", claim="exp")))  # noqa: S301 - our own bytes
    assert (again.claim, again.reason) == ("exp", Reason.EXPIRED)
