"""A server on loopback with the API of Vault's transit engine: real keys, real signatures, real refusals."""

import base64
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

__all__ = ["Transit", "running_transit"]

PrivateKey = ec.EllipticCurvePrivateKey | Ed25519PrivateKey
Answer = tuple[int, dict[str, Any]]


class Transit:
    """What the server knows.

    Attributes:
        url: Where it is.
        token: The one that it takes.
        refusing: A status to answer with, whatever is asked; 0: none.
        released: While this is not set, nobody gets an answer.
        asked: How often each method was asked for.
    """

    def __init__(self, token: str) -> None:
        self.url = ""
        self.token = token
        self.refusing = 0
        self.released = threading.Event()
        self.released.set()
        self.asked: Counter[str] = Counter()
        self.keys: dict[str, PrivateKey] = {}
        self._to_be_deleted: set[str] = set()
        self._handlers = {
            ("POST", "keys"): self._create,
            ("GET", "keys"): self._read,
            ("POST", "sign"): self._sign,
            ("POST", "keys", "config"): self._configure,
            ("DELETE", "keys"): self._delete,
        }

    def answer(self, method: str, path: str, token: str | None, body: dict[str, Any]) -> Answer:
        """The status and the document."""
        self.asked[method] += 1
        self.released.wait(10)
        if self.refusing:
            return self.refusing, {"errors": ["Vault is sealed"]}
        if token != self.token:
            return 403, {"errors": ["permission denied"]}
        words = path.removeprefix("/v1/transit/").split("/")
        does = self._handlers.get((method, *words[::2]))
        name = words[1] if len(words) > 1 else ""
        if does is None or (name not in self.keys and does != self._create):
            return (400, {"errors": ["key not found"]}) if method == "POST" else (404, {"errors": []})
        return does(name, body)

    def _create(self, name: str, body: dict[str, Any]) -> Answer:
        self.keys.setdefault(name, _generate(body["type"]))  # one that is there already stays as it is
        return 204, {}

    def _read(self, name: str, _body: dict[str, Any]) -> Answer:
        return 200, {"data": {"latest_version": 1, "keys": {"1": {"public_key": _public(self.keys[name])}}}}

    def _sign(self, name: str, body: dict[str, Any]) -> Answer:
        return 200, {"data": {"signature": "vault:v1:" + _signature(self.keys[name], body), "key_version": 1}}

    def _configure(self, name: str, body: dict[str, Any]) -> Answer:
        if body.get("deletion_allowed"):
            self._to_be_deleted.add(name)
        return 200, {"data": {"name": name}}

    def _delete(self, name: str, _body: dict[str, Any]) -> Answer:
        if name not in self._to_be_deleted:
            return 400, {"errors": ["deletion is not allowed for this key"]}
        del self.keys[name]
        return 204, {}


def _generate(kind: str) -> PrivateKey:
    return Ed25519PrivateKey.generate() if kind == "ed25519" else ec.generate_private_key(ec.SECP256R1())


def _public(key: PrivateKey) -> str:
    if isinstance(key, Ed25519PrivateKey):
        return base64.b64encode(key.public_key().public_bytes_raw()).decode()
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _signature(key: PrivateKey, body: dict[str, Any]) -> str:
    message = base64.b64decode(body["input"], validate=True)
    if isinstance(key, Ed25519PrivateKey):
        return base64.b64encode(key.sign(message)).decode()
    der = key.sign(message, ec.ECDSA(SHA256()))
    if body.get("marshaling_algorithm") != "jws":
        return base64.b64encode(der).decode()
    raw = b"".join(number.to_bytes(32, "big") for number in utils.decode_dss_signature(der))
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@contextmanager
def running_transit(token: str) -> Iterator[Transit]:
    """A server without keys, for as long as the block lasts."""
    transit = Transit(token)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = json.loads(text) if text else {}
            status, document = transit.answer(self.command, self.path, self.headers.get("X-Vault-Token"), body)
            content = b"" if status == 204 else json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = _handle  # noqa: N815 - the names are theirs

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name is theirs
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    serving.start()
    transit.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield transit
    finally:
        transit.released.set()
        server.shutdown()
        serving.join()
        server.server_close()
