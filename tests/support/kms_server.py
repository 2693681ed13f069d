"""moto's KMS as a process on loopback: `python -m tests.support.kms_server`; prints its port.

Its keys and signatures are real. Four things that AWS does and moto does not are put right here, from the API's
reference: a key that is disabled or to be deleted refuses, `MessageType=DIGEST` is not hashed again, the salt of PSS is
as long as the hash, and there is Ed25519, but for one region.
"""

import base64
import json
import os
import sys
import threading
from typing import Any, cast

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, utils
from moto.core.exceptions import JsonRESTError
from moto.kms import models
from moto.kms.responses import KmsResponse
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

__all__ = ["WITHOUT_ED25519"]

WITHOUT_ED25519 = "eu-south-2"
ED25519 = "ECC_NIST_EDWARDS25519"
HASHES: dict[str, hashes.HashAlgorithm] = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}


class Ed25519Key:
    """A key as moto's models hold theirs."""

    def __init__(self) -> None:
        self.private_key = ed25519.Ed25519PrivateKey.generate()

    def public_key(self) -> bytes:
        return self.private_key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )


def signature(native: Any, algorithm: str, message: bytes, kind: str) -> bytes:
    if algorithm == "ED25519_SHA_512":
        if kind != "RAW":
            raise JsonRESTError("ValidationException", "ED25519_SHA_512 takes RAW")
        return cast("bytes", native.sign(message))
    function = HASHES[algorithm[-3:]]
    if kind == "DIGEST" and len(message) != function.digest_size:
        raise JsonRESTError("ValidationException", "the digest has another length")
    hashed = utils.Prehashed(function) if kind == "DIGEST" else function
    if algorithm.startswith("ECDSA"):
        return cast("bytes", native.sign(message, ec.ECDSA(hashed)))
    pss = padding.PSS(mgf=padding.MGF1(function), salt_length=padding.PSS.DIGEST_LENGTH)
    return cast("bytes", native.sign(message, pss if "PSS" in algorithm else padding.PKCS1v15(), hashed))


def refuse_unless_usable(key: models.Key) -> None:
    if key.key_state == "PendingDeletion":
        raise JsonRESTError("KMSInvalidStateException", f"{key.arn} is pending deletion.")
    if not key.enabled:
        raise JsonRESTError("DisabledException", f"{key.arn} is disabled.")


def sign(self: Any) -> str:
    name, algorithm = self._get_param("KeyId"), self._get_param("SigningAlgorithm")
    self._validate_key_id(name)
    key = self.kms_backend.describe_key(name)
    refuse_unless_usable(key)
    if algorithm not in key.signing_algorithms:
        raise JsonRESTError("InvalidKeyUsageException", "another algorithm")
    kind = self._get_param("MessageType") or "RAW"
    made = signature(key.private_key.private_key, algorithm, self._get_param("Message"), kind)
    return json.dumps({"KeyId": key.arn, "Signature": base64.b64encode(made).decode(), "SigningAlgorithm": algorithm})


def put_right() -> None:
    patched = cast("Any", models)
    response, backend, key = cast("Any", KmsResponse), patched.KmsBackend, patched.Key
    generate, algorithms = patched.generate_private_key, key.signing_algorithms.fget
    check_spec, public_key = backend._KmsBackend__ensure_valid_key_spec, backend.get_public_key
    schedule = backend.schedule_key_deletion

    def get_public_key(self: Any, key_id: str) -> Any:
        refuse_unless_usable(self.describe_key(key_id))
        return public_key(self, key_id)

    def schedule_key_deletion(self: Any, key_id: str, days: int) -> Any:
        found = self.describe_key(key_id)
        if found.key_state == "PendingDeletion":
            raise JsonRESTError("KMSInvalidStateException", f"{found.arn} is pending deletion.")
        return schedule(self, found.id, days)

    def check(self: Any, spec: str) -> None:
        if spec != ED25519 or self.region_name == WITHOUT_ED25519:
            check_spec(self, spec)

    response.sign = sign
    backend.get_public_key = get_public_key
    backend.schedule_key_deletion = schedule_key_deletion
    backend._KmsBackend__ensure_valid_key_spec = check
    patched.generate_private_key = lambda spec: Ed25519Key() if spec == ED25519 else generate(spec)
    key.signing_algorithms = property(
        lambda self: ["ED25519_SHA_512"] if self.key_spec == ED25519 else algorithms(self)
    )


class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        pass


def main() -> None:
    put_right()
    application = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, cast("Any", application), threaded=True, request_handler=Quiet)
    print(server.port, flush=True)  # noqa: T201
    threading.Thread(target=end_with_parent, daemon=True).start()
    server.serve_forever()


def end_with_parent() -> None:
    """Whoever started this holds the other end, and lets go of it however he ends."""
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
