"""States of a PostgreSQL server in which it cannot do what it is asked, each for as long as a block lasts."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from tests.faults.ground import Fate
from tests.support.postgres import PostgresDatabase

__all__ = ["STATES", "WAITED_OUT"]

_END_ALL = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '{state}'; END $$;
"""
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"

State = Callable[[PostgresDatabase], AbstractContextManager[object]]


def _sql(database: PostgresDatabase, statement: str) -> None:
    database.server.sql(statement, database.name)


@contextmanager
def _frozen(database: PostgresDatabase) -> Iterator[None]:
    database.server.freeze()
    yield
    database.server.thaw()
    _sql(database, _END_ALL)


@contextmanager
def _killed(database: PostgresDatabase) -> Iterator[None]:
    database.server.kill()
    yield
    database.server.restart()


@contextmanager
def _ended(database: PostgresDatabase) -> Iterator[None]:
    """An administrator ended all sessions."""
    _sql(database, _END_ALL)
    yield


@contextmanager
def _read_only(database: PostgresDatabase) -> Iterator[None]:
    """As a standby is."""
    _sql(database, f"ALTER DATABASE {database.name} SET default_transaction_read_only = on")
    _sql(database, _END_ALL)
    yield
    database.server.sql(f"ALTER DATABASE {database.name} RESET default_transaction_read_only")
    _sql(database, _END_ALL)


@contextmanager
def _refusing(database: PostgresDatabase, state: str) -> Iterator[None]:
    """Whatever changes a row is refused with an SQLSTATE."""
    _sql(database, _REFUSE.format(state=state))
    for table in database.server.sql(_TABLES, database.name):
        events = f"BEFORE INSERT OR UPDATE OR DELETE ON {table}"
        _sql(database, f"CREATE TRIGGER refuse {events} FOR EACH ROW EXECUTE FUNCTION refuse()")
    yield
    _sql(database, "DROP FUNCTION refuse CASCADE")


STATES: Mapping[str, tuple[State, frozenset[Fate]]] = {
    "frozen": (_frozen, frozenset({Fate.NOTHING, Fate.UNKNOWN})),
    "killed": (_killed, frozenset({Fate.NOTHING})),
    "sessions ended": (_ended, frozenset({Fate.DONE})),
    "read-only": (_read_only, frozenset({Fate.NOTHING})),
    "disk full": (lambda database: _refusing(database, "53100"), frozenset({Fate.NOTHING})),
    "out of memory": (lambda database: _refusing(database, "53200"), frozenset({Fate.NOTHING})),
    "deadlock": (lambda database: _refusing(database, "40P01"), frozenset({Fate.NOTHING})),
    "shutting down": (lambda database: _refusing(database, "57P01"), frozenset({Fate.NOTHING})),
    "starting": (lambda database: _refusing(database, "57P03"), frozenset({Fate.NOTHING})),
}
"""By name: what is wrong, and what may become of a call meanwhile."""

WAITED_OUT = frozenset({"frozen"})
"""Those in which nobody answers, so that a call lasts for as long as its caller is patient."""
