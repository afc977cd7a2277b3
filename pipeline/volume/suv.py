"""The factor from activity in a PET image to standardized uptake values (SUV) by body weight.

The rules are those of the QIBA profile's vendor-neutral scheme. What is missing, contradicts itself
or cannot be is told as a reason, never guessed: the volume then stays in the header's own units.

Source: QIBA FDG-PET/CT profile and "SUV vendor-neutral pseudo-code"; PS3.3 section C.8.9.1 (PET
series), C.8.9.2 (isotope), C.8.9.4 (image), C.8.22 (enhanced PET).
"""

import math
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from pydicom.dataset import Dataset

from pipeline.volume.suv_time import (
    Moment,
    TimeError,
    moment_from_date_and_time,
    moment_from_date_time,
)

_GRAMS_PER_KG = 1000.0
_WEIGHT_KG = (0.005, 650.0)
# A dose below is in MBq, as in nuclear medicine's other objects, and no dose for a human.
_DOSE_BQ = (1e5, 1e11)
_HALF_LIFE_S = (10.0, 1e8)
_FACTOR = (1e-12, 1e3)
_MOST_HALF_LIVES = 10.0
# Injections of such nuclides may be days before the scan: a time of day alone says too little.
_HALF_LIFE_THAT_NEEDS_A_DATE_S = 8 * 3600.0
_LONGEST_DELAY_WITHOUT_DATE = timedelta(hours=12)
_DAY = timedelta(days=1)
_PHILIPS = (0x7053, "Philips PET Private Group")
_PHILIPS_SUV_FACTOR, _PHILIPS_ACTIVITY_FACTOR = 0x00, 0x09
_GE = (0x0009, "GEMS_PETD_01")
_GE_SCAN_DATE_TIME = 0x0D
_UNITS_BY_UCUM_CODE = {"Bq/ml": "BQML", "g/ml{SUVbw}": "GML"}
_DAMAGED = (AttributeError, EOFError, KeyError, NotImplementedError, TypeError, ValueError)


class _NoFactorError(Exception):
    """There is no factor; the message says why."""


@dataclass(frozen=True, slots=True)
class SuvInputs:
    """What a factor was made of; None where the rule does without.

    Parameters
    ----------
    units
        Units (0054,1001), or what the real world value mapping says.
    decay_rule
        ``START``: corrected to the start of the scan. ``ADMIN``: to the injection. ``DATETIME``: to
        Decay Correction DateTime.
    weight_kg
        Patient's Weight (0010,1030).
    injected_dose_bq
        Radionuclide Total Dose (0018,1074).
    half_life_s
        Radionuclide Half Life (0018,1075).
    delay_s
        From the injection to the time that decay is corrected to.
    scan_time
        Which attributes gave that time.
    vendor_factor
        A factor of the vendor's own that was taken.
    """

    units: str
    decay_rule: str
    weight_kg: float | None = None
    injected_dose_bq: float | None = None
    half_life_s: float | None = None
    delay_s: float | None = None
    scan_time: str | None = None
    vendor_factor: float | None = None


@dataclass(frozen=True, slots=True)
class SuvFactor:
    """The factor of one image.

    Parameters
    ----------
    factor
        SUV = factor x rescaled value, in g/ml per unit of the rescaled value; None where there is
        none.
    reason
        Why there is none; else empty.
    inputs
        What it was made of; None where there is none.
    """

    factor: float | None
    reason: str = ""
    inputs: SuvInputs | None = None


def suv_factor(header: Dataset) -> SuvFactor:
    """Find the factor that turns the rescaled values of a PET image into SUV by body weight.

    Parameters
    ----------
    header
        Of a PET image, or of a frame of an enhanced one with its functional groups lifted to the
        top.
    """
    try:
        factor, inputs = _factor(header)
    except (_NoFactorError, TimeError) as error:
        return SuvFactor(None, reason=str(error))
    if not _within(factor, _FACTOR):
        return SuvFactor(None, reason="what the header says gives a factor that cannot be right")
    return SuvFactor(factor, inputs=inputs)


def decay_moment(header: Dataset) -> Moment | None:
    """The time at the scan that decay is corrected to; None where it is not, or not said."""
    try:
        rule = _decay_rule(header)
        if rule == "ADMIN":
            return None
        isotope = _isotope(header)
        half_life_s = _number(
            isotope, "RadionuclideHalfLife", "Radionuclide Half Life", _HALF_LIFE_S
        )
        return _scan_moment(header, rule, half_life_s)[0]
    except (_NoFactorError, TimeError):
        return None


