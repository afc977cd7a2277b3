"""JPEG Extended with 12 bits, which none of pydicom's permissive decoders takes."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK
from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage, generate_uid


def decode_jpeg12(alone: Dataset) -> npt.NDArray[Any]:
    """Decode one frame by SimpleITK.

    Parameters
    ----------
    alone
        The attributes of the image pixel module, encapsulated Pixel Data of one frame, and file
        meta information with the transfer syntax.

    Returns
    -------
    (row, column), the stored values.

    Raises
    ------
    RuntimeError
        It does not decode.
    """
    alone.SOPClassUID = SecondaryCaptureImageStorage
    alone.SOPInstanceUID = generate_uid()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "frame.dcm"
        alone.save_as(path, enforce_file_format=True)
        image = SimpleITK.ReadImage(str(path))
    return np.asarray(SimpleITK.GetArrayFromImage(image)[0])
