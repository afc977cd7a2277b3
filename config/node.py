"""The node itself: its address, its limits, its workers, its results and its log."""

from pathlib import Path
from typing import Annotated, Literal, Self

from platformdirs import user_data_path
from pydantic import BeforeValidator, Field, model_validator

from config.ae_title import AeTitle, Host, Title
from config.section import Section, Wording

_STATE = "an absolute path, or one that begins with ~/"


def _absolute(value: object) -> object:
    """Expand ``~`` and refuse a path whose meaning hangs on the working directory."""
    if not isinstance(value, str | Path):
        return value
    try:
        path = Path(value).expanduser()
    except RuntimeError as error:
        raise ValueError("the home folder that ~ stands for is unknown") from error
    if not path.is_absolute() or "\0" in str(path):
        raise ValueError(f"must be {_STATE}")
    return path


class NodeSettings(Section):
    """The table ``[node]``: address, processes and limits of the receiving side."""

    ae_title: Title = AeTitle("HOUNSFIELD")
    """AE title of this node."""

    host: Host = "127.0.0.1"
    """Address to listen on: 127.0.0.1 this machine only, 0.0.0.0 every IPv4 address, :: IPv6."""

    port: int = Field(default=11112, ge=0, le=65535)
    """TCP port to listen on; 0 takes any free port."""

    state: Annotated[Path | None, BeforeValidator(_absolute), Wording(_STATE)] = None
    """Folder of received instances, ledger and results; without it the user's data folder."""

    receivers: int = Field(default=2, ge=1, le=16)
    """Receiving processes that share the port."""

    require_called_ae_title: bool = True
    """Whether associations that call another AE title than ours are rejected."""

    maximum_associations: int = Field(default=50, ge=1, le=1000)
    """Associations at one time in each receiving process; further ones are rejected."""

    maximum_pdu_bytes: int = Field(default=131072, ge=4096, le=16777216)
    """Largest PDU we receive, in bytes."""

    network_timeout_s: float = Field(default=60.0, gt=0, le=3600)
    """Longest silence of a peer before its association is aborted, in seconds."""

    free_space_reserve_mb: int = Field(default=512, ge=0)
    """Free space on the state folder's disk below which instances are refused, in MiB."""

    @property
    def state_folder(self) -> Path:
        """The folder of the durable state: ``state``, or else the user's data folder."""
        return self.state or user_data_path("hounsfield", appauthor=False)


class EngineSettings(Section):
    """The table ``[engine]``: where jobs run and what they may take."""

    workers: int = Field(default=0, ge=0, le=256)
    """Worker processes; 0 starts one per core."""

    memory_limit_mb: int = Field(default=0, ge=0)
    """Memory of one worker in MiB; 0 gives each an equal share of the machine's."""

    job_time_limit_s: float = Field(default=1800.0, gt=0)
    """Longest time of one job before it fails, in seconds."""

    attempts: int = Field(default=3, ge=1, le=100)
    """Times a job may lose its worker (crash, memory limit) before it fails."""


class DeliverySettings(Section):
    """The table ``[delivery]``: how results are sent, and sent again."""

    first_retry_s: float = Field(default=5.0, gt=0)
    """Wait before the second attempt, in seconds; each further wait is longer."""

    longest_retry_s: float = Field(default=3600.0, gt=0)
    """Longest wait between two attempts, in seconds."""

    give_up_after_h: float = Field(default=72.0, gt=0)
    """Time after the first attempt at which a delivery fails, in hours."""

    timeout_s: float = Field(default=30.0, gt=0, le=3600)
    """Longest silence of a destination before the attempt counts as failed, in seconds."""

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.longest_retry_s < self.first_retry_s:
            raise ValueError("longest_retry_s must not be less than first_retry_s")
        return self


class ResultsSettings(Section):
    """The table ``[results]``: what is written into every result."""

    content_qualification: Literal["RESEARCH", "PRODUCT", "SERVICE"] = "RESEARCH"
    """Content Qualification (0018,9004)."""

    first_series_number: int = Field(default=9000, ge=1, le=2_000_000_000)
    """Series Number (0020,0011) of a pipeline's first result; each further one takes the next."""


class LogSettings(Section):
    """The table ``[log]``."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe event that is logged."""

    format: Literal["console", "json"] = "console"
    """Lines for people, or one JSON object per line."""
