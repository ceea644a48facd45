"""A service elsewhere, called as a client calls it: tokens, and retries within bounds.

What is sent again is safe to send again: reads, and requests under an `Idempotency-Key`.
"""

from __future__ import annotations

import ipaddress
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote, urlsplit

import httpx

from app.api.deps import TOKEN_PATH
from app.cli import remote_answers
from app.cli.remote_answers import Answer, limited, no_token, refused, unreachable
from app.rules.errors import Text
from app.rules.facts import printable

Body = Callable[[], Iterator[bytes]]  # begun anew for each attempt
Told = Callable[[Text], None]

# Seconds between attempts: while somebody waits for an answer, and while a job goes on anyway.
SOON: Final = (1.0, 2.0, 4.0, 8.0)
LONG: Final = (*SOON, 15.0, 15.0, 30.0, 30.0, 60.0, 60.0)
_LARGEST_FILE: Final = 2**30
_EARLY: Final = 60.0  # seconds before its end at which a token is renewed
_TIMEOUT: Final = httpx.Timeout(10.0, read=120.0, write=60.0)


class Service:
    """A connection to a service; `told` hears why a call is made again."""

    def __init__(self, url: str, client_id: str, secret: str, language: str, told: Told) -> None:
        self._credentials, self._told = (client_id, secret), told
        self._token, self._renew_at = "", 0.0
        headers = {"accept-language": language, "user-agent": "ntm import"}
        # Nobody is followed elsewhere: the secret and the token are for this service alone.
        self._http = httpx.Client(
            base_url=url, headers=headers, timeout=_TIMEOUT, follow_redirects=False
        )

    def __enter__(self) -> Self:
        """Begin; nothing is connected before the first call."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self._http.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        pauses: Sequence[float] = SOON,
    ) -> Answer:
        """Return the answer to a request, whatever its status; raise Failed when there is none.

        Made again after a pause, when the connection failed or the service says "not now".
        """

        def once() -> Answer:
            sent = dict(headers or {}) | self._authorization()
            content = body() if body else None
            return self._once(method, path, params=params, headers=sent, content=content)

        return self._authorized(once, pauses)

    def read(self, path: str, pauses: Sequence[float] = SOON) -> Mapping[str, Any]:
        """Return what is at a path; raise Failed for anything but 200."""
        answer = self.call("GET", path, pauses=pauses)
        if answer.status != 200:
            raise refused(answer)
        return answer.body

    def download(self, path: str, target: Path) -> None:
        """Write what is at a path to a file, which is there only once it is whole."""
        part = target.with_name(f".{target.name}.part")

        def once() -> Answer:
            with self._http.stream("GET", path, headers=self._authorization()) as answer:
                if answer.status_code != 200:
                    return remote_answers.read(answer)
                with part.open("wb") as file:
                    for chunk in limited(answer, _LARGEST_FILE):
                        file.write(chunk)
                return Answer(answer.status_code, answer.headers)

        try:
            answer = self._authorized(once, SOON)
            if answer.status != 200:
                raise refused(answer)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)

    def _authorized(self, once: Callable[[], Answer], pauses: Sequence[float]) -> Answer:
        """Make a call with a token; with a new one where the old one ended before its time."""
        self._log_in()
        answer = self._trying(once, pauses)
        if answer.status == 401:
            self._token = ""
            self._log_in()
            answer = self._trying(once, pauses)
        return answer

    def _trying(self, once: Callable[[], Answer], pauses: Sequence[float]) -> Answer:
        for pause in pauses:
            try:
                answer = once()
            except httpx.RequestError as error:
                self._pause(unreachable(error).text, pause)
            else:
                if not answer.not_now:
                    return answer
                self._pause(answer.said(), answer.pause(pause))
        try:
            return once()
        except httpx.RequestError as error:
            raise unreachable(error) from error

    def _once(self, method: str, path: str, **sent: Any) -> Answer:
        with self._http.stream(method, path, **sent) as answer:
            return remote_answers.read(answer)

    def _authorization(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._token}"}

    def _log_in(self) -> None:
        """Get a token unless there is one that lasts; raise Failed where none is given."""
        if self._token and time.monotonic() < self._renew_at:
            return
        client_id, secret = (quote(one, safe="") for one in self._credentials)
        form = {"grant_type": "client_credentials"}
        answer = self._trying(
            lambda: self._once("POST", TOKEN_PATH, data=form, auth=(client_id, secret)), SOON
        )
        token, lives = answer.body.get("access_token"), answer.body.get("expires_in")
        if answer.status != 200 or not isinstance(token, str) or not isinstance(lives, int):
            raise no_token(answer)
        self._token, self._renew_at = token, time.monotonic() + max(lives - _EARLY, lives / 2)

    def _pause(self, why: Text, seconds: float) -> None:
        """Wait, a little more or less than others who were refused at the same moment."""
        seconds *= 0.8 + secrets.randbelow(400) / 1000
        vi, en = f"thử lại sau {seconds:.0f} giây", f"trying again in {seconds:.0f} s"
        self._told(Text(f"{why.vi}; {vi}", f"{why.en}; {en}"))
        time.sleep(seconds)


def wrong_address(url: str) -> Text | None:
    """Say what is wrong with the address of a service; None for a good one.

    Secrets travel only where nobody can listen: over TLS, or within this machine.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host, parts = "", urlsplit("")
    shown = printable(url)
    if parts.username or parts.password:
        return Text(
            "địa chỉ không được chứa mật khẩu; hãy đặt NTM_CLIENT_ID và NTM_CLIENT_SECRET",
            "an address holds no password; set NTM_CLIENT_ID and NTM_CLIENT_SECRET",
        )
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
        return Text(
            f"“{shown}” không phải địa chỉ như https://ntm.example.gov.vn",
            f"“{shown}” is no address like https://ntm.example.gov.vn",
        )
    if parts.scheme == "http" and not _is_here(host):
        return Text(
            f"“{shown}” không mã hoá đường truyền, khoá bí mật sẽ lộ; hãy dùng https://",
            f"“{shown}” is not encrypted and would give the secret away; use https://",
        )
    return None


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
