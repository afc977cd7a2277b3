"""nidataset without the desktop libraries that its drawing functions ask for."""

import sys
from contextlib import suppress
from importlib import import_module
from types import ModuleType


def stand_in_for_opencv() -> None:
    """Let ``import cv2`` pass where OpenCV does not load; nothing that is compared with calls it.

    nidataset imports OpenCV to draw, and OpenCV's wheel needs libGL, which a server does not have.
    """
    with suppress(ImportError):
        import_module("cv2")
        return
    sys.modules["cv2"] = ModuleType("cv2")
