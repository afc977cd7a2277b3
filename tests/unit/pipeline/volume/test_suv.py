"""SUV factors by hand for each rule, and a reason wherever there is none."""

import copy
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from pipeline.volume.suv import SuvFactor, suv_factor

DATA = Path(__file__).parents[4].parent / "shared" / "data"
F18_S = 6586.2
ISOTOPE = {
    "RadiopharmaceuticalStartTime",
    "RadiopharmaceuticalStartDateTime",
    "RadionuclideTotalDose",
    "RadionuclideHalfLife",
}


def pet(**changes: Any) -> Dataset:
    """F-18, 70 kg, 350 MBq at 10:00; the scan at 11:00. None removes an element."""
    header, isotope = Dataset(), Dataset()
    header.Modality = "PT"
    header.Units = "BQML"
    header.CorrectedImage = ["NORM", "DECY", "ATTN", "SCAT"]
    header.DecayCorrection = "START"
    header.SeriesDate = header.AcquisitionDate = "20260314"
    header.SeriesTime = "110000.00"
    header.AcquisitionTime = "110130"
    header.PatientWeight = "70"
    isotope.RadiopharmaceuticalStartTime = "100000"
    isotope.RadionuclideTotalDose = "350000000"
    isotope.RadionuclideHalfLife = str(F18_S)
    header.RadiopharmaceuticalInformationSequence = Sequence([isotope])
    return changed(header, **changes)


def changed(header: Dataset, **changes: Any) -> Dataset:
    """A copy with other values; what belongs to the isotope goes there."""
    header = copy.deepcopy(header)
    isotope = header.RadiopharmaceuticalInformationSequence[0]
    for keyword, value in changes.items():
        target = isotope if keyword in ISOTOPE else header
        if value is None:
            del target[keyword]
        else:
            setattr(target, keyword, value)
    return header


def factor_of(header: Dataset) -> float:
    result = suv_factor(header)
    assert result.reason == ""
    assert result.factor is not None
    return result.factor


def reason_of(header: Dataset) -> str:
    result = suv_factor(header)
    assert result.factor is None
    assert result.inputs is None
    return result.reason


def test_activity_is_divided_by_the_dose_left_at_the_scan_and_the_weight() -> None:
    """70,000 g / (350 MBq x 2^(-3600 s / 6586.2 s)): 2e-4 x 1.46063..."""
    result = suv_factor(pet())
    assert result.factor == pytest.approx(70_000 / (350e6 * math.exp(-math.log(2) * 3600 / F18_S)))
    assert result.factor == pytest.approx(2.92126e-4, rel=1e-5)
    inputs = result.inputs
    assert inputs is not None
    assert (inputs.units, inputs.decay_rule) == ("BQML", "START")
    assert (inputs.weight_kg, inputs.injected_dose_bq, inputs.half_life_s) == (70.0, 350e6, F18_S)
    assert (inputs.delay_s, inputs.scan_time) == (3600.0, "Series Date and Time")


def test_decay_corrected_to_the_injection_needs_no_time() -> None:
    """ADMIN: the whole dose counts, 70,000 g / 350 MBq."""
    header = pet(
        DecayCorrection="ADMIN",
        SeriesTime=None,
        RadiopharmaceuticalStartTime=None,
        RadionuclideHalfLife=None,
    )
    assert factor_of(header) == pytest.approx(2e-4)


def test_uptake_values_by_body_weight_stay_as_they_are() -> None:
    """GML with SUV Type BW, or without a type, needs neither weight nor dose."""
    header = pet(Units="GML", PatientWeight=None, RadionuclideTotalDose=None)
    assert factor_of(header) == 1.0
    assert factor_of(changed(header, SUVType="BW")) == 1.0
    assert "LBM" in reason_of(changed(header, SUVType="LBM"))


