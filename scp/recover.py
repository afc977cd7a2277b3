"""At start: make spool and index agree again after whatever ended the node before."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pydicom
import structlog
from pydicom.errors import InvalidDicomError

from pipeline.header_file import data_set_offset
from scp.ledger import Ledger
from scp.ledger.associations import end_left_open
from scp.ledger.series import ReceivedInstance, index_instances, known_names
from scp.receive.identifiers import (
    HEAD_BYTES,
    PARSE_ERRORS,
    UnusableDataSetError,
    glance,
    read_identifiers,
)
from scp.receive.store import index_row
from scp.spool import Reception, Spool, SpooledInstance, sync_folder

_BATCH = 500

log = structlog.get_logger()


def reconcile(spool: Spool, ledger: Ledger) -> int:
    """Remove unfinished temporaries and index the instances that the ledger does not know.

    Associations that were open when the node ended are recorded as lost.

    Returns
    -------
    How many instances were found again: acknowledged, but not indexed before the crash.
    """
    with ledger.write() as connection:
        end_left_open(connection, datetime.now(UTC))
    removed = spool.discard_temporaries()
    if removed:
        log.info("unfinished temporaries removed", files=removed)
    return index_unknown(spool, ledger)


def index_unknown(spool: Spool, ledger: Ledger) -> int:
    """Index the instances of the spool that the ledger does not know; return how many."""
    found = 0
    names = spool.names()
    while batch := list(islice(names, _BATCH)):
        with ledger.read() as connection:
            known = known_names(connection, batch)
        rows = list(_rows(spool, [name for name in batch if name not in known]))
        for folder in {spool.path(row.name).parent for row in rows}:
            sync_folder(folder)  # one killed before it did so has given names that may be lost yet
        if rows:
            with ledger.write() as connection:
                found += index_instances(connection, rows)
    if found:
        log.info("instances found again in the spool", instances=found)
    return found


def _rows(spool: Spool, names: list[str]) -> Iterator[ReceivedInstance]:
    """The rows of what can be read; what cannot is set aside for inspection."""
    for name in names:
        try:
            yield _row(name, spool.path(name))
        except (*PARSE_ERRORS, InvalidDicomError, UnusableDataSetError) as error:
            if (trouble := _of_the_disk(error)) is not None:
                log.error(  # noqa: TRY400 - a reason, no traceback wanted
                    "file in the spool not read, left to the next start",
                    file=str(spool.path(name)),
                    reason=trouble.strerror,
                )
                continue
            kept_in = spool.set_damaged_aside(name)
            log.error(  # noqa: TRY400 - a traceback may quote values
                "damaged file in the spool", file=str(kept_in), error=type(error).__name__
            )


def _of_the_disk(error: Exception) -> OSError | None:
    """What the system said, where it was not the file's content that could not be read."""
    for each in (error, error.__cause__):
        if isinstance(each, OSError) and each.errno is not None:
            return each
    return None


def _row(name: str, path: Path) -> ReceivedInstance:
    """The index row of a file: its meta information tells how it came.

    It is read as the receiver read it, so that all is found again that was acknowledged.
    """
    meta = pydicom.filereader.read_file_meta_info(path)
    syntax = str(meta.TransferSyntaxUID)
    with path.open("rb") as file:
        begin = data_set_offset(file.read(HEAD_BYTES))
        file.seek(begin)
        identifiers = glance(file.read(HEAD_BYTES), syntax)
        if identifiers is None:
            file.seek(begin)
            identifiers = read_identifiers(file, syntax)
        status = os.fstat(file.fileno())
    reception = Reception(
        sop_class_uid=identifiers.sop_class_uid,
        sop_instance_uid=identifiers.sop_instance_uid,
        transfer_syntax_uid=syntax,
        calling_ae_title=str(meta.SendingApplicationEntityTitle).strip(),
        called_ae_title=str(meta.ReceivingApplicationEntityTitle).strip(),
    )
    spooled = SpooledInstance(
        name=name,
        size_bytes=status.st_size - begin,
        is_new=False,
        received_at=datetime.fromtimestamp(status.st_mtime, UTC),
    )
    return index_row(reception, identifiers, spooled)
