"""The process that decodes planes for a `DecoderPool`; not started by hand.

Codecs for compressed pixels are native code and read what strangers send: here they can crash,
hang or eat memory, and only the plane at hand is lost.
"""

import os
import pkgutil
import resource
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy.typing as npt

from pipeline.errors import PipelineError
from pipeline.volume.pixels import PlaneOrder
from scp.decoding.line import DONE, receive_chunk, send_answer
from scp.decoding.shared_array import map_array

DecodePlane = Callable[[PlaneOrder, npt.NDArray[Any]], None]


def main(line_fd: str, function: str, plane_deadline_s: str) -> None:
    """Decode until the pool closes the line.

    Parameters
    ----------
    line_fd
        File descriptor of the line to the pool.
    function
        ``package.module:name`` of what decodes a plane.
    plane_deadline_s
        Time for one plane.
    """
    _leave_signals_to_the_pool()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold a patient's image
    decode: DecodePlane = pkgutil.resolve_name(function)
    with socket.socket(fileno=int(line_fd)) as line, suppress(EOFError, ConnectionError):
        send_answer(line)
        while True:
            _decode_next_chunk(line, decode, float(plane_deadline_s))


def _leave_signals_to_the_pool() -> None:
    """End with the line, not with a signal to the whole process group; but obey the alarm.

    The alarm ends a process even when a codec hangs, and after its pool was killed too.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)


def _decode_next_chunk(line: socket.socket, decode: DecodePlane, plane_deadline_s: float) -> None:
    """Answer plane by plane; what comes after a plane that fails is not decoded."""
    chunk, memory_fd = receive_chunk(line)
    try:
        target = map_array(memory_fd, chunk.target)
    finally:
        os.close(memory_fd)
    for order in chunk.orders:
        signal.setitimer(signal.ITIMER_REAL, plane_deadline_s)
        failure = _failure(decode, order, target)
        signal.setitimer(signal.ITIMER_REAL, 0)
        send_answer(line, failure)
        if failure != DONE:
            return


def _failure(decode: DecodePlane, order: PlaneOrder, target: npt.NDArray[Any]) -> str:
    try:
        decode(order, target)
    except PipelineError as error:
        return str(error) or type(error).__name__
    except Exception as error:  # noqa: BLE001 - told without its message, which may quote values
        return (
            f"An error of Hounsfield's own ({type(error).__name__}) while decoding instance "
            f"{order.frame.name}; please report it."
        )
    return DONE


if __name__ == "__main__":
    main(*sys.argv[1:])
