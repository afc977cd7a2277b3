"""The algorithms, one file each, with their parameters beside them. None knows another."""
