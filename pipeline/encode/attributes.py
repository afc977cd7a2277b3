"""Which attributes of the source a result takes over.

Never taken: private attributes, overlays, the performed procedure step, and the equipment and
series attributes that describe the source series and not ours.

Source: PS3.3 C.7.1.1 Patient, C.7.1.3 Clinical Trial Subject, C.7.2.1 General Study, C.7.2.2
Patient Study, C.7.2.3 Clinical Trial Study, C.7.3.1 General Series, C.7.4.1 Frame of Reference,
C.7.6.2 Image Plane, C.7.6.4 Contrast/Bolus, C.7.10.1 General Acquisition, C.8.2.1 CT Image,
C.11.2 VOI LUT, C.12.1 SOP Common.
"""

# Type 2: present in every result, empty where the source has no usable value.
REQUIRED_OF_PATIENT_AND_STUDY = (
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyID",
)

PATIENT = (
    "IssuerOfPatientID",
    "IssuerOfPatientIDQualifiersSequence",
    "TypeOfPatientID",
    "PatientBirthTime",
    "OtherPatientIDsSequence",
    "OtherPatientNames",
    "EthnicGroup",
    "PatientSpeciesDescription",
    "PatientSpeciesCodeSequence",
    "PatientBreedDescription",
    "PatientBreedCodeSequence",
    "BreedRegistrationSequence",
    "ResponsiblePerson",
    "ResponsiblePersonRole",
    "ResponsibleOrganization",
    "QualityControlSubject",
    "PatientComments",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "ClinicalTrialSponsorName",
    "ClinicalTrialProtocolID",
    "ClinicalTrialProtocolName",
    "ClinicalTrialSiteID",
    "ClinicalTrialSiteName",
    "ClinicalTrialSubjectID",
    "ClinicalTrialSubjectReadingID",
)

STUDY = (
    "StudyInstanceUID",
    "StudyDescription",
    "ProcedureCodeSequence",
    "IssuerOfAccessionNumberSequence",
    "PhysiciansOfRecord",
    "NameOfPhysiciansReadingStudy",
    "RequestingService",
    "AdmittingDiagnosesDescription",
    "AdmittingDiagnosesCodeSequence",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "MedicalAlerts",
    "Allergies",
    "Occupation",
    "SmokingStatus",
    "AdditionalPatientHistory",
    "PregnancyStatus",
    "LastMenstrualDate",
    "PatientSexNeutered",
    "ReasonForVisit",
    "AdmissionID",
    "IssuerOfAdmissionIDSequence",
    "ServiceEpisodeID",
    "ServiceEpisodeDescription",
    "PatientState",
    "ClinicalTrialTimePointID",
    "ClinicalTrialTimePointDescription",
    "LongitudinalTemporalInformationModified",
)

SERIES = ("BodyPartExamined", "Laterality", "RequestAttributesSequence")

# Taken where all slices of the source agree: a slab has no exposure of its own.
CT_ACQUISITION = (
    "ScanOptions",
    "KVP",
    "DataCollectionDiameter",
    "ReconstructionDiameter",
    "GantryDetectorTilt",
    "RotationDirection",
    "FilterType",
    "ConvolutionKernel",
    "PatientPosition",
    "ProtocolName",
    "RescaleType",
    "ContrastBolusAgent",
    "ContrastBolusAgentSequence",
    "ContrastBolusAdministrationRouteSequence",
    "ContrastBolusRoute",
    "ContrastBolusVolume",
    "ContrastBolusStartTime",
    "ContrastBolusStopTime",
    "ContrastBolusTotalDose",
    "ContrastFlowRate",
    "ContrastFlowDuration",
    "ContrastBolusIngredient",
    "ContrastBolusIngredientConcentration",
)

# Type 2 of a CT image.
REQUIRED_OF_CT = ("KVP", "PatientPosition", "AcquisitionNumber")

# Taken from the source slice at the same place.
SLICE = (
    "AcquisitionDate",
    "AcquisitionTime",
    "AcquisitionDateTime",
    "AcquisitionNumber",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "SliceLocation",
    "PixelSpacing",
    "PhotometricInterpretation",
    "Rows",
    "Columns",
    "WindowCenter",
    "WindowWidth",
    "WindowCenterWidthExplanation",
    "VOILUTFunction",
)
