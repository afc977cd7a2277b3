"""What each kind of peer requires, and what has no effect on it."""

from collections.abc import Callable

import pytest

from config.model import Settings
from config.problems import Problem

Load = Callable[..., Settings]
Problems = Callable[..., dict[str, Problem]]

WEB = '[peers.web]\nkind = "dicomweb"\nurl = "https://pacs.example.org:8443/dicom-web/"\n'
PACS = '[peers.pacs]\nae_title = "PACS"\nhost = "192.0.2.7"\nport = 104\n'


def test_a_dicomweb_peer_needs_a_url_alone(load: Load) -> None:
    """It receives results, and a slash at the end of its URL carries no meaning."""
    peer = load(f'{WEB}token_file = "/secret"\nheaders = {{ X-Site = "a" }}').peers["web"]
    assert peer.url == peer.place == "https://pacs.example.org:8443/dicom-web"
    assert peer.receives_results
    with pytest.raises(ValueError, match="no AE title"):
        assert peer.address


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ('[peers.web]\nkind = "dicomweb"', "peers.web.url", "is required: a URL"),
        (PACS.replace("port = 104", ""), "peers.pacs.port", "is required: a whole number"),
        (f'{WEB}ae_title = "A"', "peers.web.ae_title", "of the kind 'dicomweb'"),
        (f'{WEB}proof = "readback"', "peers.web.proof", "has no effect"),
        (f'{WEB}role = "both"', "peers.web.role", "must be 'destination'"),
        (f'{PACS}url = "http://a"', "peers.pacs.url", "of the kind 'dimse'"),
        (f'{PACS}token_file = "/secret"', "peers.pacs.token_file", "has no effect"),
        (WEB.replace("https", "ftp"), "peers.web.url", "begins with https://"),
        (WEB.replace("pacs.", "me:word@pacs."), "peers.web.url", "begins with https://"),
        (WEB.replace('"dicomweb"', '"dicomwep"'), "peers.web.kind", "Did you mean 'dicomweb'?"),
    ],
)
def test_what_does_not_fit_the_kind_is_named(
    problems: Problems, text: str, place: str, message: str
) -> None:
    found = problems(text)
    assert place in found
    assert message in found[place].message
