"""Certificate files: checked before the node trusts its port to them, and made to try with."""