@given(weight=st.floats(0.02, 300), dose=st.floats(1e6, 1e10), half_lives=st.integers(0, 7))
def test_factor_follows_weight_dose_and_half_lives(
    weight: float, dose: float, half_lives: int
) -> None:
    """Twice the weight doubles it, twice the dose halves it, each half-life doubles it."""
    half_life = 600
    header = pet(
        PatientWeight=f"{weight:.8g}",
        RadionuclideTotalDose=f"{dose:.8g}",
        RadionuclideHalfLife=str(half_life),
        SeriesTime="100000",
    )
    reference = factor_of(header)
    assert factor_of(
        changed(header, PatientWeight=f"{2 * float(header.PatientWeight)!r}"[:16])
    ) == (pytest.approx(2 * reference))
    isotope = header.RadiopharmaceuticalInformationSequence[0]
    doubled = f"{2 * float(isotope.RadionuclideTotalDose)!r}"[:16]
    assert factor_of(changed(header, RadionuclideTotalDose=doubled)) == pytest.approx(reference / 2)
    minutes = half_lives * half_life // 60
    later = changed(
        header,
        SeriesTime=f"{10 + minutes // 60:02}{minutes % 60:02}00",
        AcquisitionTime="235900",
    )
    assert factor_of(later) == pytest.approx(reference * 2**half_lives)


@pytest.mark.filterwarnings("ignore:Invalid value")
@pytest.mark.parametrize(
    ("injection", "scan", "delay_s"),
    [
        ("100000", "110000", 3600.0),
        ("1000", "1100", 3600.0),
        ("10:00:00", "11:00:00.5", 3600.5),
        ("095959.250000", "110000.750000", 3601.5),
        ("110000", "110000", 0.0),
    ],
)
def test_times_are_read_in_every_form(injection: str, scan: str, delay_s: float) -> None:
    """Fractions, times to the minute, and the colons of the standard's predecessor."""
    result = suv_factor(pet(RadiopharmaceuticalStartTime=injection, SeriesTime=scan))
    assert result.inputs is not None
    assert result.inputs.delay_s == delay_s


def test_midnight_between_injection_and_scan_is_crossed() -> None:
    """Injected at 23:30, scanned at 00:30 of the next day."""
    header = pet(
        RadiopharmaceuticalStartTime="233000", SeriesTime="003000", AcquisitionTime="003000"
    )
    assert factor_of(header) == pytest.approx(factor_of(pet()))


def test_start_date_time_goes_before_start_time() -> None:
    """It has the day, which a long-lived nuclide needs."""
    header = pet(
        RadiopharmaceuticalStartDateTime="20260314093000.000000",
        RadiopharmaceuticalStartTime="100000",
    )
    result = suv_factor(header)
    assert result.inputs is not None
    assert result.inputs.delay_s == 5400.0
    zirconium = changed(header, RadionuclideHalfLife="282276")
    days_before = changed(zirconium, RadiopharmaceuticalStartDateTime="20260311110000")
    assert factor_of(days_before) == pytest.approx(2e-4 * 2 ** (3 * 86400 / 282276))
    assert "day of the injection" in reason_of(
        changed(zirconium, RadiopharmaceuticalStartDateTime=None)
    )


def test_time_zones_are_compared_where_both_times_have_one() -> None:
    """A time in UTC needs the zone of the others."""
    header = pet(RadiopharmaceuticalStartDateTime="20260314090000+0000")
    assert "zone" in reason_of(header)
    header.TimezoneOffsetFromUTC = "+0100"
    assert factor_of(header) == pytest.approx(factor_of(pet()))
    header.TimezoneOffsetFromUTC = "-0030"
    inputs = suv_factor(header).inputs
    assert inputs is not None
    assert inputs.delay_s == 2.5 * 3600
    header.TimezoneOffsetFromUTC = "local"
    assert "cannot be read" in reason_of(header)


def post_processed(**changes: Any) -> Dataset:
    """A series made an hour after its acquisition at 11:00."""
    return pet(SeriesTime="120000", AcquisitionTime="110000", **changes)


def test_post_processed_series_of_ge_has_its_scan_time_in_a_private_element() -> None:
    """(0009,100D), as pydicom knows it and as unknown bytes."""
    header = post_processed(Manufacturer="GE MEDICAL SYSTEMS")
    assert "no scan time" in reason_of(header)
    block = header.private_block(0x0009, "GEMS_PETD_01", create=True)
    block.add_new(0x0D, "DT", "20260314110000.00")
    assert factor_of(header) == pytest.approx(factor_of(pet()))
    header[block.get_tag(0x0D)].VR = "UN"
    header[block.get_tag(0x0D)].value = b"20260314110000.00\0"
    assert factor_of(header) == pytest.approx(factor_of(pet()))


