"""On which side the body part of a series is.

Source: PS3.3 C.7.3.1 (General Series); PS3.16 Annex L (Correspondence of Anatomic Region Codes and
Body Part Examined Defined Terms).
"""

from pydicom.dataset import Dataset

from pipeline.encode.header import fill_missing

# Defined terms of Body Part Examined (0018,0015) of which there is one in the body.
_UNPAIRED = frozenset(
    """
    ABDOMEN ABDOMENPELVIS AORTA BACK BLADDER BRAIN CEREBELLUM CERVIX CHEST CHESTABDOMEN
    CHESTABDPELVIS CIRCLEOFWILLIS COCCYX COLON CORONARYARTERY CSPINE CTSPINE DUODENUM
    ESOPHAGUS FACE GALLBLADDER HEAD HEADNECK HEART ILEUM ILIUM JAW JEJUNUM LARYNX LIVER
    LSPINE LSSPINE MAXILLA MEDIASTINUM MOUTH NECK NECKCHEST NECKCHESTABDOMEN
    NECKCHESTABDPELV NOSE PANCREAS PELVIS PENIS PHARYNX PROSTATE RECTUM SCALP SKULL SPINE
    SPLEEN SSPINE STERNUM STOMACH THYMUS THYROID TLSPINE TONGUE TRACHEA TSPINE URETER
    URETHRA UTERUS VAGINA VULVA WHOLEBODY
    """.split()  # noqa: SIM905 - as the standard lists them
)


def settle_laterality(header: Dataset) -> None:
    """Laterality (0020,0060), empty where the source does not say, for what may be on two sides.

    It is not allowed for a body part of which there is one.
    """
    if str(header.get("BodyPartExamined")) not in _UNPAIRED:
        fill_missing(header, ("Laterality",))
    elif "Laterality" in header:
        del header.Laterality
