"""The association's own thread takes no answer from the sender that waits for it."""

from io import BytesIO
from queue import Queue
from types import SimpleNamespace

import pytest
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import MODE_REQUESTOR, Association
from pynetdicom.dimse_primitives import C_STORE

from scp.association import _keep_responses

CT = "1.2.840.10008.5.1.4.1.1.2"


@pytest.fixture
def association() -> Association:
    """One of ours that is never opened: its thread would find what is in the queue."""
    made = Association(ApplicationEntity("TEST"), MODE_REQUESTOR)
    _keep_responses(made)
    return made


def store_response() -> C_STORE:
    response = C_STORE()
    response.MessageIDBeingRespondedTo = 7
    response.AffectedSOPClassUID = CT
    response.AffectedSOPInstanceUID = "1.2.3"
    response.Status = 0x0000
    return response


def test_an_answer_that_the_thread_took_is_put_back(association: Association) -> None:
    """Pynetdicom's thread looks once too often when a sender has just begun to wait."""
    response = store_response()
    association._serve_request(response, 1)
    assert association.dimse.get_msg(block=False) == (1, response)


def test_a_request_of_the_peer_is_served(association: Association) -> None:
    """It is answered as pynetdicom would, and not put back for ever."""
    request = C_STORE()
    request.MessageID = 8
    request.AffectedSOPClassUID = CT
    request.AffectedSOPInstanceUID = "1.2.3"
    request.Priority = 2
    request.DataSet = BytesIO(b"")
    served = Queue[object]()
    association._accepted_cx = {}
    association.abort = lambda: served.put("aborted")  # type: ignore[method-assign]
    association.dul = SimpleNamespace()  # type: ignore[assignment]
    association._serve_request(request, 1)
    assert association.dimse.msg_queue.empty()
    assert served.get_nowait() == "aborted"