def test_post_processed_series_of_siemens_is_counted_back_from_its_frame() -> None:
    """A frame begun 10 min into the scan, whose counts' mean time is 89.8 s into the frame."""
    duration_s = 180.0
    decay = math.log(2) * duration_s / F18_S
    mean_s = duration_s / decay * math.log(decay / (1 - math.exp(-decay)))
    assert mean_s == pytest.approx(89.86, abs=0.01)
    header = post_processed(
        Manufacturer="SIEMENS",
        ActualFrameDuration=str(int(duration_s * 1000)),
        FrameReferenceTime=f"{(600 + mean_s) * 1000:.6f}",
    )
    header.AcquisitionTime = "111000"
    header.SeriesTime = "120000"
    result = suv_factor(header)
    assert result.factor == pytest.approx(factor_of(pet()))
    assert result.inputs is not None
    assert result.inputs.delay_s == pytest.approx(3600.0, abs=1e-3)
    assert result.inputs.scan_time == "Acquisition and Frame Reference Time"
    assert "Frame Reference Time" in reason_of(changed(header, FrameReferenceTime="0"))


def philips(**factors: str) -> Dataset:
    header = pet(Units="CNTS", Manufacturer="Philips")
    block = header.private_block(0x7053, "Philips PET Private Group", create=True)
    for element, value in factors.items():
        block.add_new({"suv": 0x00, "activity": 0x09}[element], "DS", value)
    return header


def test_counts_of_philips_have_private_factors() -> None:
    """That to SUV, which is 0 where the weight was not known; then that to activity."""
    assert factor_of(philips(suv="0.000551", activity="1.5")) == 0.000551
    assert factor_of(philips(suv="0", activity="1.5")) == pytest.approx(1.5 * factor_of(pet()))
    assert "Philips" in reason_of(philips(suv="0"))
    assert "Philips" in reason_of(pet(Units="CNTS"))
    assert "Patient's Weight" in reason_of(changed(philips(activity="1.5"), PatientWeight=None))


def enhanced(code: str, **changes: Any) -> Dataset:
    """A frame of an enhanced PET image, its functional groups lifted to the top."""
    unit, mapping = Dataset(), Dataset()
    unit.CodeValue, unit.CodingSchemeDesignator = code, "UCUM"
    mapping.MeasurementUnitsCodeSequence = Sequence([unit])
    mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept = 2.5, 0.0
    header = pet(Units=None, CorrectedImage=None, DecayCorrection=None, SeriesTime="153000")
    header.RealWorldValueMappingSequence = Sequence([mapping])
    header.RescaleSlope, header.RescaleIntercept = "2.5", "0"
    header.AttenuationCorrected = header.DecayCorrected = "YES"
    header.DecayCorrectionDateTime = "20260314110000"
    return changed(header, **changes)


def test_enhanced_image_says_what_its_decay_is_corrected_to() -> None:
    """And its unit in the real world value mapping, taken where that is the rescale."""
    assert factor_of(enhanced("Bq/ml")) == pytest.approx(factor_of(pet()))
    assert factor_of(enhanced("g/ml{SUVbw}")) == 1.0
    to_injection = enhanced("Bq/ml", DecayCorrectionDateTime="20260314100000")
    assert factor_of(to_injection) == pytest.approx(2e-4)
    assert reason_of(enhanced("g/ml{SUVlbm}")) == "Units is missing"
    assert reason_of(enhanced("Bq/ml", RescaleSlope="2.4")) == "Units is missing"
    assert "attenuation" in reason_of(enhanced("Bq/ml", AttenuationCorrected="NO"))


