"""What a PET series says beside its images: the activity, its decay, and how the patient lay.

Uptake values are computed from it, so that a result gives the very factor that its source gives.

Source: PS3.3 C.8.9.1 (PET Series), C.8.9.2 (PET Isotope), C.8.4.6 (NM/PET Patient Orientation),
C.8.22.2 and C.8.22.3 (Enhanced PET Acquisition and Image); PS3.16 CID 19 to 21.
"""

from pydicom.dataset import Dataset

from pipeline.encode.codes import code_item
from pipeline.encode.header import copy_attributes, fill_missing
from pipeline.encode.values import decimal_string, values_of
from pipeline.findings import Code
from pipeline.volume import Volume
from pipeline.volume.suv import SuvFactor, decay_moment, suv_factor

_WHOLE_BODY = "WHOLE BODY"
_FROM_SERIES = "Series Date and Time"
# A multi-frame source says one by one what Corrected Image (0028,0051) lists.
_CORRECTIONS = {
    "DecayCorrected": "DECY",
    "AttenuationCorrected": "ATTN",
    "ScatterCorrected": "SCAT",
    "DeadTimeCorrected": "DTIM",
    "GantryMotionCorrected": "MOTN",
    "PatientMotionCorrected": "PMOT",
    "CountLossNormalizationCorrected": "CLN",
    "RandomsCorrected": "RAN",
    "NonUniformRadialSamplingCorrected": "RADL",
    "SensitivityCalibrated": "DCAL",
    "DetectorNormalizationCorrection": "NORM",
}
_RECUMBENT = Code("102538003", "SCT", "recumbent")
_ENTERED = {
    "HF": Code("102540008", "SCT", "headfirst"),
    "FF": Code("102541007", "SCT", "feet-first"),
}
_LAY = {
    "S": Code("40199007", "SCT", "supine"),
    "P": Code("1240000", "SCT", "prone"),
    "DR": Code("102535000", "SCT", "right lateral decubitus"),
    "DL": Code("102536004", "SCT", "left lateral decubitus"),
}
_POSITIONS = {
    f"{entered}{lay}": (_ENTERED[entered], _LAY[lay]) for entered in _ENTERED for lay in _LAY
}
# Philips keeps the factors from counts to SUV and to activity in a block of its own.
_PHILIPS_GROUP, _PHILIPS_CREATOR = 0x7053, "Philips PET Private Group"
_TO_SUV, _TO_ACTIVITY = 0x00, 0x09


def settle_pet(header: Dataset, volume: Volume, images: int, *, reprojected: bool) -> None:
    """Say of a derived PET series what its class asks for.

    Parameters
    ----------
    images
        How many images the series has.
    reprojected
        Whether they are views from around the patient.
    """
    source = volume.sources[0].header
    copy_attributes(source, header, ("SeriesDate", "SeriesTime"))
    _add_series_type(header, source, images, reprojected=reprojected)
    _add_corrections(header, source)
    _add_position(header, source)
    _complete_isotopes(header)
    _keep_factor(header, source)


def settle_pet_image(image: Dataset) -> list[str]:
    """Say of one image what its class asks for, and leave out what it forbids.

    Returns
    -------
    Which attributes were filled in because the source does not say them.
    """
    # The only one of a PET image; it changes no value, only how a viewer first shows it.
    image.PhotometricInterpretation = "MONOCHROME2"
    if image.DecayCorrection == "NONE":
        image.pop("DecayFactor", None)
    elif not image.get("DecayFactor"):
        image.DecayFactor = "1"
        return ["DecayFactor"]
    return []


def _add_series_type(header: Dataset, source: Dataset, images: int, *, reprojected: bool) -> None:
    """One volume is no dynamic or gated series any more."""
    whole_body = reprojected or _WHOLE_BODY in values_of(source.get("SeriesType"))
    header.SeriesType = [
        _WHOLE_BODY if whole_body else "STATIC",
        "REPROJECTION" if reprojected else "IMAGE",
    ]
    if reprojected:
        header.ReprojectionMethod = "MAX PIXEL"
    header.NumberOfSlices = images


def _add_corrections(header: Dataset, source: Dataset) -> None:
    if "CorrectedImage" not in header:
        done = [code for keyword, code in _CORRECTIONS.items() if source.get(keyword) == "YES"]
        header.CorrectedImage = done or None
    if header.get("DecayCorrectionDateTime") and not header.get("DecayCorrection"):
        header.DecayCorrection = "START"


def _add_position(header: Dataset, source: Dataset) -> None:
    """How the patient lay; said in codes, beside which Patient Position is not allowed."""
    position = str(source.get("PatientPosition") or "").strip().upper()
    if "PatientOrientationCodeSequence" in header or position not in _POSITIONS:
        return
    entered, lay = _POSITIONS[position]
    orientation = code_item(_RECUMBENT)
    orientation.PatientOrientationModifierCodeSequence = [code_item(lay)]
    header.PatientOrientationCodeSequence = [orientation]
    header.PatientGantryRelationshipCodeSequence = [code_item(entered)]


def _complete_isotopes(header: Dataset) -> None:
    for isotope in header.get("RadiopharmaceuticalInformationSequence") or ():
        fill_missing(isotope, ("RadionuclideCodeSequence",))


def _keep_factor(header: Dataset, source: Dataset) -> None:
    """Say what the source's factor to uptake values was made of, where the result would lose it.

    Private elements and the manufacturer are not taken over, and some scanners say there when the
    scan began and what a count stands for.
    """
    found = suv_factor(source)
    if found.inputs is None:
        return
    if not header.get("Units"):
        header.Units = found.inputs.units
    if found.inputs.scan_time not in (None, _FROM_SERIES):
        moment = decay_moment(source)
        if moment is not None:
            header.DecayCorrectionDateTime = f"{moment.local:%Y%m%d%H%M%S.%f}{moment.zone}"
    _add_vendor_factor(header, found)


def _add_vendor_factor(header: Dataset, found: SuvFactor) -> None:
    if found.inputs is None or found.inputs.vendor_factor is None:
        return
    element = _TO_SUV if found.inputs.injected_dose_bq is None else _TO_ACTIVITY
    block = header.private_block(_PHILIPS_GROUP, _PHILIPS_CREATOR, create=True)
    block.add_new(element, "DS", decimal_string(found.inputs.vendor_factor))
