"""What the SQL backends share: an engine, its tables, and transactions that never block or poison anything."""

from mintkey.errors import MissingExtraError

try:
    import sqlalchemy.ext.asyncio as _sqlalchemy
except ImportError as _error:
    raise MissingExtraError("SQL backends need SQLAlchemy with asyncio: pip install 'mintkey[sql]'") from _error

__all__: list[str] = []

del _sqlalchemy
