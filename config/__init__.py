"""What a site may set: one frozen `Settings`, read from TOML and the environment.

`config.assemble.build_pipeline` makes a pipeline of them; it stands apart because it imports the
algorithms and encoders, which a receiver never needs.
"""

from config.ae_title import AeTitle, PeerAddress
from config.environment import CONFIG_VARIABLE
from config.load import load_settings
from config.model import PipelineSettings, Settings, StepSettings
from config.node import (
    DeliverySettings,
    EngineSettings,
    LogSettings,
    NodeSettings,
    ResultsSettings,
)
from config.problems import Problem, SettingsError
from config.routes import Condition, Match, Peer, Route

__all__ = [
    "CONFIG_VARIABLE",
    "AeTitle",
    "Condition",
    "DeliverySettings",
    "EngineSettings",
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
    "load_settings",
]
