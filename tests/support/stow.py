"""A DICOMweb server of the tests: it answers each STOW-RS request as a test says."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any

import pydicom
from pydicom.dataset import Dataset

JSON = "application/dicom+json"


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    location: str = ""


def stored(instance: Dataset) -> Answer:
    """It has the instance."""
    return Answer(200, _response("00081199", instance))


def failed(instance: Dataset, reason: int, status: int = 409) -> Answer:
    """It has not, and says why."""
    return Answer(status, _response("00081198", instance, reason))


def _response(sequence: str, instance: Dataset, reason: int | None = None) -> bytes:
    item: dict[str, Any] = {
        "00081150": {"vr": "UI", "Value": [str(instance.SOPClassUID)]},
        "00081155": {"vr": "UI", "Value": [str(instance.SOPInstanceUID)]},
    }
    if reason is not None:
        item["00081197"] = {"vr": "US", "Value": [reason]}
    return json.dumps({sequence: {"vr": "SQ", "Value": [item]}}).encode()


@dataclass
class StowServer:
    """Counts what came, and answers by ``answer``; None breaks the connection off."""

    answer: Callable[[Dataset], Answer | None] = stored
    came: Counter[str] = field(default_factory=Counter)
    contents: dict[str, set[bytes]] = field(default_factory=dict)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)

    @contextmanager
    def listening(self) -> Iterator[str]:
        """Serve; the URL for the settings."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/dicom-web"
        finally:
            server.shutdown()
            server.server_close()
            thread.join(10)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                outer._take(self)

            def log_message(self, *_arguments: Any) -> None:
                return

        return Handler

    def _take(self, request: BaseHTTPRequestHandler) -> None:
        encoded = _instance(_body(request))
        instance = pydicom.dcmread(BytesIO(encoded))
        uid = str(instance.SOPInstanceUID)
        self.came[uid] += 1
        self.contents.setdefault(uid, set()).add(encoded)
        self.headers.append(dict(request.headers))
        self.paths.add(request.path)
        answer = self.answer(instance)
        if answer is None:
            request.close_connection = True
            return
        request.send_response(answer.status)
        if answer.location:
            request.send_header("Location", answer.location)
        request.send_header("Content-Type", answer.content_type)
        request.send_header("Content-Length", str(len(answer.body)))
        request.end_headers()
        request.wfile.write(answer.body)


def _body(request: BaseHTTPRequestHandler) -> bytes:
    if request.headers.get("Transfer-Encoding") != "chunked":
        return request.rfile.read(int(request.headers["Content-Length"]))
    body = b""
    while size := int(request.rfile.readline(), 16):
        body += request.rfile.read(size)
        request.rfile.readline()
    request.rfile.readline()
    return body


def _instance(body: bytes) -> bytes:
    """The only part of a multipart message."""
    boundary = body.split(b"\r\n", 1)[0]
    part = body.split(b"\r\n\r\n", 1)[1]
    return part[: part.rindex(b"\r\n" + boundary)]