def _factor(header: Dataset) -> tuple[float, SuvInputs]:
    if _value(header, "Modality") != "PT":
        raise _NoFactorError("it is no PET image")
    units = _units(header)
    _check_corrections(header)
    inputs = SuvInputs(units, _decay_rule(header))
    match units:
        case "BQML":
            return _from_activity(header, inputs)
        case "CNTS":
            return _from_counts(header, inputs)
        case "GML":
            return _from_uptake(header, inputs)
    raise _NoFactorError(f"there is no rule for Units {units}")


def _units(header: Dataset) -> str:
    """Units (0054,1001), or those of a real world value mapping equal to the rescale."""
    units = _value(header, "Units")
    if units:
        return str(units)
    for mapping in _value(header, "RealWorldValueMappingSequence") or ():
        for code in _value(mapping, "MeasurementUnitsCodeSequence") or ():
            name = _UNITS_BY_UCUM_CODE.get(str(_value(code, "CodeValue")))
            if name and _maps_like_rescale(header, mapping):
                return name
    raise _NoFactorError("Units is missing")


def _maps_like_rescale(header: Dataset, mapping: Dataset) -> bool:
    return all(
        _value(mapping, f"RealWorldValue{name}") == _value(header, f"Rescale{name}") is not None
        for name in ("Slope", "Intercept")
    )


def _check_corrections(header: Dataset) -> None:
    corrections = _value(header, "CorrectedImage") or ()
    done = {corrections} if isinstance(corrections, str) else set(corrections)
    for code, keyword, what in (
        ("ATTN", "AttenuationCorrected", "attenuation"),
        ("DECY", "DecayCorrected", "decay"),
    ):
        if code not in done and _value(header, keyword) != "YES":
            raise _NoFactorError(f"the image does not say that it is corrected for {what}")


def _decay_rule(header: Dataset) -> str:
    rule = _text(header, "DecayCorrection")
    if rule not in {"", "START", "ADMIN"}:
        raise _NoFactorError(f"there is no rule for Decay Correction {rule}")
    if rule != "ADMIN" and _value(header, "DecayCorrectionDateTime"):
        return "DATETIME"
    if not rule:
        raise _NoFactorError("Decay Correction is missing")
    return rule


def _from_uptake(header: Dataset, inputs: SuvInputs) -> tuple[float, SuvInputs]:
    """Values that are SUV already; by body weight where SUV Type (0054,1006) is absent."""
    kind = _value(header, "SUVType") or "BW"
    if kind != "BW":
        raise _NoFactorError(
            f"the values are SUV already, but not by body weight (SUV Type {kind})"
        )
    return 1.0, inputs


def _from_counts(header: Dataset, inputs: SuvInputs) -> tuple[float, SuvInputs]:
    """Philips: a private factor to SUV, else one to activity."""
    to_suv = _private_number(header, _PHILIPS, _PHILIPS_SUV_FACTOR)
    if to_suv:
        return to_suv, replace(inputs, vendor_factor=to_suv)
    to_activity = _private_number(header, _PHILIPS, _PHILIPS_ACTIVITY_FACTOR)
    if to_activity:
        factor, inputs = _from_activity(header, inputs)
        return to_activity * factor, replace(inputs, vendor_factor=to_activity)
    raise _NoFactorError("Units is CNTS, and the private factors of Philips are missing")


def _from_activity(header: Dataset, inputs: SuvInputs) -> tuple[float, SuvInputs]:
    """Values in Bq/ml: by weight and by the dose that is left at the time of the correction."""
    isotope = _isotope(header)
    weight_kg = _number(header, "PatientWeight", "Patient's Weight", _WEIGHT_KG)
    dose_bq = _number(isotope, "RadionuclideTotalDose", "Radionuclide Total Dose", _DOSE_BQ)
    inputs = replace(inputs, weight_kg=weight_kg, injected_dose_bq=dose_bq)
    if inputs.decay_rule == "ADMIN":
        return weight_kg * _GRAMS_PER_KG / dose_bq, inputs
    half_life_s = _number(isotope, "RadionuclideHalfLife", "Radionuclide Half Life", _HALF_LIFE_S)
    scan, scan_time = _scan_moment(header, inputs.decay_rule, half_life_s)
    zone = _text(header, "TimezoneOffsetFromUTC")
    delay_s = _delay(isotope, scan, zone, half_life_s).total_seconds()
    if delay_s < 0:
        raise _NoFactorError("by the header the injection was after the scan")
    if delay_s > _MOST_HALF_LIVES * half_life_s:
        raise _NoFactorError("by the header nothing of the dose was left at the scan")
    dose_left_bq = dose_bq * 2.0 ** (-delay_s / half_life_s)
    return weight_kg * _GRAMS_PER_KG / dose_left_bq, replace(
        inputs, half_life_s=half_life_s, delay_s=delay_s, scan_time=scan_time
    )


