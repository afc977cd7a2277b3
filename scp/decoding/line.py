"""Messages between a pool of decoders and its processes: a length, the bytes, maybe memory.

Orders are pickled, for they go from the pool to a process of its own. Answers are plain text: what
has decoded hostile data is not trusted with a pickle.
"""

import pickle
import socket
import struct
from dataclasses import dataclass, replace

from pipeline.elements import Header
from pipeline.volume.pixels import PlaneOrder
from scp.decoding.shared_array import ArrayPlace

DONE = ""
_LENGTH = struct.Struct("!Q")
_IMAGE_GROUP = 0x0028
_OTHERS_NEEDED = frozenset(
    {
        0x00080018,  # SOP Instance UID
        0x00080060,  # Modality
        0x0020000E,  # Series Instance UID
        0x7FE00001,  # Extended Offset Table
        0x7FE00002,  # Extended Offset Table Lengths
    }
)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Planes to decode one after the other.

    Parameters
    ----------
    orders
        The planes.
    target
        Where the array is that they go to.
    """

    orders: tuple[PlaneOrder, ...]
    target: ArrayPlace


def packed(chunk: Chunk) -> bytes:
    """A chunk as it goes to a decoder."""
    orders = tuple(with_short_headers(order) for order in chunk.orders)
    return pickle.dumps(replace(chunk, orders=orders), pickle.HIGHEST_PROTOCOL)


def send_chunk(line: socket.socket, content: bytes, memory_fd: int) -> None:
    """Hand a packed chunk and the memory that its planes go to over to a decoder.

    Raises
    ------
    OSError
        The decoder is gone, or takes nothing for too long.
    """
    _send(line, content, memory_fd)


def with_short_headers(order: PlaneOrder) -> PlaneOrder:
    """The order with what decoding needs of its headers.

    The header of a multi-frame instance has every frame's functional groups: megabytes.
    """
    frame = order.frame
    instance = replace(frame.instance, elements=frame.instance.elements.with_only(_is_needed))
    own_header = frame.own_header
    if own_header is not None:
        own_header = Header("", None, 0, data_set=own_header).with_only(_is_needed).data_set
    return replace(order, frame=replace(frame, instance=instance, own_header=own_header))


def _is_needed(tag: int) -> bool:
    """Whether decoding needs an element: group 0028 describes the image."""
    return tag >> 16 == _IMAGE_GROUP or tag in _OTHERS_NEEDED


def receive_chunk(line: socket.socket) -> tuple[Chunk, int]:
    """The next planes and the memory that they go to; the descriptor is the caller's to close.

    Raises
    ------
    EOFError
        The pool is closed or gone.
    """
    content, descriptors = _receive(line)
    chunk: Chunk = pickle.loads(content)  # noqa: S301 - from the pool that started this process
    return chunk, descriptors[0]


def send_answer(line: socket.socket, failure: str = DONE) -> None:
    """Say that a plane is decoded, or why not; the first answer says that the decoder is ready.

    Raises
    ------
    OSError
        The pool is gone.
    """
    _send(line, failure.encode())


def receive_answer(line: socket.socket) -> str:
    """``DONE``, or why the plane does not decode.

    Raises
    ------
    EOFError
        The decoder is gone.
    """
    return _receive(line)[0].decode(errors="replace")


def _send(line: socket.socket, content: bytes, *descriptors: int) -> None:
    socket.send_fds(line, [_LENGTH.pack(len(content))], descriptors)
    line.sendall(content)


def _receive(line: socket.socket) -> tuple[bytes, list[int]]:
    try:
        head, descriptors, _, _ = socket.recv_fds(line, _LENGTH.size, 1)
        head += _read(line, _LENGTH.size - len(head)) if head else b""
    except ConnectionError as error:
        raise EOFError from error
    if not head:
        raise EOFError
    return _read(line, *_LENGTH.unpack(head)), descriptors


def _read(line: socket.socket, length: int) -> bytes:
    content = bytearray(length)
    view = memoryview(content)
    while view:
        count = line.recv_into(view)
        if not count:
            raise EOFError
        view = view[count:]
    return bytes(content)
