"""The geometry receipt inside a result, in a private block of our own.

No standard attribute holds which slices were left out and why, and where spacing comes from. Block
(0071,xx) of the creator HOUNSFIELD: element 01, Unlimited Text, holds the receipt as JSON.

Source: PS3.5 section 7.8 (private data elements).
"""

import json

from pydicom.dataset import Dataset

from pipeline.volume import Receipt

GROUP = 0x0071
CREATOR = "HOUNSFIELD"
RECEIPT_ELEMENT = 0x01


def add_receipt(header: Dataset, receipt: Receipt) -> None:
    """Write a receipt, its long lists cut, into a result."""
    text = json.dumps(receipt.summary(), sort_keys=True, allow_nan=False)
    header.private_block(GROUP, CREATOR, create=True).add_new(RECEIPT_ELEMENT, "UT", text)
