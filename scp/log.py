"""Structured logs on standard error: events with UIDs and job ids, never a patient's data."""

import logging
import sys
import threading
import warnings
from typing import Literal

import structlog
from structlog.typing import Processor

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["console", "json"]

# Libraries whose own messages can quote tag values, a patient's name among them.
_LIBRARIES_THAT_QUOTE_VALUES = ("pydicom", "pynetdicom", "highdicom")


def configure_logging(level: Level, form: Format) -> None:
    """Set up this process's logs; call once, in every process of the node."""
    renderer: Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _escape_control_characters,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        # a line in one call: several processes write to one standard error
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    threading.excepthook = _log_thread_error
    silence_libraries()


def silence_libraries() -> None:
    """Keep libraries from logging or warning with tag values."""
    for name in _LIBRARIES_THAT_QUOTE_VALUES:
        library = logging.getLogger(name)
        library.handlers = [logging.NullHandler()]
        library.propagate = False
    warnings.simplefilter("ignore")  # pydicom's warnings quote values too, in its callers' names


def _log_thread_error(error: threading.ExceptHookArgs) -> None:
    """An error that ends a library's thread: its kind, for its message may quote values."""
    structlog.get_logger().warning(
        "thread ended by an error",
        thread=error.thread.name if error.thread else "",
        error=error.exc_type.__name__,
    )


def _escape_control_characters(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Escape what a peer could use to forge a log line: every value but tracebacks."""
    for key, value in event.items():
        if isinstance(value, str) and key != "exception" and not value.isprintable():
            event[key] = value.encode("unicode_escape").decode("ascii")
    return event
