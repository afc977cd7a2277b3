"""What a peer may take of this node: associations, bytes and time."""

from pydantic import Field

from config.section import Section


class LimitSettings(Section):
    """The table ``[limits]``; each limit holds whatever the peer does."""

    associations: int = Field(default=200, ge=1, le=10000)
    """Associations at one time, in all receiving processes together; further ones are rejected."""

    associations_per_address: int = Field(default=64, ge=1, le=10000)
    """Associations of one address at one time; TCP connections that asked for none yet count."""

    pdu_bytes: int = Field(default=131072, ge=4096, le=16777216)
    """Largest PDU we receive, in bytes; it is what senders are told."""

    command_bytes: int = Field(default=65536, ge=1024, le=1048576)
    """Largest command set of one message, in bytes."""

    instance_mb: int = Field(default=4096, ge=1, le=1048576)
    """Largest data set of one message, in MiB."""

    presentation_contexts: int = Field(default=128, ge=1, le=128)
    """Presentation contexts that one association may propose."""

    negotiation_timeout_s: float = Field(default=20.0, gt=0, le=3600)
    """Longest time from connection to accepted association, TLS included, in seconds."""

    idle_timeout_s: float = Field(default=60.0, gt=0, le=86400)
    """Longest silence between two messages of an association, in seconds."""

    fragment_timeout_s: float = Field(default=30.0, gt=0, le=3600)
    """Longest gap between two PDUs of one message, in seconds."""

    pdu_timeout_s: float = Field(default=60.0, gt=0, le=3600)
    """Longest time of one PDU from its first byte to its last, in seconds."""

    answer_timeout_s: float = Field(default=30.0, gt=0, le=3600)
    """Longest time until a peer has taken our answer, in seconds."""

    pending_requests: int = Field(default=32, ge=1, le=1024)
    """Requests that an association may send ahead of our answers."""

    free_space_mb: int = Field(default=512, ge=0)
    """Free space on the state folder's disk below which instances are refused, in MiB."""

    free_space_percent: float = Field(default=1.0, ge=0, le=50)
    """The same as a share of the disk, in per cent; the larger of the two counts."""
