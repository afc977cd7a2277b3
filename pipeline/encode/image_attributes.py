"""Which attributes of the source an image of a derived series takes over.

Source: PS3.3 C.7.4.1 Frame of Reference, C.7.6.2 Image Plane, C.7.6.4 Contrast/Bolus, C.7.10.1
General Acquisition, C.8.2.1 CT Image, C.8.3.1 MR Image, C.8.9.1 PET Series, C.8.9.2 PET Isotope,
C.8.9.4 PET Image, C.8.4.6 NM/PET Patient Orientation, C.11.2 VOI LUT, C.12.1 SOP Common.
"""

# Taken from the source slice that an image shows, or the first of those it is made of.
SLICE = (
    "AcquisitionDate",
    "AcquisitionTime",
    "AcquisitionDateTime",
    "AcquisitionNumber",
    "PhotometricInterpretation",
    "WindowCenter",
    "WindowWidth",
    "WindowCenterWidthExplanation",
    "VOILUTFunction",
)
# Taken with them where an image lies where that slice does.
PLACE = (
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "SliceLocation",
    "PixelSpacing",
    "Rows",
    "Columns",
)

# The acquisition is taken over where all slices of the source agree: a slab has none of its own.
_CONTRAST = (
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
    *_CONTRAST,
)
MR_ACQUISITION = (
    "ScanningSequence",
    "SequenceVariant",
    "ScanOptions",
    "MRAcquisitionType",
    "SequenceName",
    "AngioFlag",
    "RepetitionTime",
    "EchoTime",
    "InversionTime",
    "TriggerTime",
    "NumberOfAverages",
    "ImagingFrequency",
    "ImagedNucleus",
    "EchoNumbers",
    "MagneticFieldStrength",
    "NumberOfPhaseEncodingSteps",
    "EchoTrainLength",
    "PercentSampling",
    "PercentPhaseFieldOfView",
    "PixelBandwidth",
    "ReconstructionDiameter",
    "ReceiveCoilName",
    "TransmitCoilName",
    "AcquisitionMatrix",
    "InPlanePhaseEncodingDirection",
    "FlipAngle",
    "VariableFlipAngleFlag",
    "SAR",
    "dBdt",
    "PatientPosition",
    "ProtocolName",
    "RescaleType",
    *_CONTRAST,
)
PT_ACQUISITION = (
    "Units",
    "SUVType",
    "CountsSource",
    "CorrectedImage",
    "RandomsCorrectionMethod",
    "AttenuationCorrectionMethod",
    "ScatterCorrectionMethod",
    "DecayCorrection",
    "DecayCorrectionDateTime",
    "ReconstructionDiameter",
    "ConvolutionKernel",
    "ReconstructionMethod",
    "DetectorLinesOfResponseUsed",
    "AcquisitionStartCondition",
    "AcquisitionStartConditionData",
    "AcquisitionTerminationCondition",
    "AcquisitionTerminationConditionData",
    "FieldOfViewShape",
    "FieldOfViewDimensions",
    "GantryDetectorTilt",
    "GantryDetectorSlew",
    "TypeOfDetectorMotion",
    "CollimatorType",
    "CollimatorGridName",
    "EnergyWindowRangeSequence",
    "RadiopharmaceuticalInformationSequence",
    "InterventionDrugInformationSequence",
    "PatientOrientationCodeSequence",
    "PatientOrientationModifierCodeSequence",
    "PatientGantryRelationshipCodeSequence",
    "ProtocolName",
    *_CONTRAST,
)
# Decay and duration differ from bed to bed.
PT_SLICE = ("FrameReferenceTime", "ActualFrameDuration", "DecayFactor", "DoseCalibrationFactor")

# Type 2: present in every image, empty where the source has no usable value.
REQUIRED_OF_CT = ("KVP", "PatientPosition", "AcquisitionNumber")
REQUIRED_OF_MR = (
    "ScanOptions",
    "MRAcquisitionType",
    "RepetitionTime",
    "EchoTime",
    "EchoTrainLength",
    "PatientPosition",
)
REQUIRED_OF_PT = (
    "CorrectedImage",
    "CollimatorType",
    "RadiopharmaceuticalInformationSequence",
    "PatientOrientationCodeSequence",
    "PatientGantryRelationshipCodeSequence",
    "AcquisitionDate",
    "AcquisitionTime",
    "ActualFrameDuration",
)
