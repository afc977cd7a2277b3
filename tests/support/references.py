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


class Nidataset:
    """The functions of nidataset, unchanged but for reading and writing, on one volume.

    Parameters
    ----------
    voxels
        (slice, row, column), which nidataset gets as a NIfTI file would give them: (x, y, z),
        float64.
    """

    def __init__(self, voxels: npt.NDArray[Any]) -> None:
        self._data = voxels.T.astype(np.float64, copy=False)
        self._preprocessing = importlib.import_module("nidataset.preprocessing")
        self._volume = importlib.import_module("nidataset.volume")

    def mip(self, window: int, view: str) -> npt.NDArray[Any]:
        """The sliding projection, (slice, row, column)."""
        module = self._preprocessing
        return self._run(module, lambda path, out: module.mip(path, out, window, view))

    def brain_mask(self, threshold: tuple[float, float] | None, radius: int) -> BoolArray:
        """The brain mask, (slice, row, column)."""
        module = self._volume
        return self._run(
            module, lambda path, out: module.generate_brain_mask(path, out, threshold, radius)
        ).view(bool)

    def _run(self, module: ModuleType, work: Callable[[str, str], object]) -> npt.NDArray[Any]:
        written = []
        image = SimpleNamespace(get_fdata=lambda: self._data, affine=np.eye(4))
        files = SimpleNamespace(
            load=lambda _path: image,
            Nifti1Image=lambda data, _affine: data,
            save=lambda data, _path: written.append(data),
        )
        real = module.nib, module.tqdm
        module.nib, module.tqdm = files, lambda items, **_options: items
        try:
            with TemporaryDirectory() as folder, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                (Path(folder) / "case.nii.gz").touch()
                work(f"{folder}/case.nii.gz", folder)
        finally:
            module.nib, module.tqdm = real
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
