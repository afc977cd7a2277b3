"""The attributes of the phantom's CT images: made up, complete and plainly no patient's."""

from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage

_PATIENT_AND_STUDY = {
    "PatientName": "Phantom^Chest",
    "PatientBirthDate": "19700101",
    "PatientSex": "O",
    "PatientAge": "054Y",
    "StudyDate": "20240229",
    "StudyTime": "101500",
    "StudyID": "1",
    "StudyDescription": "Chest phantom",
    "AccessionNumber": "PHANTOM",
    "ReferringPhysicianName": "",
}
_SERIES_AND_EQUIPMENT = {
    "Modality": "CT",
    "SeriesDate": "20240229",
    "SeriesTime": "101600",
    "SeriesNumber": 2,
    "SeriesDescription": "Chest phantom, axial",
    "BodyPartExamined": "CHEST",
    "PatientPosition": "HFS",
    "PositionReferenceIndicator": "",
    "Manufacturer": "Hounsfield",
    "ManufacturerModelName": "Analytic phantom",
    "DeviceSerialNumber": "0",
    "SoftwareVersions": "1",
}
_ACQUISITION = {
    "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
    "AcquisitionNumber": 1,
    "AcquisitionDate": "20240229",
    "AcquisitionTime": "101600",
    "ContentDate": "20240229",
    "ContentTime": "101600",
    "KVP": 120,
    "ConvolutionKernel": "NONE",
    "BurnedInAnnotation": "NO",
}
_PIXELS = {
    "SamplesPerPixel": 1,
    "PhotometricInterpretation": "MONOCHROME2",
    "BitsAllocated": 16,
    "BitsStored": 16,
    "HighBit": 15,
    "PixelRepresentation": 0,
    "RescaleSlope": 1,
    "RescaleType": "HU",
    "WindowCenter": [40, -600],
    "WindowWidth": [400, 1500],
    "WindowCenterWidthExplanation": ["MEDIASTINUM", "LUNG"],
}


def constant_attributes() -> Dataset:
    """What all slices share, UIDs and geometry left out.

    Source: PS3.3 A.3.3 (CT Image IOD).
    """
    header = Dataset()
    header.SOPClassUID = CTImageStorage
    for group in (_PATIENT_AND_STUDY, _SERIES_AND_EQUIPMENT, _ACQUISITION, _PIXELS):
        for keyword, value in group.items():
            setattr(header, keyword, value)
    return header
