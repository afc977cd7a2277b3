"""Sending instances to a node without any peer's program."""

from collections.abc import Iterable
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from config import AeTitle, PeerAddress
from scp.send import StoreAssociation
from tests.support.node import AE_TITLE


def send(folder: Path, datasets: Iterable[Dataset], port: int, ae_title: str = AE_TITLE) -> None:
    """C-STORE data sets over one association; every one must be acknowledged."""
    folder.mkdir(exist_ok=True)
    paths = []
    for number, dataset in enumerate(datasets):
        paths.append((folder / f"{number:04d}.dcm", str(dataset.SOPClassUID)))
        pydicom.dcmwrite(paths[-1][0], dataset, enforce_file_format=True)
    peer = PeerAddress(AeTitle(ae_title), "127.0.0.1", port)
    classes = sorted({sop_class for _, sop_class in paths})
    with StoreAssociation("TEST", peer, classes, 30.0, [ExplicitVRLittleEndian]) as association:
        for path, sop_class in paths:
            assert association.send(path, sop_class) == 0
