"""Folders as researchers have them: NIfTI volumes, DICOM cases to prepare, results to evaluate.

``plan_...`` gives one job a file, to be spread over processes; ``..._dataset`` does the jobs in
turn; ``..._file`` is the work on one.
"""

from pipeline.dataset.batch import Done, Job, Outcome, perform, perform_all
from pipeline.dataset.brain_mask import (
    BrainMaskOptions,
    brain_mask_dataset,
    mask_brain_file,
    plan_brain_masks,
)
from pipeline.dataset.evaluate import Comparison, LabelResult, evaluate, plan_evaluation
from pipeline.dataset.files import FileFormat
from pipeline.dataset.lungs import LungsOptions, label_lungs_file, lungs_dataset, plan_lungs
from pipeline.dataset.measures import Measures
from pipeline.dataset.mip import (
    MipOptions,
    SavingMode,
    View,
    mip_dataset,
    plan_mip,
    project_file,
)
from pipeline.dataset.prepare import plan_preparation, prepare_case, prepare_dataset

__all__ = [
    "BrainMaskOptions",
    "Comparison",
    "Done",
    "FileFormat",
    "Job",
    "LabelResult",
    "LungsOptions",
    "Measures",
    "MipOptions",
    "Outcome",
    "SavingMode",
    "View",
    "brain_mask_dataset",
    "evaluate",
    "label_lungs_file",
    "lungs_dataset",
    "mask_brain_file",
    "mip_dataset",
    "perform",
    "perform_all",
    "plan_brain_masks",
    "plan_evaluation",
    "plan_lungs",
    "plan_mip",
    "plan_preparation",
    "prepare_case",
    "prepare_dataset",
    "project_file",
]