@pytest.mark.filterwarnings("ignore:Invalid value")
@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"Modality": "NM"}, "no PET"),
        ({"Units": None}, "Units is missing"),
        ({"Units": "PROPCPS"}, "PROPCPS"),
        ({"CorrectedImage": None}, "attenuation"),
        ({"CorrectedImage": "ATTN"}, "decay"),
        ({"CorrectedImage": ["DECY", "NORM"]}, "attenuation"),
        ({"DecayCorrection": None}, "Decay Correction is missing"),
        ({"DecayCorrection": "NONE"}, "NONE"),
        ({"DecayCorrection": "NONE", "DecayCorrectionDateTime": "20260314110000"}, "NONE"),
        ({"PatientWeight": None}, "Patient's Weight is missing"),
        ({"PatientWeight": ""}, "Patient's Weight is missing"),
        ({"PatientWeight": "0"}, "Patient's Weight cannot be right"),
        ({"PatientWeight": "-70"}, "Patient's Weight cannot be right"),
        ({"PatientWeight": "70000"}, "Patient's Weight cannot be right"),
        ({"PatientWeight": ["70", "71"]}, "Patient's Weight cannot be right"),
        ({"RadionuclideTotalDose": None}, "Total Dose is missing"),
        ({"RadionuclideTotalDose": "0"}, "Total Dose cannot be right"),
        ({"RadionuclideTotalDose": "350"}, "Total Dose cannot be right"),
        ({"RadionuclideHalfLife": None}, "Half Life is missing"),
        ({"RadionuclideHalfLife": "0"}, "Half Life cannot be right"),
        ({"RadionuclideHalfLife": "109.77"}, "nothing of the dose"),
        ({"RadiopharmaceuticalStartTime": None}, "Start Time is missing"),
        ({"RadiopharmaceuticalStartTime": "10"}, "Start Time cannot be read"),
        ({"RadiopharmaceuticalStartTime": "110001"}, "after the scan"),
        ({"RadiopharmaceuticalStartDateTime": "20260314110001"}, "after the scan"),
        ({"RadiopharmaceuticalStartDateTime": "20260313100000"}, "nothing of the dose"),
        ({"RadiopharmaceuticalStartDateTime": "20260314"}, "DateTime cannot be read"),
        ({"RadiopharmaceuticalStartDateTime": "20261314100000"}, "DateTime cannot be read"),
        ({"SeriesTime": None}, "Series Date and Time is missing"),
        ({"SeriesDate": None}, "Series Date and Time is missing"),
        ({"AcquisitionTime": None}, "Acquisition Date and Time is missing"),
        ({"SeriesTime": "110131"}, "made after its acquisition"),
    ],
)
def test_what_is_missing_or_cannot_be_gives_a_reason(changes: dict[str, Any], named: str) -> None:
    """No factor, and the reason names the attribute."""
    assert named in reason_of(pet(**changes))


def test_one_injection_has_to_be_described() -> None:
    """Without one, or with several, nobody knows which dose is meant."""
    assert "Information Sequence is missing" in reason_of(
        pet(RadiopharmaceuticalInformationSequence=None)
    )
    header = pet()
    header.RadiopharmaceuticalInformationSequence.append(Dataset())
    assert "several injections" in reason_of(header)


@pytest.mark.filterwarnings("ignore:Invalid value")
@pytest.mark.parametrize("keyword", ["PatientWeight", "SeriesDate"])
def test_damaged_element_gives_a_reason(keyword: str) -> None:
    """Bytes that are no value of their kind."""
    header = pet()
    header[keyword] = RawDataElement(
        Tag(keyword), header[keyword].VR, 4, b"7o\xff ", 0, False, True
    )
    assert suv_factor(header).factor is None
    assert suv_factor(header).reason


def test_header_is_left_as_it_was() -> None:
    """Nothing is added to it on the way."""
    header = pet()
    before = copy.deepcopy(header)
    suv_factor(header)
    assert header == before


def of_all(folder: str) -> set[SuvFactor]:
    paths = sorted((DATA / folder).glob("*.dcm"))
    return {suv_factor(dcmread(path, stop_before_pixels=True)) for path in paths}


@pytest.mark.skipif(not DATA.exists(), reason="needs the shared data")
def test_real_series_give_what_their_headers_say() -> None:
    """One whose values are SUV, one without units; the first's activity would be refused.

    Its Start DateTime was moved to the day after the scan when it was made anonymous.
    """
    (thigh,) = of_all("sts002_thigh_pet")
    assert thigh.factor == 1.0
    (phantom,) = of_all("pet_nema_phantom_recon1")
    assert phantom == SuvFactor(None, reason="Units is missing")
    first = next((DATA / "sts002_thigh_pet").glob("*.dcm"))
    header = dcmread(first, stop_before_pixels=True)
    header.Units, header.DecayCorrection = "BQML", "START"
    assert "after the scan" in reason_of(header)
    del header.RadiopharmaceuticalInformationSequence[0].RadiopharmaceuticalStartDateTime
    assert factor_of(header) == pytest.approx(99_000 / (433344096 * 2 ** (-4019 / 6588)))
