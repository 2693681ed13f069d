"""The console script `mintkey`, also as `python -m mintkey`."""

import sys

__all__ = ["main"]

_EXTRA = frozenset({"aiosqlite", "platformdirs", "rich", "sqlalchemy", "typer"})


def main() -> None:
    """Run the command line.

    Raises:
        SystemExit: Always, with the exit code.
    """
    try:
        from mintkey.cli.app import app  # noqa: PLC0415 - an extra

        app(prog_name="mintkey")
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        sys.stderr.write(f"mintkey: extra_missing: {error.name} is not installed; pip install 'mintkey[cli]'\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
