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
from pydicom.uid import ExplicitVRLittleEndian

import pipeline
from pipeline.encode import ResultContext, encode, part10_bytes
from pipeline.findings import DerivedVolume, LabelMap
from pipeline.volume import Volume

AGAIN = """
import hashlib, pickle, sys
from pipeline.encode import encode, part10_bytes
findings, volume, context = pickle.loads(sys.stdin.buffer.read())
for finding in findings:
    for result in encode(finding, volume, context):
        print(hashlib.sha256(part10_bytes(result)).hexdigest())
"""


def test_file_meta_is_ours(volume: Volume, label_map: LabelMap, context: ResultContext) -> None:
    (result,) = encode(label_map, volume, context)
    content = part10_bytes(result)
    meta = pydicom.dcmread(BytesIO(content)).file_meta
    assert content[:128] == bytes(128)
    assert meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert meta.MediaStorageSOPInstanceUID == result.SOPInstanceUID
    assert meta.ImplementationVersionName == "HOUNSFIELD_0_2"
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
    findings = (label_map, slab_of(volume))
    here = [
        hashlib.sha256(part10_bytes(result)).hexdigest()
        for finding in findings
        for result in encode(finding, volume, context)
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
