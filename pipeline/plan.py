"""What is done to a series: algorithms with their parameters, one after the other."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any

from pipeline.algorithms import registry
from pipeline.encode.context import NOTICE
from pipeline.products import Form
from pipeline.volume import RebuildPolicy


@dataclass(frozen=True, slots=True)
class Step:
    """One algorithm of a pipeline with its parameters (the algorithm's own frozen dataclass)."""

    algorithm: str
    parameters: Any


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What is done to a series.

    Parameters
    ----------
    name
        As routes name it.
    steps
        Run one after the other on the same volume.
    content_qualification
        Content Qualification (0018,9004) of the results: RESEARCH, PRODUCT or SERVICE.
    notice
        What a page for people says of its use; empty says nothing.
    rebuild
        What is done with a series that is no plain stack of slices.
    """

    name: str
    steps: tuple[Step, ...]
    content_qualification: str = "RESEARCH"
    notice: str = NOTICE
    rebuild: RebuildPolicy = field(default_factory=RebuildPolicy)

    @property
    def algorithms(self) -> tuple[str, ...]:
        """Name and version of what is run, each once."""
        named = [registry.find(step.algorithm) for step in self.steps]
        return tuple(dict.fromkeys(f"{item.name} {item.version}" for item in named))

    @property
    def settings_digest(self) -> str:
        """SHA-256 (hex) of everything here that changes a result, algorithm versions included.

        The pipeline's name is a label of the site's and is left out.
        """
        return _digest(self._content())

    def digest_in(self, form: Form) -> str:
        """The same with the form that results are said in."""
        return _digest(self._content() | {"form": form.key})

    def _content(self) -> dict[str, Any]:
        return {
            "steps": [
                [step.algorithm, registry.find(step.algorithm).version, asdict(step.parameters)]
                for step in self.steps
            ],
            "content_qualification": self.content_qualification,
            "notice": self.notice,
            "rebuild": asdict(self.rebuild),
        }


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
