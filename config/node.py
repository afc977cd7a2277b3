"""The node itself: its address, its workers, its results and its log."""

from pathlib import Path
from typing import Annotated, Literal, Self

from platformdirs import user_data_path
from pydantic import Field, model_validator

from config.ae_title import AeTitle, Host, Title
from config.paths import AbsolutePath
from config.section import Section, Wording


class NodeSettings(Section):
    """The table ``[node]``: address and processes of the receiving side."""

    ae_title: Title = AeTitle("HOUNSFIELD")
    """AE title of this node."""

    host: Host = "127.0.0.1"
    """Address to listen on: 127.0.0.1 this machine only, 0.0.0.0 every IPv4 address, :: IPv6."""

    port: int = Field(default=11112, ge=0, le=65535)
    """TCP port to listen on; 0 takes any free port."""

    plaintext: bool = True
    """Whether `port` is listened on at all: without TLS, so that anyone on the way can read."""

    state: AbsolutePath | None = None
    """Folder of received instances, ledger and results; without it the user's data folder."""

    receivers: int = Field(default=2, ge=1, le=16)
    """Receiving processes that share the port."""

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

    proof_timeout_s: float = Field(default=600.0, gt=0)
    """Wait for a proof of delivery before it is asked for, or the result sent again, in seconds."""

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.longest_retry_s < self.first_retry_s:
            raise ValueError("longest_retry_s must not be less than first_retry_s")
        return self


class ResultsSettings(Section):
    """The table ``[results]``: what is written into every result."""

    content_qualification: Literal["RESEARCH", "PRODUCT", "SERVICE"] = "RESEARCH"
    """Content Qualification (0018,9004)."""

    notice: Annotated[
        str, Field(max_length=80, pattern=r"^[ -~]*$"), Wording("at most 80 characters of ASCII")
    ] = "Not for diagnosis"
    """What summary pictures and notes say of their use; empty says nothing."""

    first_series_number: int = Field(default=9000, ge=1, le=2_000_000_000)
    """Series Number (0020,0011) that the blocks of all algorithms are counted from."""

    series_number_offsets: dict[str, Annotated[int, Field(ge=0, le=1_000_000)]] = Field(
        default_factory=dict
    )
    """Where the block of an algorithm begins after it, for those that shall not keep their own."""


class LogSettings(Section):
    """The table ``[log]``."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe event that is logged."""

    format: Literal["console", "json"] = "console"
    """Lines for people, or one JSON object per line."""
