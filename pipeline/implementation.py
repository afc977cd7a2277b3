"""How Hounsfield names itself to peers and in files (PS3.7 D.3.3.2)."""

IMPLEMENTATION_CLASS_UID = "2.25.145052008132390235483632897184600636520"
# A release whose encoders write other bytes takes another version. It is part of every result's
# UIDs: an archive must never be sent two different objects under one SOP Instance UID.
VERSION = "0.3"
IMPLEMENTATION_VERSION_NAME = f"HOUNSFIELD_{VERSION.replace('.', '_')}"
