"""Whether the tables are there, and are those that this version needs."""

from collections.abc import Sequence

from sqlalchemy import Column, Connection, Table, inspect
from sqlalchemy.engine.reflection import ObjectKind
from sqlalchemy.schema import CreateColumn

from mintkey.errors import ConfigurationError

__all__ = ["are_there"]


def are_there(connection: Connection, tables: Sequence[Table], /) -> bool:
    """Whether all tables are there.

    Raises:
        ConfigurationError: One of them lacks a column: an older version made it (`configuration`).
    """
    names = [table.name for table in tables]
    found = inspect(connection).get_multi_columns(filter_names=names, kind=ObjectKind.ANY)
    columns = {name: {column["name"] for column in columns} for (_, name), columns in found.items()}
    ConfigurationError.raise_if(
        f"the table {table.name} lacks the column {column.name}. Migrate it: {_addition(connection, column)}"
        for table in tables
        for column in table.columns
        if table.name in columns and column.name not in columns[table.name]
    )
    return len(columns) == len(names)


def _addition(connection: Connection, column: "Column[object]") -> str:
    definition = str(CreateColumn(column).compile(dialect=connection.dialect))
    return f"ALTER TABLE {column.table.name} ADD COLUMN {definition}"
