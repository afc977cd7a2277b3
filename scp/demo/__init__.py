"""The demonstration: a node, a stand-in PACS and a sender on this machine."""


class DemoError(Exception):
    """The demonstration did not come to its end; the message says where it stopped."""
