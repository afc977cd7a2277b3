"""Every kind of result in every transfer syntax of a dialect, stored at Orthanc and got back."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from config import AeTitle, DeliverySettings, Peer
from config.dialect import DialectSettings, Syntax
from pipeline.products import Dialect, Form, Product
from scp.deliver import Courier
from scp.ledger import Ledger
from scp.ledger.jobs import job_lines
from scp.ledger.outbox import StoredResult, record_results
from scp.send import StoreAssociation
from scp.status import Status
from tests.support.every_kind import Results, Source, results_of
from tests.support.orthanc import Orthanc
from tests.unit.scp.test_ledger import index, make_job, received

pytestmark = pytest.mark.peers

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
COMPRESSED: tuple[Syntax, ...] = ("rle", "jpeg-ls", "jpeg-2000")
IMAGES = (Product.SERIES, Product.PICTURE, Product.NOTE)
FINER = 3


def finer(dataset: Dataset, _index: int) -> None:
    """Pixels of a third of the size: 42 rows and 57 columns, of which JPEG 2000 takes 32."""
    pixels = np.frombuffer(dataset.PixelData, "<u2").reshape(dataset.Rows, dataset.Columns)
    dataset.PixelData = np.kron(pixels, np.ones((FINER, FINER), "<u2")).astype("<u2").tobytes()
    dataset.Rows, dataset.Columns = FINER * dataset.Rows, FINER * dataset.Columns
    dataset.PixelSpacing = [float(value) / FINER for value in dataset.PixelSpacing]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Of a CT, of which the reformats are only as high as it has slices."""
    folder = tmp_path_factory.mktemp("orthanc")
    return results_of(Source(folder / "source", edit=finer), folder / "results")


def ends(results: Results) -> dict[Path, Product]:
    """The first and the last file of each kind."""
    return {path: kind for kind, paths in results.paths.items() for path in (paths[0], paths[-1])}


def dialect(syntax: Syntax) -> DialectSettings:
    return DialectSettings(transfer_syntax=syntax)


def peer(orthanc: Orthanc, syntax: Syntax) -> Peer:
    return Peer(
        ae_title=AeTitle("ORTHANC"),
        host="127.0.0.1",
        port=orthanc.dicom_port,
        dialect=dialect(syntax),
    )


@pytest.mark.parametrize("syntax", ["explicit", "implicit", *COMPRESSED])
def test_every_kind_is_stored_and_comes_back_as_it_was(
    syntax: Syntax, results: Results, orthanc: Orthanc, tmp_path: Path
) -> None:
    """Label maps are refused, with the status for it; images are stored as they were preferred."""
    sent = {path: pydicom.dcmread(path) for path in ends(results)}
    classes = sorted({item.SOPClassUID for item in sent.values()})
    wished = dialect(syntax).transfer_syntax_uid
    address = peer(orthanc, syntax).address
    with StoreAssociation("HOUNSFIELD", address, classes, 20.0, wished) as association:
        statuses = {path: association.send(path, item.SOPClassUID) for path, item in sent.items()}
    kinds = ends(results)
    for path, status in statuses.items():
        refused = kinds[path] is Product.LABELMAP
        assert status == (Status.SOP_CLASS_NOT_SUPPORTED if refused else Status.SUCCESS), path.name
    back = {
        item.SOPInstanceUID: item
        for item in map(pydicom.dcmread, orthanc.download(tmp_path / "back"))
    }
    assert len(back) == len([path for path in sent if kinds[path] is not Product.LABELMAP])
    for path, item in sent.items():
        if kinds[path] is not Product.LABELMAP:
            assert_same(item, back[item.SOPInstanceUID])
            if wished.is_compressed:
                compressed = is_compressed(kinds[path], item, syntax)
                expected = wished if compressed else ExplicitVRLittleEndian
                assert back[item.SOPInstanceUID].file_meta.TransferSyntaxUID == expected


def is_compressed(kind: Product, item: Dataset, syntax: Syntax) -> bool:
    """JPEG 2000 takes no image of less than 32 rows."""
    return kind in IMAGES and (syntax != "jpeg-2000" or item.Rows >= 32)


def assert_same(ours: Dataset, theirs: Dataset) -> None:
    """Every element is there and, of pixels, what they decode to."""
    names = [keyword for keyword in ours.dir() if keyword != "PixelData"]
    assert [keyword for keyword in theirs.dir() if keyword != "PixelData"] == names
    for keyword in names:
        assert theirs[keyword].value == ours[keyword].value, keyword
    if "PixelData" in ours:
        np.testing.assert_array_equal(theirs.pixel_array, ours.pixel_array)


@pytest.fixture
def ledger(tmp_path: Path, results: Results) -> Iterator[Ledger]:
    """With a job whose results of every kind are due."""
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.migrate()
    index(ledger, received(1), received(2))
    make_job(ledger)
    wanting = Dialect(frozenset(Product))
    with ledger.write() as connection:
        stored = [stored_result(path, kind) for path, kind in ends(results).items()]
        record_results(connection, 1, stored, {"pacs": wanting}, NOW)
    yield ledger
    ledger.close()


def stored_result(path: Path, kind: Product) -> StoredResult:
    header = pydicom.dcmread(path, stop_before_pixels=True)
    return StoredResult(
        sop_instance_uid=str(header.SOPInstanceUID),
        sop_class_uid=str(header.SOPClassUID),
        series_instance_uid=str(header.SeriesInstanceUID),
        file=path.name,
        sha256="ab",
        product=kind,
        form=Form().key,
    )


def test_what_orthanc_refuses_is_set_aside_with_its_status_and_the_rest_arrives(
    results: Results, ledger: Ledger, orthanc: Orthanc
) -> None:
    """At once: sending a label map again would not change the answer."""
    Courier(
        name="pacs",
        peer=peer(orthanc, "jpeg-2000"),
        calling_ae_title="HOUNSFIELD",
        settings=DeliverySettings(timeout_s=20.0),
        ledger=ledger,
        results_folder=results.files[0].parent,
        stopping=Event(),
        clock=lambda: NOW,
    ).tick(NOW)
    kinds = list(ends(results).values())
    with ledger.read() as connection:
        (line,) = job_lines(connection)
    refused = kinds.count(Product.LABELMAP)
    assert (line.delivered, line.set_aside) == (len(kinds) - refused, refused)
    assert len(orthanc.instances()) == line.delivered
    assert "pacs answered 0122" in line.delivery_reason
    assert "peers.pacs.dialect" in line.delivery_reason
