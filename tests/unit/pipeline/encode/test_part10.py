"""The bytes of results: the same wherever and whenever they are made."""

import hashlib
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    RLELossless,
)

import pipeline
from pipeline.encode import ResultContext, encode_as, part10_bytes
from pipeline.encode.part10 import set_file_meta, write_part10
from pipeline.findings import DerivedVolume, LabelMap
from pipeline.products import Product
from pipeline.volume import Volume
from tests.support.encoding import encode

AGAIN = """
import hashlib, pickle, sys
from pipeline.encode import encode_as, part10_bytes
findings, volume, context = pickle.loads(sys.stdin.buffer.read())
for product, finding in findings:
    for result in encode_as(product, finding, volume, context):
        print(hashlib.sha256(part10_bytes(result)).hexdigest())
"""


def test_file_meta_is_ours(volume: Volume, label_map: LabelMap, context: ResultContext) -> None:
    (result,) = encode(label_map, volume, context)
    content = part10_bytes(result)
    meta = pydicom.dcmread(BytesIO(content)).file_meta
    assert content[:128] == bytes(128)
    assert meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert meta.MediaStorageSOPInstanceUID == result.SOPInstanceUID
    assert meta.ImplementationVersionName == "HOUNSFIELD_0_3"
    assert meta.ImplementationClassUID.startswith("2.25.")


def test_nothing_names_the_time_or_library_of_this_run(
    volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    (result,) = encode(label_map, volume, context)
    content = part10_bytes(result)
    assert b"highdicom" not in content.lower()
    assert b"1.2.826.0.1.3680043" not in content


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/St_Johns"])
def test_another_process_and_time_zone_give_the_same_bytes(
    zone: str,
    volume: Volume,
    label_map: LabelMap,
    slab_of: Callable[[Volume], DerivedVolume],
    context: ResultContext,
) -> None:
    findings = ((Product.SEG, label_map), (Product.SERIES, slab_of(volume)))
    here = [
        hashlib.sha256(part10_bytes(result)).hexdigest()
        for product, finding in findings
        for result in encode_as(product, finding, volume, context)
    ]
    there = subprocess.run(
        [sys.executable, "-c", AGAIN],
        input=pickle.dumps((findings, volume, context)),
        env={
            **os.environ,
            "TZ": zone,
            "LC_ALL": "C",
            "PYTHONHASHSEED": "7",
            "PYTHONPATH": str(Path(pipeline.__file__).parents[1]),
        },
        capture_output=True,
        check=True,
    )
    assert there.stdout.decode().split() == here


def image(vr: str = "OW", pixels: bytes = b"abcdef") -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, "1.2.3"
    dataset.PixelRepresentation, dataset.BitsAllocated = 1, 16
    dataset.add_new("SmallestImagePixelValue", "US or SS", -3)
    dataset.add_new("PixelData", vr, pixels)
    set_file_meta(dataset)
    return dataset


def image_of_odd_length() -> Dataset:
    return image("OB", b"abcde")


def image_of_either_representation() -> Dataset:
    return image("OB or OW")


def image_with_something_behind_its_pixels() -> Dataset:
    dataset = image()
    dataset.DataSetTrailingPadding = b"\x00\x00"
    return dataset


def compressed_image() -> Dataset:
    dataset = image("OB", encapsulate([b"abcd", b"ef"]))
    set_file_meta(dataset, RLELossless)
    return dataset


def deflated_image() -> Dataset:
    dataset = image()
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    return dataset


def image_without_pixels() -> Dataset:
    dataset = image()
    del dataset.PixelData
    return dataset


@pytest.mark.parametrize(
    "make",
    [
        image,
        image_of_odd_length,
        image_of_either_representation,
        image_with_something_behind_its_pixels,
        compressed_image,
        deflated_image,
        image_without_pixels,
    ],
)
def test_files_are_those_that_pydicom_writes(make: Callable[[], Dataset]) -> None:
    whole, content = BytesIO(), BytesIO()
    pydicom.dcmwrite(whole, make(), enforce_file_format=True)
    assert part10_bytes(make()) == whole.getvalue()
    digest = write_part10(make(), content)
    assert content.getvalue() == whole.getvalue()
    assert digest == hashlib.sha256(whole.getvalue()).hexdigest()


def test_results_are_the_files_that_pydicom_writes_once_every_element_was_looked_at(
    volume: Volume,
    label_map: LabelMap,
    slab_of: Callable[[Volume], DerivedVolume],
    context: ResultContext,
) -> None:
    """Elements that are encoded once say what decoded ones say."""
    for finding in (label_map, slab_of(volume)):
        for result in encode(finding, volume, context):
            content, whole = part10_bytes(result), BytesIO()
            assert sum(1 for _ in result.iterall()) > len(result)
            result.set_original_encoding(None, None)
            pydicom.dcmwrite(whole, result, enforce_file_format=True)
            assert whole.getvalue() == content