def _isotope(header: Dataset) -> Dataset:
    """The one item that describes the injection."""
    items = list(_value(header, "RadiopharmaceuticalInformationSequence") or ())
    if not items:
        raise _NoFactorError("Radiopharmaceutical Information Sequence is missing")
    if len(items) > 1:
        raise _NoFactorError("the header tells of several injections")
    item: Dataset = items[0]
    return item


def _scan_moment(header: Dataset, rule: str, half_life_s: float) -> tuple[Moment, str]:
    """The time that decay is corrected to, and which attributes say so.

    A series made after its acquisition is post-processed, and its time says nothing of the scan.
    """
    zone = _text(header, "TimezoneOffsetFromUTC")
    if rule == "DATETIME":
        name = "Decay Correction DateTime"
        return moment_from_date_time(_text(header, "DecayCorrectionDateTime"), zone, name), name
    series, acquisition = (
        moment_from_date_and_time(
            _text(header, f"{name}Date"),
            _text(header, f"{name}Time"),
            zone,
            f"{name} Date and Time",
        )
        for name in ("Series", "Acquisition")
    )
    if series - acquisition <= timedelta():
        return series, "Series Date and Time"
    ge_scan = _private_text(header, _GE, _GE_SCAN_DATE_TIME)
    if ge_scan:
        return moment_from_date_time(ge_scan, zone, "GE scan DateTime"), "GE scan DateTime"
    return _before_frame(header, acquisition, half_life_s), "Acquisition and Frame Reference Time"


def _before_frame(header: Dataset, acquisition: Moment, half_life_s: float) -> Moment:
    """Siemens: the start of the series, counted back from the mean time of the counts of a frame.

    Frame Reference Time counts from that start to when the mean count rate of the frame occurs.
    """
    if not _text(header, "Manufacturer").upper().startswith(("SIEMENS", "CPS")):
        raise _NoFactorError("the series was made after its acquisition, and no scan time is given")
    positive = (1e-6, 1e9)
    reference_ms = _number(header, "FrameReferenceTime", "Frame Reference Time", positive)
    duration_ms = _number(header, "ActualFrameDuration", "Actual Frame Duration", positive)
    decay_in_frame = math.log(2) * duration_ms / 1000 / half_life_s
    mean_s = half_life_s / math.log(2) * math.log(decay_in_frame / -math.expm1(-decay_in_frame))
    return acquisition.later(timedelta(seconds=mean_s - reference_ms / 1000))


def _delay(isotope: Dataset, scan: Moment, zone: str, half_life_s: float) -> timedelta:
    """From the injection to the scan; its day is the scan's where the header does not say."""
    start = _text(isotope, "RadiopharmaceuticalStartDateTime")
    if start:
        name = "Radiopharmaceutical Start DateTime"
        return scan - moment_from_date_time(start, zone, name)
    if half_life_s > _HALF_LIFE_THAT_NEEDS_A_DATE_S:
        raise _NoFactorError(
            "Radiopharmaceutical Start DateTime is missing, and the nuclide lives so long that the "
            "day of the injection has to be known"
        )
    time = _text(isotope, "RadiopharmaceuticalStartTime")
    name = "Radiopharmaceutical Start Time"
    delay = scan - moment_from_date_and_time(scan.date, time, zone, name)
    if delay < timedelta():
        delay += _DAY  # midnight lay between the injection and the scan
    if delay > _LONGEST_DELAY_WITHOUT_DATE:
        raise _NoFactorError("by the header the injection was after the scan, or on another day")
    return delay


def _value(dataset: Dataset, keyword: str) -> Any:
    """An element's value; None where it is absent, empty or damaged."""
    try:
        value = dataset.get(keyword)
    except _DAMAGED as error:
        raise _NoFactorError(f"{keyword} is damaged") from error
    return None if value == "" else value


def _text(dataset: Dataset, keyword: str) -> str:
    value = _value(dataset, keyword)
    return "" if value is None else str(value).strip()


def _number(dataset: Dataset, keyword: str, name: str, limits: tuple[float, float]) -> float:
    value = _value(dataset, keyword)
    if value is None:
        raise _NoFactorError(f"{name} is missing")
    number = _as_number(value)
    if not _within(number, limits):
        raise _NoFactorError(f"{name} cannot be right")
    return number


def _as_number(value: Any) -> float:
    """A number; nan where it is none."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _within(number: float, limits: tuple[float, float]) -> bool:
    low, high = limits
    return low <= number <= high


def _private_number(header: Dataset, block: tuple[int, str], element: int) -> float:
    """A vendor's factor; 0 where there is none that can be right."""
    number = _as_number(_private_text(header, block, element))
    return number if _within(number, _FACTOR) else 0.0


def _private_text(header: Dataset, block: tuple[int, str], element: int) -> str:
    """A vendor's own element, its type known or not; empty where it is absent."""
    try:
        value = header.private_block(*block)[element].value
    except _DAMAGED:
        return ""
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
    return text.strip("\0 ")
