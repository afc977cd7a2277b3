"""pynetdicom's two service providers, driven by the association's own thread.

The library runs the upper layer in a thread of its own, which wakes a thousand times a second. Here
one thread does both: a primitive that is sent goes through the state machine at once, and PDUs are
handed in by whoever reads them.
"""

import queue
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from pynetdicom import evt
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import DIMSEMessage
from pynetdicom.dimse_primitives import C_CANCEL
from pynetdicom.dul import DULServiceProvider
from pynetdicom.fsm import InvalidEventError
from pynetdicom.pdu_primitives import P_DATA

from scp.receive.pdu import ProtocolError

if TYPE_CHECKING:
    from scp.receive.association import ReceivingAssociation

_LAST_COMMAND, _LAST_DATA = b"\x03", b"\x02"
_MOST_CANCELS = 10
_Message = Any  # the presentation context's id and the primitive
NOTHING: _Message = (None, None)


class SteppedProvider(DULServiceProvider):
    """The upper layer's state machine without a thread: it acts when something happens."""

    def __init__(self, association: "ReceivingAssociation") -> None:
        super().__init__(association)
        self._turn = threading.RLock()

    def send_pdu(self, primitive: Any) -> None:
        """Send a primitive to the peer now."""
        super().send_pdu(primitive)
        self.act()

    def take_pdu(self, encoded: bytes) -> None:
        """Act on a PDU that was received, other than P-DATA-TF.

        Raises
        ------
        ProtocolError
            It cannot be decoded.
        """
        try:
            pdu, event = self._decode_pdu(bytearray(encoded))
        except Exception as error:  # the library raises what it meets
            raise ProtocolError(f"a PDU that cannot be decoded ({type(error).__name__})") from error
        self._recv_pdu.put(pdu)
        self.event_queue.put(event)
        self.act()

    def act(self) -> None:
        """Let the state machine act on everything that waits."""
        with self._turn:
            while not self.event_queue.empty() or self._process_recv_primitive():
                try:
                    self.state_machine.do_action(self.event_queue.get(block=False))
                except InvalidEventError:  # what was to be sent came after the end
                    self.to_provider_queue.queue.clear()


class RequestQueue(DIMSEServiceProvider):
    """Messages in the order they came; requests wait here, responses in `msg_queue`.

    Kept apart, so that who waits for a response gets no request that the peer sent before it.

    Parameters
    ----------
    association
        Whose they are.
    most_waiting
        Messages that may wait at one time.
    """

    def __init__(self, association: "ReceivingAssociation", most_waiting: int) -> None:
        super().__init__(association)
        self._receiving = association
        self._most_waiting = most_waiting
        self._requests: deque[_Message] = deque()
        self.sending = threading.Lock()

    def take_message(self, context_id: int, command_set: bytes, data_set: bytes) -> None:
        """Decode a message and queue it.

        Raises
        ------
        ProtocolError
            It cannot be decoded, or too many wait.
        """
        try:
            primitive = self._decoded(context_id, command_set, data_set)
        except Exception as error:  # the library raises what it meets
            raise ProtocolError(f"an invalid message ({type(error).__name__})") from error
        if isinstance(primitive, C_CANCEL):
            if len(self.cancel_req) < _MOST_CANCELS:
                self.cancel_req[primitive.MessageIDBeingRespondedTo or 0] = primitive
            return
        if len(self._requests) + self.msg_queue.qsize() >= self._most_waiting:
            raise ProtocolError("more requests than limits.pending_requests")
        if primitive.MessageIDBeingRespondedTo is None:
            self._requests.append((context_id, primitive))
        else:
            self.msg_queue.put((context_id, primitive))

    def get_msg(self, block: bool = False) -> _Message:  # noqa: FBT001, FBT002 - the library's
        """The next request; or, blocking, the next response, while requests wait."""
        if not block:
            return self._requests.popleft() if self._requests else NOTHING
        timeout_s = self.dimse_timeout
        if threading.current_thread() is self._receiving:
            self._receiving.read_until(lambda: not self.msg_queue.empty(), timeout_s)
            timeout_s = 0.001
        try:
            return self.msg_queue.get(timeout=timeout_s)
        except queue.Empty:
            return NOTHING

    def send_msg(self, primitive: Any, context_id: int) -> None:
        """Send a message whole, whatever other threads send."""
        with self.sending:
            super().send_msg(primitive, context_id)

    def _decoded(self, context_id: int, command_set: bytes, data_set: bytes) -> Any:
        """The primitive of a message, by the library's own decoding."""
        received = P_DATA()
        values = received.presentation_data_value_list
        values.append((context_id, _LAST_COMMAND + command_set))
        if data_set:
            values.append((context_id, _LAST_DATA + data_set))
        message = DIMSEMessage()
        message.decode_msg(received, self.assoc)
        message.context_id = context_id
        evt.trigger(self.assoc, evt.EVT_DIMSE_RECV, {"message": message})
        return message.message_to_primitive()
