"""What a service elsewhere answers: read within bounds, and told as people read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import httpx
import msgspec

from app.rules.errors import Text
from app.rules.facts import printable

_IN_PROGRESS: Final = "idempotency-in-progress"  # the attempt before is still being worked on
_AGAIN: Final = frozenset({408, 429, 502, 503, 504})
_LONGEST_PAUSE: Final = 60.0  # seconds, whatever Retry-After asks for
_LARGEST: Final = 16 * 2**20  # bytes of a JSON answer
_SHOWN: Final = 20  # errors of a problem document
NOT_OURS: Final = Text(
    "dịch vụ trả lời theo cách không hiểu được; hãy kiểm tra NTM_API_URL, hoặc cập nhật lệnh ntm",
    "the service answers in a way that is not understood; check NTM_API_URL, or update ntm",
)


class Failed(Exception):
    """A call that did not succeed: what to tell, and the problem document where there is one."""

    def __init__(self, text: Text, problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(text.en)
        self.text, self.problem = text, problem


class Answer(msgspec.Struct, frozen=True):
    """An answer with its JSON body; `body` is empty where there is none."""

    status: int
    headers: httpx.Headers
    body: Mapping[str, Any] = {}

    @property
    def not_now(self) -> bool:
        """Tell whether the same request may succeed a little later."""
        return self.status in _AGAIN or self.body.get("code") == _IN_PROGRESS

    def pause(self, usual: float) -> float:
        """Return how many seconds to wait: as the service asks for, but not for ever."""
        asked = self.headers.get("retry-after", "")
        return min(float(asked), _LONGEST_PAUSE) if asked.isascii() and asked.isdigit() else usual

    def said(self) -> Text:
        """Return what an answer that is no success says of itself, and what to do."""
        if 300 <= self.status < 400:
            where = printable(self.headers.get("location", "?"), 200)
            return Text(
                f"dịch vụ chuyển hướng tới {where}; nếu đó là địa chỉ đúng, hãy đặt lại "
                "NTM_API_URL",
                f"the service redirects to {where}; if that is the right address, set NTM_API_URL",
            )
        detail = self.body.get("detail") or self.body.get("error_description")
        if isinstance(detail, str):
            return Text(detail, detail)  # in the language that was asked for
        return Text(
            f"dịch vụ trả lời HTTP {self.status} mà không giải thích; hãy kiểm tra NTM_API_URL",
            f"the service answered HTTP {self.status} and does not say why; check NTM_API_URL",
        )


def refused(answer: Answer) -> Failed:
    """Return a refusal: the detail, then every error with its place where there are several."""
    text = answer.said()
    errors = [one for one in answer.body.get("errors", ()) if isinstance(one, dict)]
    more = [f"{one.get('pointer') or '/'}: {one.get('message', '')}" for one in errors[:_SHOWN]]
    if len(more) < 2:  # the detail says it already
        more = []
    said = Text("\n".join([text.vi, *more]), "\n".join([text.en, *more]))
    return Failed(said, answer.body or None)


def no_token(answer: Answer) -> Failed:
    """Return why there is no token; the secret is not repeated."""
    if answer.body.get("error") != "invalid_client":
        return Failed(answer.said())
    return Failed(
        Text(
            "dịch vụ không nhận máy khách này: sai NTM_CLIENT_ID hoặc NTM_CLIENT_SECRET, hoặc máy "
            "khách đã bị thu hồi",
            "the service does not know this client: NTM_CLIENT_ID or NTM_CLIENT_SECRET is wrong, "
            "or the client was revoked",
        )
    )


def unreachable(error: httpx.RequestError) -> Failed:
    """Return that there was no answer at all."""
    why = printable(str(error) or type(error).__name__, 200)
    return Failed(
        Text(
            f"không liên lạc được với dịch vụ ({why}); hãy kiểm tra NTM_API_URL và đường truyền",
            f"the service cannot be reached ({why}); check NTM_API_URL and the connection",
        )
    )


def read(answer: httpx.Response) -> Answer:
    """Return an answer with its JSON object; raise Failed where it is too long."""
    content = b"".join(limited(answer, _LARGEST))
    try:
        found = msgspec.json.decode(content)
    except msgspec.DecodeError:
        found = None
    return Answer(answer.status_code, answer.headers, found if isinstance(found, dict) else {})


def limited(answer: httpx.Response, most: int) -> Iterator[bytes]:
    """Yield the bytes of an answer; raise Failed as soon as there are more than `most`."""
    size = 0
    for chunk in answer.iter_bytes():
        size += len(chunk)
        if size > most:
            raise Failed(
                Text(
                    f"câu trả lời dài hơn {most} byte; hãy kiểm tra NTM_API_URL",
                    f"the answer is longer than {most} bytes; check NTM_API_URL",
                )
            )
        yield chunk
