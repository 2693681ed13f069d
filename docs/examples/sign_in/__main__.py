"""Serve the application where its issuer says: `python docs/examples/sign_in`, or `python -m sign_in` beside it."""

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn


def main() -> None:
    """Serve it, in as many processes as `WEB_CONCURRENCY` says."""
    place = urlsplit(os.environ.get("MINTKEY_ISSUER", "http://localhost:8000"))
    workers = int(os.environ.get("WEB_CONCURRENCY", "1"))
    if workers > 1 and not {"MINTKEY_STORE", "MINTKEY_STORE_FILE"} & os.environ.keys():
        sys.exit("several processes need one store: set MINTKEY_STORE, for instance to redis://localhost")
    uvicorn.run(
        "sign_in.app:create_app",
        factory=True,
        app_dir=str(Path(__file__).resolve().parent.parent),
        host=place.hostname or "localhost",
        port=place.port or 8000,
        workers=workers,
        access_log=False,  # it would show addresses with their query, and links are such addresses
    )


if __name__ == "__main__":
    main()
