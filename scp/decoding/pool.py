"""A pool of processes that decode planes straight into one shared array.

The native codecs hold the GIL, so that threads gain nothing; and they may crash on what strangers
send. Processes are faster by their number, and one that crashes or hangs costs its plane only.
`multiprocessing` is no way to them: a Dask worker is daemonic and may have no children by it.
"""

import select
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from pipeline.errors import PixelDecodeError
from pipeline.volume.pixels import PlaneOrder
from scp.decoding.line import Chunk, packed
from scp.decoding.process import DecoderProcess, DecoderStartError
from scp.decoding.shared_array import ArrayPlace, allocate_shared, place_of

_DECODE_PLANE = "pipeline.volume.pixels:decode_plane"
_PLANE_DEADLINE_S = 60.0
_CHUNKS_PER_DECODER = 4
_LARGEST_CHUNK = 8
_MS = 1000


@dataclass(eq=False, slots=True)
class _Request:
    """The planes of one call: what is left to hand out, and what went wrong.

    Positions are those in the caller's sequence.
    """

    orders: Sequence[PlaneOrder]
    memory_fd: int
    place: ArrayPlace
    on_plane: Callable[[int], None]
    chunks: deque[range]
    failures: dict[int, str] = field(default_factory=dict)
    packed_next: bytes = b""

    @property
    def has_work_left(self) -> bool:
        """Whether anything is to be handed out; after a failure nothing is."""
        return bool(self.chunks) and not self.failures

    def hand_out_to(self, decoder: DecoderProcess) -> None:
        """Give a decoder the next planes.

        Raises
        ------
        OSError
            The decoder is gone; the planes are still to be handed out.
        """
        self.pack_next()
        decoder.give(self.chunks[0], self.packed_next, self.memory_fd)
        self.chunks.popleft()
        self.packed_next = b""

    def pack_next(self) -> None:
        """Have the next planes ready, so that no decoder waits for it."""
        if self.has_work_left and not self.packed_next:
            orders = tuple(self.orders[position] for position in self.chunks[0])
            self.packed_next = packed(Chunk(orders, self.place))

    def note(self, position: int, failure: str) -> None:
        """Take in the answer for a plane."""
        if failure:
            self.failures[position] = failure
        else:
            self.on_plane(1)

    def note_loss(self, position: int, what: str) -> None:
        """Take in that the decoder of a plane is gone."""
        self.failures[position] = (
            f"The process that decoded instance {self.orders[position].frame.name} {what}: its "
            "pixel data is damaged, or a codec is at fault. Send the series again, or check it "
            "where it was made."
        )


