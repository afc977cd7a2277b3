"""Findings said in DICOM: one series of objects per finding, the same bytes every time."""

from pipeline.encode.context import ResultContext
from pipeline.encode.dispatch import encode_as
from pipeline.encode.part10 import part10_bytes, write_part10
from pipeline.encode.picture import PictureContent, encode_note, encode_picture
from pipeline.encode.report import ReportName, encode_measurements
from pipeline.encode.report_groups import EncodedLabelMap

__all__ = [
    "EncodedLabelMap",
    "PictureContent",
    "ReportName",
    "ResultContext",
    "encode_as",
    "encode_measurements",
    "encode_note",
    "encode_picture",
    "part10_bytes",
    "write_part10",
]
