"""Which store keeps the contents of files: a folder, or a bucket where the settings name one."""

from __future__ import annotations

from typing import Final

from app.domain.evidence.store import FolderStore, Store, unavailable
from app.rules.errors import Text
from app.settings import Settings


def of(settings: Settings) -> Store:
    """Return the store of the settings: a bucket, or a folder; raise Hindered without its driver.

    Nothing is made or connected before it is used.
    """
    if settings.evidence_s3_url is None:
        return FolderStore(settings.evidence)
    try:
        from app.domain.evidence.s3 import S3Store  # noqa: PLC0415 - an extra: few have a bucket
    except ModuleNotFoundError as error:
        raise unavailable(_NO_DRIVER) from error
    return S3Store.of(settings)


_NO_DRIVER: Final = Text(
    "NTM_EVIDENCE_S3_URL cần thư viện obstore; hãy cài: pip install 'ntm-rules[s3]'",
    "NTM_EVIDENCE_S3_URL needs the library obstore; install it: pip install 'ntm-rules[s3]'",
)
