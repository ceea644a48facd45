"""A server that speaks as much S3 as a store of contents needs, on a real socket."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import SecretStr

_MOMENT = "2026-11-22T01:02:03.000Z"
_DAY = "Sun, 22 Nov 2026 01:02:03 GMT"


class FakeS3:
    """Objects by their path; `refused`: requests whose address contains it are refused (403)."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.parts: dict[str, dict[int, bytes]] = {}
        self.signatures: list[str] = []
        self.refused: str | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def settings(self) -> dict[str, Any]:
        """Return the settings by which one of its buckets is used."""
        return {
            "evidence_s3_url": "s3://minh-chung/ntm",
            "evidence_s3_endpoint": self.address,
            "evidence_s3_region": "vn",
            "evidence_s3_key_id": "somebody",
            "evidence_s3_secret": SecretStr("a-secret-of-the-bucket"),
        }

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def listed(self, bucket: str, prefix: str) -> str:
        """Return the objects of a bucket that begin with a prefix, as S3 lists them."""
        names = {path.removeprefix(bucket).lstrip("/"): one for path, one in self.objects.items()}
        found = "".join(
            f"<Contents><Key>{name}</Key><LastModified>{_MOMENT}</LastModified>"
            f'<ETag>"1"</ETag><Size>{len(one)}</Size></Contents>'
            for name, one in sorted(names.items())
            if name.startswith(prefix)
        )
        return f"<ListBucketResult><IsTruncated>false</IsTruncated>{found}</ListBucketResult>"


def _handler(store: FakeS3) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _asked(self) -> tuple[str, dict[str, list[str]], bytes] | None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            store.signatures.append(self.headers.get("authorization", ""))
            if store.refused is not None and store.refused in self.path:
                self._answer(403, b"<Error><Code>AccessDenied</Code></Error>")
                return None
            address = urlsplit(self.path)
            return unquote(address.path), parse_qs(address.query, keep_blank_values=True), body

        def _answer(self, status: int, body: bytes = b"", **more: str) -> None:
            self.send_response(status)
            for name, value in {"content-length": str(len(body)), "etag": '"1"', **more}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def do_PUT(self) -> None:
            if (asked := self._asked()) is None:
                return
            path, query, body = asked
            if "uploadId" in query:
                store.parts[query["uploadId"][0]][int(query["partNumber"][0])] = body
            else:
                store.objects[path] = body
            self._answer(200)

        def do_POST(self) -> None:
            if (asked := self._asked()) is None:
                return
            path, query, _ = asked
            if "uploads" in query:
                upload = f"upload{len(store.parts)}"
                store.parts[upload] = {}
                said = f"<UploadId>{upload}</UploadId>"
                name = "InitiateMultipartUploadResult"
            else:
                parts = store.parts.pop(query["uploadId"][0])
                store.objects[path] = b"".join(parts[number] for number in sorted(parts))
                said, name = '<ETag>"1"</ETag>', "CompleteMultipartUploadResult"
            self._answer(200, f"<{name}>{said}</{name}>".encode())

        def do_GET(self) -> None:
            if (asked := self._asked()) is None:
                return
            path, query, _ = asked
            if "list-type" in query:
                prefix = query.get("prefix", [""])[0]
                self._answer(200, store.listed(path, prefix).encode())
            elif path in store.objects:
                self._answer(200, store.objects[path], last_modified=_DAY)
            else:
                self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

        def do_HEAD(self) -> None:
            if (asked := self._asked()) is None:
                return
            found = store.objects.get(asked[0])
            self.send_response(404 if found is None else 200)
            self.send_header("content-length", str(len(found or b"")))
            self.send_header("last-modified", _DAY)
            self.send_header("etag", '"1"')
            self.end_headers()

        def do_DELETE(self) -> None:
            if (asked := self._asked()) is None:
                return
            path, query, _ = asked
            if "uploadId" in query:
                store.parts.pop(query["uploadId"][0], None)
            else:
                store.objects.pop(path, None)
            self._answer(204)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return Handler
