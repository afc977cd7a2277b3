"""Edits that make a CT slice one of MR or PET, as scanners send them."""

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import MRImageStorage, PositronEmissionTomographyImageStorage

INJECTED_BQ, HALF_LIFE_S, WEIGHT_KG = 3.7e8, 6586.2, 70.0


def as_mr(dataset: Dataset, _index: int) -> None:
    """A spin echo, its values stored as they are."""
    _change(dataset, MRImageStorage, "MR")
    for keyword in ("KVP", "RescaleSlope", "RescaleIntercept"):
        delattr(dataset, keyword)
    dataset.ScanningSequence, dataset.SequenceVariant = "SE", "SK"
    dataset.ScanOptions, dataset.MRAcquisitionType = "", "2D"
    dataset.RepetitionTime, dataset.EchoTime, dataset.EchoTrainLength = "500", "15", "1"
    dataset.MagneticFieldStrength = "1.5"


def as_pet(dataset: Dataset, index: int) -> None:
    """FDG, corrected to the start of the series, each slice with a slope of its own."""
    _change(dataset, PositronEmissionTomographyImageStorage, "PT")
    for keyword in ("KVP", "PatientPosition"):
        delattr(dataset, keyword)
    dataset.PatientWeight = str(WEIGHT_KG)
    dataset.RescaleIntercept, dataset.RescaleSlope = "0", f"{1 + index / 7:.10g}"
    dataset.Units, dataset.CountsSource, dataset.DecayCorrection = "BQML", "EMISSION", "START"
    dataset.SeriesType, dataset.CorrectedImage = ["WHOLE BODY", "IMAGE"], ["DECY", "ATTN"]
    dataset.CollimatorType = "RING"
    dataset.AcquisitionTime = f"03{5 + index:02}05"
    dataset.FrameReferenceTime, dataset.ActualFrameDuration = str(1000 * index), "60000"
    dataset.DecayFactor, dataset.ImageIndex, dataset.NumberOfSlices = "1.01", index + 1, 6
    dataset.RadiopharmaceuticalInformationSequence = [_isotope()]
    dataset.PatientOrientationCodeSequence = [_code("102538003", "recumbent")]
    dataset.PatientGantryRelationshipCodeSequence = [_code("102540008", "headfirst")]


def as_rescaled_mr(dataset: Dataset, index: int) -> None:
    """Philips' way: integers that a slope turns into what the scanner measured."""
    as_mr(dataset, index)
    dataset.RescaleSlope, dataset.RescaleIntercept = "0.25", "-3"


def as_mr_of_many_slopes(dataset: Dataset, index: int) -> None:
    """A slope for each slice, and values below 0."""
    as_mr(dataset, index)
    dataset.RescaleSlope, dataset.RescaleIntercept = str(index + 1), "-300"


def values(image: Dataset) -> np.ndarray:
    """(row, column): what a reader makes of an image."""
    dtype = "<i2" if image.PixelRepresentation else "<u2"
    stored = np.frombuffer(image.PixelData, dtype).reshape(image.Rows, image.Columns)
    slope, intercept = image.get("RescaleSlope", 1), image.get("RescaleIntercept", 0)
    return stored * float(slope) + float(intercept)


def _change(dataset: Dataset, sop_class_uid: str, modality: str) -> None:
    dataset.SOPClassUID, dataset.Modality = sop_class_uid, modality
    dataset.BodyPartExamined = "BRAIN" if modality == "MR" else "WHOLEBODY"


def _isotope() -> Dataset:
    item = Dataset()
    item.RadiopharmaceuticalStartDateTime = "20240102020405"
    item.RadionuclideTotalDose = f"{INJECTED_BQ:.0f}"
    item.RadionuclideHalfLife = str(HALF_LIFE_S)
    item.RadionuclideCodeSequence = [_code("77004003", "^18^Fluorine")]
    return item


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", meaning
    return item
