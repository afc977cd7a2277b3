"""NIfTI files for tests, written by nibabel."""

import gzip
import struct
from pathlib import Path

import nibabel
import numpy as np
import numpy.typing as npt

_TURN = np.linalg.qr(np.array([[0.05, -1.0, 0.1], [0.02, 0.08, 1.0], [1.0, 0.05, -0.02]]))[0]
# Oblique, axes exchanged and some turned round: x runs along the body, y across, z through it.
OBLIQUE = np.eye(4)
OBLIQUE[:3, :3] = _TURN * (0.8, 1.2, 2.5)
OBLIQUE[:3, 3] = 31.5, -12.25, 140.0
_SCL_SLOPE = 112  # where nifti1.h has the slope, followed by the intercept
PLAIN = np.diag([2.0, 3.0, 4.0, 1.0])


def write_nifti(
    path: Path,
    voxels: npt.NDArray[np.generic],
    affine: npt.NDArray[np.float64] = PLAIN,
    *,
    scaling: tuple[float, float] | None = None,
) -> Path:
    """Write voxels (x, y, z) as they are, with sform code 2 and qform code 1, and a description.

    ``scaling`` is slope and intercept, for the header alone.
    """
    image = nibabel.Nifti1Image(voxels, affine, dtype=voxels.dtype)
    image.set_sform(affine, 2)
    image.set_qform(affine, 1)
    image.header.set_xyzt_units("mm", "sec")
    image.header["descrip"] = b"a test"
    content = bytearray(image.to_bytes())
    if scaling is not None:
        struct.pack_into("<2f", content, _SCL_SLOPE, *scaling)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def smooth_voxels(shape: tuple[int, int, int], seed: int) -> npt.NDArray[np.float64]:
    """Blobs with values from about -1000 to 3000."""
    values = np.random.default_rng(seed).normal(size=shape)
    for axis in range(3):
        for _ in range(3):
            values = values + np.roll(values, 1, axis) + np.roll(values, -1, axis)
    return np.asarray(1000 + 1000 * values / values.std())
