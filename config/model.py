"""All settings of a site in one frozen value."""

from typing import Annotated, Any

from pydantic import Field

from config.access import AccessSettings
from config.arrays import Array
from config.limits import LimitSettings
from config.node import (
    DeliverySettings,
    EngineSettings,
    LogSettings,
    NodeSettings,
    ResultsSettings,
)
from config.peers import Peer
from config.rebuild import RebuildSettings
from config.routes import Route
from config.section import Name, Section
from config.tls import TlsSettings


class StepSettings(Section):
    """One item of a pipeline's ``steps``."""

    algorithm: str
    """Name of an installed algorithm."""

    parameters: dict[str, Any] = Field(default_factory=dict)
    """The algorithm's own parameters; those left out keep the algorithm's defaults."""


class PipelineSettings(Section):
    """A table ``[pipelines.NAME]``: algorithms that run one after the other on one volume."""

    description: str = ""
    """A few words for people."""

    steps: Annotated[Array[StepSettings], Field(min_length=1)]
    """The algorithms, in the order of their results' series numbers."""

    rebuild: RebuildSettings = RebuildSettings()
    """How volumes are rebuilt from series that are no plain stack of slices."""


class Settings(Section):
    """Everything a site may set; each table's defaults stand in its own class.

    Built by hand, only shapes and values are checked. `config.load.load_settings` also checks
    that names lead somewhere and that parameters suit their algorithms.
    """

    node: NodeSettings = NodeSettings()
    """The node's own address and processes."""

    limits: LimitSettings = LimitSettings()
    """What a peer may take of this node."""

    access: AccessSettings = AccessSettings()
    """Whose associations are accepted."""

    tls: TlsSettings = TlsSettings()
    """Where the node listens with TLS, and its certificates."""

    engine: EngineSettings = EngineSettings()
    """Where jobs run and what they may take."""

    delivery: DeliverySettings = DeliverySettings()
    """How results are sent, and sent again."""

    results: ResultsSettings = ResultsSettings()
    """What is written into every result."""

    log: LogSettings = LogSettings()
    """What is logged, and how."""

    peers: dict[Name, Peer] = Field(default_factory=dict)
    """Other DICOM nodes, by a name of the site's."""

    pipelines: dict[Name, PipelineSettings] = Field(default_factory=dict)
    """What can be done to a series, by a name of the site's."""

    routes: Array[Route] = ()
    """Which series go where; every route that matches a series is taken."""
