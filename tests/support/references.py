"""The references themselves, run in memory: the grt123 document's functions and nidataset."""

import importlib.util
import textwrap
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

BoolArray = npt.NDArray[np.bool_]

BESIDE_THE_CHECKOUT = Path(__file__).parents[2].parent / "shared" / "tools" / "grt123_oracle.py"


class Grt123:
    """The functions of the grt123 document, as a script extracts them from it.

    Parameters
    ----------
    script
        A module with ``lungs(voxels_hu, spacing_mm)``, ``reference()`` and ``DOCUMENT``.
    """

    def __init__(self, script: Path) -> None:
        spec = importlib.util.spec_from_file_location("grt123_oracle", script)
        assert spec is not None
        assert spec.loader is not None
        self._oracle = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self._oracle)
        text = self._oracle.DOCUMENT.read_text(encoding="utf-8").partition("def savenpy(")[2]
        body = "        Mask" + text.partition("        Mask")[2].partition("        np.save(")[0]
        self._save = textwrap.dedent(body)

    def masks(self, voxels_hu: npt.NDArray[Any], spacing_mm: Any) -> tuple[BoolArray, BoolArray]:
        """The two lungs, as ``step1_python`` finds them."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            first, second, _both = self._oracle.lungs(voxels_hu, spacing_mm)
        return first, second

    def prepared(
        self, voxels_hu: npt.NDArray[Any], first: BoolArray, second: BoolArray, spacing_mm: Any
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """The extended box and the voxels in it, as ``savenpy`` makes them."""
        case = {"im": voxels_hu.copy(), "m1": first, "m2": second, "spacing": spacing_mm}
        one_mm = {"np": np, "resolution": np.array([1, 1, 1])}
        scope = vars(self._oracle.reference()) | one_mm | case
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(self._save, scope)  # noqa: S102 - the reference itself
        return scope["extendbox"], scope["sliceim"][0]


def nidataset_mip(voxels: npt.NDArray[Any], window: int, view: str) -> npt.NDArray[Any]:
    """The sliding projection of nidataset, of (slice, row, column) as NIfTI holds it."""
    import nidataset.preprocessing  # noqa: PLC0415 - its imports warn

    return _in_memory(
        nidataset.preprocessing,
        voxels,
        lambda path, out: nidataset.preprocessing.mip(path, out, window, view),
    )


def nidataset_brain_mask(
    voxels: npt.NDArray[Any], threshold: tuple[float, float] | None, radius: int
) -> BoolArray:
    """The brain mask of nidataset, of (slice, row, column)."""
    import nidataset.volume  # noqa: PLC0415 - its imports warn

    made = _in_memory(
        nidataset.volume,
        voxels,
        lambda path, out: nidataset.volume.generate_brain_mask(path, out, threshold, radius),
    )
    return made > 0


def _in_memory(
    module: ModuleType, voxels: npt.NDArray[Any], work: Callable[[str, str], object]
) -> npt.NDArray[Any]:
    """Run nidataset unchanged, but for reading and writing: it gets and gives (x, y, z)."""
    written = []
    image = SimpleNamespace(
        get_fdata=lambda: voxels.T.astype(np.float64, copy=False), affine=np.eye(4)
    )
    files = SimpleNamespace(
        load=lambda _path: image,
        Nifti1Image=lambda data, _affine: data,
        save=lambda data, _path: written.append(data),
    )
    real, module.nib = module.nib, files
    progress, module.tqdm = module.tqdm, lambda items, **_options: items
    try:
        with TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            (Path(folder) / "case.nii.gz").touch()
            work(f"{folder}/case.nii.gz", folder)
    finally:
        module.nib, module.tqdm = real, progress
    return written[0].T


def scipy_views(voxels: npt.NDArray[Any], angles: int) -> npt.NDArray[Any]:
    """(angle, slice, column): views of a full turn as the seed document makes them, from 0 up."""
    return np.stack(
        [
            np.maximum(
                ndimage.rotate(
                    voxels, index * 360 / angles, axes=(1, 2), reshape=False, order=1
                ).max(axis=1),
                0,
            )
            for index in range(angles)
        ]
    )
