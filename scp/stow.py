"""Results to a destination by DICOMweb (STOW-RS), with the same outcomes as by C-STORE.

Source: PS3.18 section 10.5, PS3.3 section C.14.1.1.
"""

from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pydicom
import requests
from dicomweb_client import DICOMwebClient
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from requests.auth import AuthBase

from config import Peer
from scp.association import AssociationError
from scp.send import ResultFileError
from scp.status import Status
from scp.transcode import in_accepted_syntax

_TRANSIENT = frozenset(
    (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)
)
_UNTELLING = (AttributeError, KeyError, TypeError, ValueError)


class ResultRefusedError(Exception):
    """The destination does not take a result, and would not later either; the message says why."""


class StowSession:
    """HTTP connections to store instances at a DICOMweb destination, as a context manager.

    Parameters
    ----------
    name
        The destination's name in the settings.
    peer
        Where to, and with which headers, token and authorities.
    timeout_s
        Longest silence of the peer before it counts as lost.

    Notes
    -----
    One request an instance: its outcome is the destination's answer, whatever becomes of others.
    Redirects are not followed, as a POST would become a GET; proxies and passwords of the
    environment are not used.

    Raises
    ------
    AssociationError
        On entering: the token cannot be read.
    """

    def __init__(self, name: str, peer: Peer, timeout_s: float) -> None:
        self._name = name
        self._peer = peer
        self._timeout_s = timeout_s
        self._http: requests.Session
        self._client: DICOMwebClient
        self._response = requests.Response()

    def __enter__(self) -> Self:
        self._http = requests.Session()
        self._http.trust_env = False
        self._http.max_redirects = 0
        self._http.verify = True if self._peer.ca is None else str(self._peer.ca)
        if self._peer.token_file is not None:
            self._http.auth = _Bearer(_token(self._peer.token_file))
        self._client = DICOMwebClient(
            str(self._peer.url),
            session=self._http,
            headers={"Accept": "application/dicom+json", **self._peer.headers},
            callback=self._note,
            timeout=self._timeout_s,
        )
        self._client.set_http_retry_params(retry=False)  # what failed waits in the outbox
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._http.close()

    def send(self, path: Path, sop_class_uid: str) -> int:  # noqa: ARG002 - as an association does
        """Store a Part 10 file; return 0, or the Failure Reason that the destination gives.

        Raises
        ------
        ResultFileError
            The file cannot be read or encoded.
        ResultRefusedError
            The destination refuses it for good, and gives no Failure Reason.
        AssociationError
            The destination cannot be reached, is busy, or does not say what it has stored.
        """
        dataset = self._read(path)
        try:
            answer = self._client.store_instances([dataset]) or _content(self._response)
        except requests.HTTPError as error:
            answer = self._judge(error)
        except requests.RequestException as error:
            raise AssociationError(
                f"{self._name} cannot be reached, or broke off ({type(error).__name__})"
            ) from error
        except _UNTELLING as error:
            raise AssociationError(f"{self._name} gave an answer that cannot be read") from error
        return self._outcome(answer, str(dataset.SOPInstanceUID))

    def _read(self, path: Path) -> Dataset:
        try:
            dataset = pydicom.dcmread(path)
        except (OSError, InvalidDicomError) as error:
            raise ResultFileError(f"{path.name} cannot be read ({type(error).__name__})") from error
        preferred = self._peer.dialect.transfer_syntax_uid
        accepted = {str(dataset.file_meta.TransferSyntaxUID), str(preferred)}
        try:
            return in_accepted_syntax(dataset, accepted, preferred)
        except (AttributeError, NotImplementedError, TypeError, ValueError) as error:
            raise ResultFileError(f"{path.name} cannot be encoded for {self._name}") from error

    def _note(self, response: requests.Response, *_: Any, **__: Any) -> None:
        self._response = response

    def _judge(self, error: requests.HTTPError) -> Dataset:
        """What an answer of an HTTP error says of the instance.

        Raises
        ------
        AssociationError
            It may be taken later.
        ResultRefusedError
            It would not be, and there is no more to it.
        """
        status = self._response.status_code
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _TRANSIENT:
            raise AssociationError(f"{self._name} answered HTTP {status}") from error
        answer = _content(self._response)
        if "FailedSOPSequence" in answer:
            return answer
        setting = "url"
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            setting = "token_file"
        raise ResultRefusedError(
            f"{self._name} answered HTTP {status}; see peers.{self._name}.{setting}"
        ) from error

    def _outcome(self, answer: Dataset, sop_instance_uid: str) -> int:
        """What the Store Instances Response says of an instance.

        Raises
        ------
        AssociationError
            Nothing.
        """
        try:
            failed = _named(answer.get("FailedSOPSequence") or (), sop_instance_uid)
            if failed is not None:
                return int(failed.get("FailureReason") or Status.PROCESSING_FAILURE)
            stored = _named(answer.get("ReferencedSOPSequence") or (), sop_instance_uid)
        except _UNTELLING as error:
            raise AssociationError(f"{self._name} gave an answer that cannot be read") from error
        status = self._response.status_code
        if stored is not None or (status == HTTPStatus.OK and not self._response.content):
            return Status.SUCCESS
        raise AssociationError(
            f"{self._name} answered HTTP {status} without saying whether it has the instance"
        )


class _Bearer(AuthBase):
    """The token of each request."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _token(file: Path) -> str:
    try:
        return file.read_text("ascii").strip()
    except (OSError, UnicodeError) as error:
        raise AssociationError(f"the token in {file} cannot be read") from error


def _content(response: requests.Response) -> Dataset:
    """The data set of an answer in JSON, whatever it is called; an empty one where it is none."""
    try:
        return Dataset.from_json(response.json())
    except _UNTELLING:
        return Dataset()


def _named(items: Iterable[Dataset], sop_instance_uid: str) -> Dataset | None:
    """The item on an instance."""
    return next(
        (item for item in items if item.get("ReferencedSOPInstanceUID") == sop_instance_uid), None
    )