class DecoderPool:
    """Processes that decode planes, for one caller at a time; they start when first needed.

    Parameters
    ----------
    decoders
        How many processes.
    function
        ``package.module:name`` of what decodes one plane: it takes a `PlaneOrder` and the array.
    plane_deadline_s
        Time for one plane; a process that needs longer is killed.

    Notes
    -----
    A process that dies or hangs fails the request whose plane it was at; the next request gets a
    new one. An array from `allocate` outlives the pool.
    """

    def __init__(
        self,
        decoders: int,
        *,
        function: str = _DECODE_PLANE,
        plane_deadline_s: float = _PLANE_DEADLINE_S,
    ) -> None:
        self._most = decoders
        self._function = function
        self._plane_deadline_s = plane_deadline_s
        self._decoders: dict[int, DecoderProcess] = {}
        self._poll = select.poll()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that ran when last heard of."""
        return tuple(decoder.process.pid for decoder in self._decoders.values())

    def start(self) -> None:
        """Start the processes now, so that they load while the caller does other things.

        Raises
        ------
        DecoderStartError
            The system refuses one.
        """
        with self._lock:
            self._start_up_to(self._most)

    def close(self) -> None:
        """End the processes."""
        with self._lock:
            decoders = list(self._decoders.values())
            for decoder in decoders:
                self._forget(decoder)
                decoder.line.close()
            for decoder in decoders:
                decoder.close()

    def allocate(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        """Zeros that the processes can write to.

        Raises
        ------
        OSError
            The system has no memory or file descriptor left.
        """
        return allocate_shared(shape, dtype)

    def decode(
        self,
        orders: Sequence[PlaneOrder],
        target: npt.NDArray[Any],
        on_plane: Callable[[int], None] = lambda _done: None,
    ) -> None:
        """Decode planes into an array.

        Parameters
        ----------
        orders
            What to decode, and where to.
        target
            An array from `allocate`, or a view of one: (slice, row, column).
        on_plane
            Told how many more planes are decoded as they are, in the caller's thread.

        Raises
        ------
        PixelDecodeError
            A plane does not decode, or its process crashed or hung: the first such of the
            orders, whatever the timing. What the array holds then is not to be used.
        DecoderStartError
            A process could not start.
        ValueError
            The array is not from `allocate`.
        """
        memory_fd, place = place_of(target)
        with self._lock:
            request = _Request(orders, memory_fd, place, on_plane, self._chunks(len(orders)))
            try:
                while request.has_work_left or self._busy():
                    self._hand_out(request)
                    request.pack_next()
                    self._listen(request)
            finally:
                for decoder in self._busy():  # only after an interruption
                    self._forget(decoder)
                    decoder.kill()
        if request.failures:
            raise PixelDecodeError(request.failures[min(request.failures)])

    def _chunks(self, planes: int) -> deque[range]:
        """Some planes at a time, fewer towards the end, so that all decoders end together."""
        chunks: deque[range] = deque()
        start = 0
        while start < planes:
            share = (planes - start) // (self._most * _CHUNKS_PER_DECODER)
            chunk = range(start, start + min(max(share, 1), _LARGEST_CHUNK))
            chunks.append(chunk)
            start = chunk.stop
        return chunks

    def _busy(self) -> list[DecoderProcess]:
        return [decoder for decoder in self._decoders.values() if decoder.is_busy]

    def _start_up_to(self, count: int) -> None:
        while len(self._decoders) < count:
            decoder = DecoderProcess.start(self._function, self._plane_deadline_s)
            self._decoders[decoder.line.fileno()] = decoder
            self._poll.register(decoder.line, select.POLLIN)

    def _forget(self, decoder: DecoderProcess) -> None:
        self._poll.unregister(decoder.line)
        del self._decoders[decoder.line.fileno()]

    def _hand_out(self, request: _Request) -> None:
        """Keep every decoder at work; start those that are needed."""
        if request.has_work_left:
            self._start_up_to(min(self._most, len(self._busy()) + len(request.chunks)))
        for decoder in list(self._decoders.values()):
            if decoder.is_ready and not decoder.is_busy and request.has_work_left:
                try:
                    request.hand_out_to(decoder)
                except OSError:
                    self._lose(decoder, request)

    def _listen(self, request: _Request) -> None:
        """Wait for a word of any decoder, or for the time of the first to run out."""
        due = min((decoder.due for decoder in self._decoders.values()), default=0.0)
        wait_s = max(due - time.monotonic(), 0.0)
        for fd, _ in self._poll.poll(wait_s * _MS):
            decoder = self._decoders[fd]
            try:
                answer = decoder.hear()
            except (EOFError, OSError):
                self._lose(decoder, request)
            else:
                if answer:
                    request.note(*answer)
        for decoder in list(self._decoders.values()):
            if decoder.due <= time.monotonic():
                self._lose(decoder, request)

    def _lose(self, decoder: DecoderProcess, request: _Request) -> None:
        """Give a decoder up that is gone or overdue."""
        self._forget(decoder)
        what = decoder.what_became_of_it()
        if not decoder.is_ready:
            raise DecoderStartError(f"a decoder process {what} before it was ready")
        if decoder.is_busy:
            request.note_loss(decoder.positions[0], what)
