"""Tokens for clients (RFC 6749, client credentials), and where to learn of it (RFC 8414, 7517).

The token endpoint alone answers errors in the form of RFC 6749.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from app.api.answers import answer, json_bytes, manners
from app.api.deps import TOKEN_PATH, Data
from app.api.errors import problem_responses
from app.api.language import InLanguage, Language
from app.api.problems import Problem
from app.api.rate_limits import RateLimits
from app.api.strict import StrictRoute
from app.api.token_requests import UNKNOWN_CLIENT, OAuthError, read_credentials, read_form
from app.api.tokens import Tokens
from app.database import DatabaseFailed
from app.domain import recognition
from app.domain.clients import SCOPES
from app.domain.signing_keys import LIFETIME
from app.rules.errors import Text

router = APIRouter(tags=["tokens"], route_class=StrictRoute)
token_router = APIRouter(tags=["tokens"])  # not strict in our words: it refuses in its own
_LOGGED: Final = {429: "rate-limited"}  # what the log calls a refusal of this status
_NO_STORE: Final = {"cache-control": "no-store", "pragma": "no-cache"}


class TokenAnswer(BaseModel):
    """A token; `scope` lists what it may do."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str


class TokenError(BaseModel):
    """Why there is no token (RFC 6749, 5.2)."""

    error: str
    error_description: str


class Metadata(BaseModel):
    """Where tokens come from and how they are signed (RFC 8414)."""

    issuer: str
    token_endpoint: str
    jwks_uri: str
    response_types_supported: list[str]
    grant_types_supported: list[str]
    token_endpoint_auth_methods_supported: list[str]
    scopes_supported: list[str]
    service_documentation: str


class KeySet(BaseModel):
    """The public keys that verify tokens (RFC 7517)."""

    keys: list[dict[str, str]]


async def tokens(request: Request) -> Tokens:
    """Return what issues and verifies tokens."""
    found: Tokens = request.app.state.tokens
    return found


Issuer = Annotated[Tokens, Depends(tokens)]
_FORM = {
    "type": "object",
    "required": ["grant_type"],
    "properties": {
        "grant_type": {"type": "string", "const": "client_credentials"},
        "client_id": {"type": "string"},
        "client_secret": {"type": "string"},
        "scope": {"type": "string", "description": "Scopes, separated by spaces; default: all."},
    },
    "additionalProperties": False,
}
_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"description": text, "model": TokenError}
    for status, text in (
        (400, "The request is not one for a token"),
        (401, "The client is not known or its secret is wrong"),
        (408, "The body did not arrive in time"),
        (413, "The body is too large"),
        (429, "The secret is wrong, once more; try again after `Retry-After` seconds"),
        (503, "The database does not answer or the service is overloaded"),
    )
}


@token_router.post(
    TOKEN_PATH,
    summary="Get an access token",
    response_model=TokenAnswer,
    responses=problem_responses(everyone=True) | _ERRORS,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/x-www-form-urlencoded": {"schema": _FORM}},
        }
    },
)
async def issue_token(
    request: Request, issuer: Issuer, data: Data, language: InLanguage
) -> Response:
    """Get a token with client id and secret, in the form or by HTTP Basic."""
    try:
        body = await _granted(request, issuer, data)
        return Response(json_bytes(body), 200, manners(language) | _NO_STORE, "application/json")
    except OAuthError as error:
        return _refused(request, error, language)
    except Problem as error:
        code = "temporarily_unavailable" if error.status_code == 503 else "invalid_request"
        refused = OAuthError(error.status_code, code, error.text, error.headers)
        return _refused(request, refused, language)
    except DatabaseFailed as error:
        advice = {"retry-after": "2"}
        refused = OAuthError(503, "temporarily_unavailable", error.text, advice)
        return _refused(request, refused, language)


@router.get(
    "/.well-known/jwks.json",
    summary="Read the public keys",
    response_model=KeySet,
    responses=problem_responses(422, everyone=True),
)
async def read_keys(request: Request, issuer: Issuer, language: InLanguage) -> Response:
    """Read the keys by which other systems verify our tokens."""
    return answer(request, {"keys": [key.public() for key in issuer.keys.all()]}, language)


@router.get(
    "/.well-known/oauth-authorization-server",
    summary="Read the metadata of the token service",
    response_model=Metadata,
    responses=problem_responses(422, everyone=True),
)
async def read_metadata(request: Request, issuer: Issuer, language: InLanguage) -> Response:
    """Read where tokens come from and what they can be asked for."""
    base = issuer.issuer
    body = {
        "issuer": base,
        "token_endpoint": base + TOKEN_PATH,
        "jwks_uri": f"{base}/.well-known/jwks.json",
        "response_types_supported": [],
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "scopes_supported": list(SCOPES),
        "service_documentation": f"{base}/docs",
    }
    return answer(request, body, language)


async def _granted(request: Request, issuer: Tokens, data: Data) -> dict[str, Any]:
    form = await read_form(request)
    client_id, secret = read_credentials(request, form)
    if form.get("grant_type") != "client_credentials":
        code = "unsupported_grant_type" if "grant_type" in form else "invalid_request"
        raise OAuthError(
            400,
            code,
            Text("hãy gửi grant_type=client_credentials", "send grant_type=client_credentials"),
        )
    async with data.reading() as connection:
        held = await recognition.authenticate(connection, client_id, secret)
    if held is None:
        raise _failed_login(request, client_id)
    scopes = _scopes(form, held)
    return {
        "access_token": issuer.issue(client_id, scopes),
        "token_type": "Bearer",
        "expires_in": LIFETIME,
        "scope": " ".join(scopes),
    }


def _failed_login(request: Request, client_id: str) -> OAuthError:
    """Return 401, or 429 when this client id failed too often within a minute.

    The right secret is never refused: otherwise whoever knows a client id, which is no secret,
    could lock its owner out. Guessing is hopeless without a limit, for a secret has 256 bits; the
    limit makes a program that guesses, or that was never given its new secret, visible.
    """
    limits: RateLimits = request.app.state.rate_limits
    allowance = limits.failures.take(client_id)
    if allowance.allowed:
        return OAuthError(401, "invalid_client", UNKNOWN_CLIENT)
    text = Text(
        f"quá nhiều lần sai khoá bí mật; hãy kiểm tra client_secret, thử lại sau "
        f"{allowance.next_in} giây",
        f"too many wrong secrets; check client_secret, try again in {allowance.next_in} s",
    )
    advice = {"retry-after": str(allowance.next_in)}
    return OAuthError(429, "temporarily_unavailable", text, advice)


def _scopes(form: dict[str, str], held: list[str]) -> list[str]:
    wanted = form.get("scope", "").split(" ") if form.get("scope") else held
    beyond = [one for one in wanted if one not in held]
    if beyond:
        raise OAuthError(
            400,
            "invalid_scope",
            Text(
                f"máy khách chỉ có các quyền: {' '.join(held)}",
                f"the client has these scopes only: {' '.join(held)}",
            ),
        )
    return sorted(set(wanted))


def _refused(request: Request, error: OAuthError, language: Language) -> Response:
    request.state.problem = _LOGGED.get(error.status, error.error)
    body = {"error": error.error, "error_description": getattr(error.text, language)}
    headers = manners(language) | _NO_STORE | error.headers
    if error.status == 401:
        headers["www-authenticate"] = 'Basic realm="ntm", charset="UTF-8"'
    return Response(json_bytes(body), error.status, headers, "application/json")
