"""What a site may set: one frozen `Settings`, read from TOML and the environment.

`config.assemble.build_pipeline` makes a pipeline of them; it stands apart because it imports the
algorithms and encoders, which a receiver never needs.
"""

from config.access import AccessSettings
from config.ae_title import AeTitle, PeerAddress
from config.environment import CONFIG_VARIABLE
from config.limits import LimitSettings
from config.load import load_settings
from config.model import PipelineSettings, Settings, StepSettings
from config.node import (
    DeliverySettings,
    EngineSettings,
    LogSettings,
    NodeSettings,
    ResultsSettings,
)
from config.peers import Peer
from config.problems import Problem, SettingsError
from config.routes import SENDER, Condition, Match, Route
from config.tls import TlsSettings

__all__ = [
    "CONFIG_VARIABLE",
    "SENDER",
    "AccessSettings",
    "AeTitle",
    "Condition",
    "DeliverySettings",
    "EngineSettings",
    "LimitSettings",
    "LogSettings",
    "Match",
    "NodeSettings",
    "Peer",
    "PeerAddress",
    "PipelineSettings",
    "Problem",
    "ResultsSettings",
    "Route",
    "Settings",
    "SettingsError",
    "StepSettings",
    "TlsSettings",
    "load_settings",
]
