"""A peer's socket that never waits longer than it is told to."""

import select
import socket
import ssl
import threading
import time

from pynetdicom.association import Association
from pynetdicom.transport import AssociationSocket

_EVERYTHING = select.POLLIN | select.POLLPRI
_AWAITS_WRITING = (ssl.SSLWantWriteError,)
_AWAITS = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_LINGER_BYTES = 65536


class PeerSocket(AssociationSocket):
    """An accepted socket, read and written without blocking and with deadlines.

    Parameters
    ----------
    association
        Whose it is.
    client_socket
        Accepted; made non-blocking here.
    answer_timeout_s
        Longest time until the peer has taken what is sent.
    """

    def __init__(
        self, association: Association, client_socket: socket.socket, answer_timeout_s: float
    ) -> None:
        client_socket.setblocking(False)  # noqa: FBT003 - the standard library's
        client_socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().__init__(association, client_socket=client_socket)
        self._answer_timeout_s = answer_timeout_s
        self._use = threading.Lock()  # OpenSSL does not read and write in two threads at once

    def shake_hands(self, context: ssl.SSLContext, deadline: float) -> ssl.SSLSocket:
        """Go over to TLS.

        Parameters
        ----------
        context
            Our side's.
        deadline
            In the clock of `time.monotonic`.

        Raises
        ------
        OSError
            The handshake failed (ssl.SSLError is one), or was not done in time (TimeoutError).
        """
        plain = self._open_socket()
        secured = context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        self.socket = secured
        while True:
            try:
                secured.do_handshake()
            except _AWAITS as waits:
                self._wait(deadline, for_writing=isinstance(waits, _AWAITS_WRITING))
            else:
                return secured

    def receive_into(self, room: memoryview) -> int | None:
        """Take what is there; None where nothing is, 0 where the peer has closed."""
        try:
            with self._use:
                return self._open_socket().recv_into(room)
        except _AWAITS:
            return None
        except OSError:
            return 0

    def wait_for_bytes(self, deadline: float) -> bool:
        """Wait until there is something to take; False where the deadline passes."""
        try:
            self._wait(deadline, for_writing=False)
        except TimeoutError:
            return False
        except OSError:
            return True  # the next read tells that it is closed
        return True

    def send(self, bytestream: bytes) -> None:
        """Send all of it in time; else the connection counts as closed by the peer (Evt17)."""
        deadline = time.monotonic() + self._answer_timeout_s
        try:
            self.send_until(bytestream, deadline)
        except OSError:
            self.event_queue.put("Evt17")

    def send_until(self, data: bytes, deadline: float) -> None:
        """Send all of it.

        Raises
        ------
        OSError
            The peer is gone, or has not taken it by the deadline (TimeoutError).
        """
        rest = memoryview(data)
        while rest:
            try:
                with self._use:
                    sent = self._open_socket().send(rest)
                rest = rest[sent:]
            except _AWAITS as waits:
                self._wait(deadline, for_writing=not isinstance(waits, ssl.SSLWantReadError))

    def linger(self, timeout_s: float) -> None:
        """Let the peer read what it was sent last and close, then close.

        Closed at once with something unread, the kernel would reset the connection, and what was
        sent last could be lost on the way.
        """
        deadline = time.monotonic() + timeout_s
        waste = memoryview(bytearray(_LINGER_BYTES))
        while time.monotonic() < deadline:
            size = self.receive_into(waste)
            if size == 0 or (size is None and not self.wait_for_bytes(deadline)):
                break
        self.close()

    def close(self) -> None:
        """Close the connection; Evt17 follows where it was open."""
        if self.socket is not None:
            self._shutdown_socket()
            self.socket.close()
        super().close()

    def _open_socket(self) -> socket.socket:
        if self.socket is None:
            raise OSError("closed")
        return self.socket

    def _wait(self, deadline: float, *, for_writing: bool) -> None:
        """Wait for the socket; `select.select` would end at descriptor 1023."""
        poll = select.poll()
        poll.register(self._open_socket(), select.POLLOUT if for_writing else _EVERYTHING)
        left_ms = max(0.0, deadline - time.monotonic()) * 1000
        if not poll.poll(left_ms):
            raise TimeoutError
