"""Certificates run out under a node that nobody restarts: it says so in time."""

from dataclasses import dataclass
from datetime import datetime

import structlog

from config import TlsSettings
from scp.certificates.check import tls_warnings
from scp.tls import TlsFilesError

INTERVAL_S = 86400.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class CertificateWatch:
    """Looks at the files of the TLS settings once a day.

    Parameters
    ----------
    settings
        The files; none of them has to be set.
    """

    settings: TlsSettings

    def tick(self, now: datetime) -> None:
        """Log what should be seen to."""
        try:
            for warning in tls_warnings(self.settings, now):
                log.warning("TLS files should be seen to", reason=warning)
        except TlsFilesError as error:
            log.error("TLS files cannot be used", reason=str(error))  # noqa: TRY400 - a reason
