"""A bucket that speaks S3 as the store of contents; needs the extra `s3`."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any, Final
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import S3Store as Bucket

from app.domain.evidence.store import Lying, lost, unavailable
from app.rules.errors import Text
from app.settings import Settings

_PIECE: Final = 256 * 1024
_PART: Final = 8 * 1024 * 1024  # of an upload in parts; smaller files go in one request
_AT_ONCE: Final = 16
# Requests of people wait for it: not the ten attempts and three minutes of the library.
_RETRY: Final[Any] = {"max_retries": 3, "retry_timeout": datetime.timedelta(seconds=20)}

# A reader may take as long as a download does; a server that says nothing is given up.
_WAITING: Final[dict[str, Any]] = {"timeout": "30m", "read_timeout": "20s", "connect_timeout": "5s"}


class S3Store:
    """A bucket, or what begins with a prefix in one; an object appears when it is whole."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    @classmethod
    def of(cls, settings: Settings) -> S3Store:
        """Return the store that settings name.

        Without a key of ours the library asks the environment and the machine, as AWS does.
        """
        url = urlsplit(settings.evidence_s3_url or "")
        key, secret = settings.evidence_s3_key_id, settings.evidence_s3_secret
        endpoint = settings.evidence_s3_endpoint
        config: dict[str, Any] = {
            "region": settings.evidence_s3_region,
            "endpoint": endpoint,
            "access_key_id": key,
            "secret_access_key": secret and secret.get_secret_value(),
            "disable_bulk_delete": True,  # which not every server knows
        }
        options: Any = {"allow_http": (endpoint or "").startswith("http://"), **_WAITING}
        with _usable():
            bucket = Bucket(
                url.netloc,
                prefix=url.path.strip("/") or None,
                client_options=options,
                retry_config=_RETRY,
                **{name: one for name, one in config.items() if one is not None},
            )
        return cls(bucket)

    async def put(self, id_: str, file: IO[bytes], size: int) -> None:
        """Send a content, a large one in parts; it is not there before all of them are."""
        file.seek(0)
        with _usable():
            await obstore.put_async(
                self._bucket, id_, file, use_multipart=size > _PART, chunk_size=_PART,
                max_concurrency=2,
            )  # fmt: skip

    async def open(self, id_: str) -> AsyncGenerator[bytes, None]:
        """Yield a content as it arrives."""
        with _usable():
            found = await obstore.get_async(self._bucket, id_)
            async for piece in _pieces(found.stream(min_chunk_size=_PIECE)):
                yield piece

    async def delete(self, ids: Sequence[str]) -> None:
        """Remove objects, some beside each other."""
        for first in range(0, len(ids), _AT_ONCE):
            await asyncio.gather(*map(self._delete, ids[first : first + _AT_ONCE]))

    async def all(self) -> AsyncGenerator[Sequence[Lying], None]:
        """Yield the objects, page by page."""
        with _usable():
            async for page in obstore.list(self._bucket):
                yield [Lying(one["path"], one["last_modified"]) for one in page]

    async def _delete(self, id_: str) -> None:
        with _usable(missing_is_fine=True):
            await obstore.delete_async(self._bucket, id_)


async def _pieces(stream: AsyncIterator[Any]) -> AsyncIterator[bytes]:
    async for piece in stream:
        yield bytes(piece)


@contextmanager
def _usable(*, missing_is_fine: bool = False) -> Iterator[None]:
    """Turn failures of the bucket into Hindered; what it says may hold keys and is not told."""
    try:
        yield
    except (NotFoundError, FileNotFoundError) as error:
        if not missing_is_fine:
            raise lost() from error
    except (BaseError, OSError, ValueError) as error:
        raise unavailable(_NO_ANSWER) from error


_NO_ANSWER: Final = Text(
    "kho tệp (S3) không trả lời hoặc từ chối; hãy thử lại sau ít phút, nếu vẫn vậy hãy báo quản "
    "trị viên kiểm tra NTM_EVIDENCE_S3_…",
    "the store of files (S3) does not answer, or refuses; try again in a few minutes, and if it "
    "stays tell the administrator to check NTM_EVIDENCE_S3_…",
)
