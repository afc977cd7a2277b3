"""At start: make spool and index agree again after whatever ended the node before."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pydicom
import structlog
from pydicom.errors import InvalidDicomError

from pipeline.header_file import data_set_offset
from scp.ledger import Ledger
from scp.ledger.series import ReceivedInstance, index_instances, known_names
from scp.receive.identifiers import PARSE_ERRORS, UnusableDataSetError, read_identifiers
from scp.receive.store import index_row
from scp.spool import Reception, Spool, SpooledInstance

_BATCH = 500

log = structlog.get_logger()


def reconcile(spool: Spool, ledger: Ledger) -> int:
    """Remove unfinished temporaries and index the instances that the ledger does not know.

    Returns
    -------
    How many instances were found again: acknowledged, but not indexed before the crash.
    """
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
            kept_in = spool.set_damaged_aside(name)
            log.error(  # noqa: TRY400 - a traceback may quote values
                "damaged file in the spool", file=str(kept_in), error=type(error).__name__
            )


def _row(name: str, path: Path) -> ReceivedInstance:
    """The index row of a file: its meta information tells how it came."""
    meta = pydicom.filereader.read_file_meta_info(path)
    content = path.read_bytes()
    data_set = memoryview(content)[data_set_offset(content) :]
    identifiers = read_identifiers(data_set, meta.TransferSyntaxUID)
    reception = Reception(
        sop_class_uid=identifiers.sop_class_uid,
        sop_instance_uid=identifiers.sop_instance_uid,
        transfer_syntax_uid=str(meta.TransferSyntaxUID),
        calling_ae_title=str(meta.SendingApplicationEntityTitle).strip(),
        called_ae_title=str(meta.ReceivingApplicationEntityTitle).strip(),
    )
    spooled = SpooledInstance(
        name=name,
        size_bytes=len(data_set),
        is_new=False,
        received_at=datetime.fromtimestamp(path.stat().st_mtime, UTC),
    )
    return index_row(reception, identifiers, spooled)
