"""Findings said in DICOM: one series of objects per finding, the same bytes every time."""

from pipeline.encode.context import ResultContext
from pipeline.encode.dispatch import encode
from pipeline.encode.part10 import part10_bytes
from pipeline.encode.report import EncodedLabelMap, encode_measurements

__all__ = ["EncodedLabelMap", "ResultContext", "encode", "encode_measurements", "part10_bytes"]
