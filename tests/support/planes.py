"""Decoding as a test wants it: the name of an instance's file says what happens to its plane."""

import ctypes
import os
import signal
from pathlib import Path
from typing import Any

import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.uid import RLELossless

from pipeline.elements import Header
from pipeline.errors import PixelDecodeError
from pipeline.instance import Instance
from pipeline.volume.frame import Frame
from pipeline.volume.pixels import PlaneOrder
from tests.support.waiting import wait_for

DECODE = f"{__name__}:decode"


def order(index: int, what: str = "fill", *arguments: object) -> PlaneOrder:
    """A plane for the function below; its instance's UID ends in the index."""
    header = Dataset()
    header.SOPInstanceUID = f"1.2.3.{index}"
    path = Path("?".join([what, *map(str, arguments)]))
    instance = Instance(path, Header(str(RLELossless), None, 0, data_set=header))
    return PlaneOrder(Frame(instance), index)


def decode(order: PlaneOrder, target: npt.NDArray[Any]) -> None:
    """Do what the file's name says, or fill the slice with its index."""
    what, *arguments = str(order.frame.instance.path).split("?")
    match what:
        case "abort":
            os.abort()
        case "crash":
            ctypes.string_at(0)
        case "exit":
            os._exit(3)
        case "hang":
            _note_pid(*arguments)
            ctypes.PyDLL(None).pause()  # holds the interpreter lock, as a hung codec does
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "bug":
            raise KeyError("Doe^Jane")
        case "bad":
            raise PixelDecodeError(f"{order.frame.name} is bad")
        case "bad after":
            wait_for("the other plane", Path(arguments[0]).exists)
            raise PixelDecodeError(f"{order.frame.name} is bad")
        case "signals":
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGTERM)
    _note_pid(*arguments)
    target[order.index] = order.index


def _note_pid(path: str = "") -> None:
    if path:
        Path(path).write_text(str(os.getpid()))
