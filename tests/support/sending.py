"""Sending instances to a node without any peer's program."""

from collections.abc import Iterable
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

from config import AeTitle, PeerAddress
from scp.send import StoreAssociation
from tests.support.node import AE_TITLE


def send(
    folder: Path, datasets: Iterable[Dataset], port: int, calling_ae_title: str = "TEST"
) -> None:
    """C-STORE data sets over one association; every one must be acknowledged."""
    folder.mkdir(exist_ok=True)
    paths = []
    for number, dataset in enumerate(datasets):
        paths.append((folder / f"{number:04d}.dcm", str(dataset.SOPClassUID)))
        pydicom.dcmwrite(paths[-1][0], dataset, enforce_file_format=True)
    peer = PeerAddress(AeTitle(AE_TITLE), "127.0.0.1", port)
    classes = sorted({sop_class for _, sop_class in paths})
    with StoreAssociation(calling_ae_title, peer, classes, 30.0) as association:
        for path, sop_class in paths:
            assert association.send(path, sop_class) == 0
