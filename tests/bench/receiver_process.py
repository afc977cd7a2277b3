"""Our receivers by themselves, without the node's engine and couriers.

Run by `tests.bench.receiver` as ``python -m tests.bench.receiver_process FOLDER RECEIVERS``: it
prints the port and the ids of its processes as JSON, and ends when its input ends.
``--no-sync`` leaves out every fsync of the spool, so that the way of the bytes can be compared
with peers that sync nothing; no setting of the product does that.
"""

import argparse
import json
import os
import sys
from pathlib import Path

import psutil

from config import AeTitle, LimitSettings, NodeSettings, Settings
from scp.ledger import Ledger
from scp.receive.process import ReceiverProcess
from scp.receive.slots import SlotTable
from scp.spool import Spool
from scp.state_folder import StateFolder

AE_TITLE = "HOUNSFIELD"
_ASSOCIATIONS = 1000


def main() -> None:
    """Receive until the input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("receivers", type=int)
    parser.add_argument("--no-sync", action="store_true")
    given = parser.parse_args()
    settings = _settings(given.folder)
    _prepare(StateFolder(given.folder))
    receivers = _start(settings, given.receivers, durable=not given.no_sync)
    started = {"port": receivers[0].port, "ids": _process_ids(receivers)}
    print(json.dumps(started), flush=True)  # noqa: T201 - read by the run that started this one
    sys.stdin.read()
    for receiver in receivers:
        receiver.ask_to_stop()
    for receiver in receivers:
        receiver.wait()


def _start(settings: Settings, count: int, *, durable: bool) -> list[ReceiverProcess]:
    """Receivers that share a port and the count of associations."""
    slots = SlotTable.create(settings.limits, count)
    receivers: list[ReceiverProcess] = []
    for row in range(count):
        port = receivers[0].port if receivers else 0
        receivers.append(
            ReceiverProcess.start(settings, port, slots=slots, row=row, durable=durable)
        )
    return receivers


def _process_ids(receivers: list[ReceiverProcess]) -> list[int]:
    """The receivers' processes, with the one that they are forked from where there is one."""
    own = {receiver.process.pid for receiver in receivers}
    parents = {psutil.Process(pid).ppid() for pid in own} - {os.getpid()}
    return sorted(parents or own)


def _settings(folder: Path) -> Settings:
    """The product's defaults, but for the limits that a crowd on one address would meet."""
    limits = LimitSettings(associations=_ASSOCIATIONS, associations_per_address=_ASSOCIATIONS)
    node = NodeSettings(ae_title=AeTitle(AE_TITLE), state=folder, port=0)
    return Settings(node=node, limits=limits)


def _prepare(folder: StateFolder) -> None:
    folder.prepare()
    ledger = Ledger(folder.ledger)
    ledger.migrate()
    ledger.close()
    Spool(folder.spool).prepare()


if __name__ == "__main__":
    main()
