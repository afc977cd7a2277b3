"""Opening the ledger: connections, durability settings, migrations."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import alembic.command
import alembic.config
import sqlalchemy
from sqlalchemy import URL, Connection, Engine, event
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import ConnectionPoolEntry

_MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_TIMEOUT_S = 30
_WRITES = "hounsfield_writes"


class LedgerError(Exception):
    """The ledger cannot be opened, read or written; the message says why."""


class Ledger:
    """Transactions on the ledger's database.

    Parameters
    ----------
    file
        The SQLite file; its folder has to be there.

    Notes
    -----
    WAL with ``synchronous=FULL``: a committed transaction survives a power loss. Write
    transactions begin with ``BEGIN IMMEDIATE``, so that two processes that read and then write
    wait for one another in place of failing.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._engine = sqlalchemy.create_engine(
            URL.create("sqlite", database=str(file)), connect_args={"timeout": _BUSY_TIMEOUT_S}
        )
        event.listen(self._engine, "connect", _configure_connection)
        event.listen(self._engine, "begin", _begin)
        self._writer: Engine = self._engine.execution_options(**{_WRITES: True})

    @classmethod
    def open(cls, file: Path) -> "Ledger":
        """Open a ledger that a node has made.

        Raises
        ------
        LedgerError
            There is none.
        """
        if not file.exists():
            raise LedgerError(
                f"No ledger at {file}: no node has run with this state folder yet. Name the node's "
                "settings file with --config, or start one with 'hounsfield serve'."
            )
        return cls(file)

    def migrate(self) -> None:
        """Bring the tables to this version's schema.

        Raises
        ------
        LedgerError
            The file is no ledger, or one of a later version, or cannot be written.
        """
        settings = alembic.config.Config()
        settings.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        try:
            with self.write() as connection:
                settings.attributes["connection"] = connection
                alembic.command.upgrade(settings, "head")
        except alembic.util.CommandError as error:
            raise LedgerError(
                f"The ledger {self._file} cannot be brought to this version ({error}). If a later "
                "version wrote it, run that one."
            ) from error

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A read transaction: one consistent state, waits for nobody."""
        with self._translated(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A write transaction: committed durably on leaving, rolled back on an error."""
        with self._translated(), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """The database's errors in words for a person."""
        try:
            yield
        except DatabaseError as error:
            raise LedgerError(f"The ledger {self._file} cannot be used: {error.orig}.") from error

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()


def _configure_connection(connection: sqlite3.Connection, _record: ConnectionPoolEntry) -> None:
    connection.isolation_level = None
    try:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        connection.close()
        raise


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
