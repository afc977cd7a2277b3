"""A receiver as one writes it first: plain pynetdicom, durable before the response.

Run by `tests.bench.receiver` as ``python -m tests.bench.stock_receiver FOLDER PORT``. It is made
with care: 64 KB PDUs, the data set written as it came and never decoded.
"""

import os
import sys
from pathlib import Path
from typing import cast

from pynetdicom import AE, AllStoragePresentationContexts, _config, evt
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.events import Event

_PDU_BYTES = 65536
_ASSOCIATIONS = 1000
_SUCCESS = 0x0000


def main() -> None:
    """Receive until the process is ended."""
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    _config.LOG_HANDLER_LEVEL = "none"
    entity = AE("PYNETDICOM")
    entity.supported_contexts = AllStoragePresentationContexts
    entity.add_supported_context("1.2.840.10008.1.1")
    entity.maximum_pdu_size = _PDU_BYTES
    entity.maximum_associations = _ASSOCIATIONS
    entity.start_server(("127.0.0.1", port), evt_handlers=[(evt.EVT_C_STORE, _store, [folder])])


def _store(event: Event, folder: Path) -> int:
    """Write, sync the file, sync the folder, then say so."""
    request = cast("C_STORE", event.request)
    with (folder / f"{request.AffectedSOPInstanceUID}.dcm").open("wb") as file:
        file.write(event.encoded_dataset())
        file.flush()
        os.fsync(file.fileno())
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(descriptor)
    os.close(descriptor)
    return _SUCCESS


if __name__ == "__main__":
    main()
