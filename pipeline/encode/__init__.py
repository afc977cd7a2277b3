"""Findings said in DICOM: one series of objects per finding, the same bytes every time."""

from pipeline.encode.context import ResultContext
from pipeline.encode.dispatch import encode
from pipeline.encode.part10 import part10_bytes

__all__ = ["ResultContext", "encode", "part10_bytes"]
