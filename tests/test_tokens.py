"""Access tokens: the one form that is let in, and everything else that is not."""

from __future__ import annotations

import random
import socket
import string
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import httpx
import jwt
import pytest
from conftest import HERE, Join, Member, calling, lasting, problem
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import FastAPI
from forged import LIFETIME, Mint, b64, ecdsa, nested, own_jwk, own_key, plain, private

from app.api.tokens import Tokens
from app.domain.signing_keys import SigningKeys

PLACE: Final = "/v1/indicators"
Forge = Callable[[Mint], str]
STRANGE: Final = own_key()

# --- what an attacker without the key can make -------------------------------------------------

UNSIGNED: Final[dict[str, Forge]] = {
    "alg none, no signature": lambda m: m.said(m.header(alg="none")) + ".",
    "alg None": lambda m: m.said(m.header(alg="None")) + ".",
    "alg NONE, some signature": lambda m: m.said(m.header(alg="NONE")) + "." + b64(b"x" * 64),
    "alg none, real signature": lambda m: m.heading(alg="none"),
    "alg empty": lambda m: m.heading(alg=""),
    "no alg": lambda m: m.heading(alg=None),
    "ES256, empty signature": lambda m: m.said() + ".",
    "ES256, no signature part": lambda m: m.said(),
    "ES256, signature of zeros": lambda m: m.said() + "." + b64(bytes(64)),
    "ES256, signature too short": lambda m: m.signed()[:-4],
    "ES256, signature too long": lambda m: m.said() + "." + b64(b"\x01" * 96),
    "ES256, r and s one": lambda m: m.said() + "." + b64((bytes(31) + b"\x01") * 2),
    "ES256, DER signature": lambda m: (
        m.said() + "." + b64(private(m.key).sign(m.said().encode(), ec.ECDSA(_sha256())))
    ),
    "signature of another token": lambda m: (
        m.said(claims=m.claims(scope="read")) + "." + m.signed().rpartition(".")[2]
    ),
    "key of another pair": lambda m: m.signed(key=STRANGE),
    "key of another pair, unknown kid": lambda m: m.signed(
        m.header(kid="feedfacefeedface"), None, STRANGE
    ),
    "RS256": lambda m: m.rsa(),
    "ES384": lambda m: m.signed(m.header(alg="ES384"), None, own_key(ec.SECP384R1()), "ES384"),
    "ES512": lambda m: m.signed(m.header(alg="ES512"), None, own_key(ec.SECP521R1()), "ES512"),
    "ES384 in name, own key": lambda m: m.heading(alg="ES384"),
    "ES256K in name, own key": lambda m: m.heading(alg="ES256K"),
    "EdDSA in name": lambda m: m.heading(alg="EdDSA"),
    "alg in lower case": lambda m: m.heading(alg="es256"),
    "alg a list": lambda m: m.heading(alg=["ES256"]),
    "alg a number": lambda m: m.heading(alg=256),
    "HS256, empty secret": lambda m: m.hmac(b""),
    "HS256, kid as secret": lambda m: m.hmac(m.key.kid.encode()),
    "HS256, no kid, empty secret": lambda m: m.hmac(b"", kid=None),
    "HS384, public key": lambda m: m.hmac(m.public("pem"), "HS384"),
    "HS512, public key": lambda m: m.hmac(m.public("der"), "HS512"),
    "HS256, DER public key, no kid": lambda m: m.hmac(m.public("der"), kid=None),
    **{
        f"HS256, public key as {form}": lambda m, form=form: m.hmac(m.public(form))  # type: ignore[misc]
        for form in ("pem", "der", "ssh", "point", "jwk", "x")
    },
}

# --- headers: all signed with the service's own key --------------------------------------------

_URL: Final = "http://127.0.0.1:9/keys.json"
HEADERS: Final[dict[str, Forge]] = {
    "unknown kid": lambda m: m.heading(kid="feedfacefeedface"),
    "no kid": lambda m: m.heading(kid=None),
    "kid empty": lambda m: m.heading(kid=""),
    "kid a number": lambda m: m.heading(kid=1),
    "kid a list": lambda m: m.heading(kid=[m.key.kid]),
    "kid a path": lambda m: m.heading(kid="../../../../dev/null"),
    "kid an SQL text": lambda m: m.heading(kid="' OR 1=1 --"),
    "kid with a blank": lambda m: m.heading(kid=m.key.kid + " "),
    "kid in upper case": lambda m: m.heading(kid=m.key.kid.upper() + "X"),
    "jwk": lambda m: m.signed(m.header(jwk=own_jwk(STRANGE, m.key.kid)), None, STRANGE),
    "jwk without kid": lambda m: m.signed(
        m.header(kid=None, jwk=own_jwk(STRANGE, "x")), None, STRANGE
    ),
    "jwk, own key": lambda m: m.heading(jwk=m.key.public()),
    "jku": lambda m: m.heading(jku=_URL),
    "x5u": lambda m: m.heading(x5u=_URL),
    "x5c": lambda m: m.heading(x5c=["MIIB"]),
    "x5t": lambda m: m.heading(x5t="AAAA"),
    "crit": lambda m: m.heading(crit=["exp"]),
    "crit empty": lambda m: m.heading(crit=[]),
    "crit unknown": lambda m: m.heading(crit=["http://example.vn/x"]),
    "b64 false": lambda m: m.heading(b64=False, crit=["b64"]),
    "b64 true": lambda m: m.heading(b64=True),
    "zip": lambda m: m.heading(zip="DEF"),
    "cty": lambda m: m.heading(cty="JWT"),
    "enc": lambda m: m.heading(enc="A256GCM"),
    "any other field": lambda m: m.heading(x=1),
    "typ JWT": lambda m: m.heading(typ="JWT"),
    "typ application/at+jwt": lambda m: m.heading(typ="application/at+jwt"),
    "typ in upper case": lambda m: m.heading(typ="AT+JWT"),
    "typ of an identity": lambda m: m.heading(typ="id+jwt"),
    "no typ": lambda m: m.heading(typ=None),
    "a list": lambda m: m.signed([m.header()]),
    "an empty list": lambda m: m.signed(b"[]"),
    "an empty object": lambda m: m.signed(b"{}"),
    "null": lambda m: m.signed(b"null"),
    "a number": lambda m: m.signed(b"1"),
    "a string": lambda m: m.signed(b'"ES256"'),
    "empty": lambda m: m.signed(b""),
    "not JSON": lambda m: m.signed(b"{alg:ES256}"),
    "not UTF-8": lambda m: m.signed(b'{"alg":"ES256","kid":"\xff\xfe","typ":"at+jwt"}'),
    "a lone surrogate": lambda m: m.signed(b'{"alg":"ES256","kid":"\\ud800","typ":"at+jwt"}'),
    "UTF-16": lambda m: m.signed(plain(m.header()).decode().encode("utf-16")),
    "a byte order mark": lambda m: m.signed(b"\xef\xbb\xbf" + plain(m.header())),
    "two objects": lambda m: m.signed(plain(m.header()) * 2),
    "nested 1,000 deep": lambda m: m.signed(nested(1_000)),
    "nested 1,000 deep in a field": lambda m: m.signed(
        plain(m.header())[:-1] + b',"x":' + nested(1_000) + b"}"
    ),
    "lists 100,000 deep": lambda m: m.signed(b"[" * 100_000),
    "NUL in kid": lambda m: m.heading(kid=m.key.kid + "\0"),
    "NUL after the object": lambda m: m.signed(plain(m.header()) + b"\0"),
    "over long": lambda m: m.heading(kid="k" * 600),
    "over long with blanks": lambda m: m.signed(plain(m.header()) + b" " * 600),
    "alg twice, none last": lambda m: m.signed(plain(m.header())[:-1] + b',"alg":"none"}'),
    "alg twice, none first": lambda m: m.signed(b'{"alg":"none",' + plain(m.header())[1:]),
    "kid twice, a strange one first": lambda m: m.signed(b'{"kid":"x",' + plain(m.header())[1:]),
    "kid twice, a strange one last": lambda m: m.signed(plain(m.header())[:-1] + b',"kid":"x"}'),
}

# --- claims: all signed with the service's own key ---------------------------------------------

REQUIRED: Final = ("iss", "aud", "sub", "client_id", "scope", "jti", "iat", "exp")


def _now() -> int:
    return int(time.time())


def _raw(mint: Mint, name: str, text: bytes) -> str:
    """Return a token in which a claim stands as this very JSON text."""
    body = plain(mint.claims(**{name: None}))
    return mint.signed(claims=body[:-1] + f',"{name}":'.encode() + text + b"}")


CLAIMS: Final[dict[str, Forge]] = {
    **{f"no {name}": lambda m, name=name: m.claiming(**{name: None}) for name in REQUIRED},  # type: ignore[misc]
    **{
        f"{name} {text.decode()[:20]}": lambda m, name=name, text=text: _raw(m, name, text)  # type: ignore[misc]
        for name in REQUIRED
        for text in (b"null", b"true", b"false", b"[]", b"{}", b"NaN", b"Infinity", b"1e400")
    },
    **{
        f"{name} as text": lambda m, name=name: m.claiming(**{name: str(m.claims()[name])})  # type: ignore[misc]
        for name in ("iat", "exp")
    },
    **{
        f"{name} as float": lambda m, name=name: m.claiming(**{name: float(m.claims()[name])})  # type: ignore[misc]
        for name in ("iat", "exp")
    },
    **{f"{name} 7": lambda m, name=name: m.claiming(**{name: 7}) for name in REQUIRED[:6]},  # type: ignore[misc]
    **{f"{name} -1": lambda m, name=name: m.claiming(**{name: -1}) for name in REQUIRED},  # type: ignore[misc]
    **{
        f"{name} of 4,000 digits": lambda m, name=name: _raw(m, name, b"9" * 2_000)  # type: ignore[misc]
        for name in ("iat", "exp")
    },
    **{
        f"{name} a list": lambda m, name=name: m.claiming(**{name: [m.claims()[name]]})  # type: ignore[misc]
        for name in REQUIRED
    },
    "aud one of two": lambda m: m.claiming(aud=[m.issuer, "https://elsewhere.example.vn"]),
    "aud of another service": lambda m: m.claiming(aud="https://elsewhere.example.vn"),
    "aud empty": lambda m: m.claiming(aud=""),
    "aud with a slash": lambda m: m.claiming(aud=m.issuer + "/"),
    "iss of another service": lambda m: m.claiming(iss="https://elsewhere.example.vn"),
    "iss with a slash": lambda m: m.claiming(iss=m.issuer + "/"),
    "iss in upper case": lambda m: m.claiming(iss=m.issuer.upper()),
    "iss empty": lambda m: m.claiming(iss=""),
    "expired long ago": lambda m: m.claiming(iat=_now() - 5_000, exp=_now() - 4_100),
    "expired a minute ago": lambda m: m.claiming(iat=_now() - 960, exp=_now() - 60),
    "not yet issued": lambda m: m.claiming(iat=_now() + 60, exp=_now() + 960),
    "issued next year": lambda m: m.claiming(iat=_now() + 31_536_000, exp=_now() + 31_536_900),
    "one second longer": lambda m: m.claiming(exp=_now() + LIFETIME + 1, iat=_now()),
    "a day longer": lambda m: m.claiming(exp=_now() + 86_400),
    "one second shorter": lambda m: m.claiming(exp=_now() + LIFETIME - 1, iat=_now()),
    "exp before iat": lambda m: m.claiming(exp=_now() - 1, iat=_now()),
    "issued a century ago, ends now": lambda m: m.claiming(iat=1),
    "sub of another client": lambda m: m.claiming(sub="ntm-0000000000000000"),
    "client_id of another client": lambda m: m.claiming(client_id="ntm-0000000000000000"),
    "nbf": lambda m: m.claiming(nbf=_now()),
    "nbf in the future": lambda m: m.claiming(nbf=_now() + 600),
    "an extra claim": lambda m: m.claiming(admin=True),
    "a claim for a territory": lambda m: m.claiming(territory="VN"),
    "azp": lambda m: m.claiming(azp=m.client_id),
    "cnf": lambda m: m.claiming(cnf={"jkt": "x"}),
    "NUL in sub and client_id": lambda m: m.claiming(
        sub=m.client_id + "\0", client_id=m.client_id + "\0"
    ),
    "nobody's client": lambda m: m.claiming(
        sub="ntm-0000000000000000", client_id="ntm-0000000000000000"
    ),
    "a list of claims": lambda m: m.signed(claims=[m.claims()]),
    "no claims": lambda m: m.signed(claims=b"{}"),
    "claims null": lambda m: m.signed(claims=b"null"),
    "claims not JSON": lambda m: m.signed(claims=b"iss"),
    "claims not UTF-8": lambda m: m.signed(claims=b'{"iss":"\xff"}'),
    "claims empty": lambda m: m.signed(claims=b""),
    "claims 600 deep": lambda m: m.signed(claims=nested(600)),
    "two sets of claims": lambda m: m.signed(claims=plain(m.claims()) * 2),
    "exp twice": lambda m: m.signed(claims=b'{"exp":1,' + plain(m.claims())[1:]),
    "client_id twice": lambda m: m.signed(
        claims=b'{"client_id":"ntm-0000000000000000",' + plain(m.claims())[1:]
    ),
}

# --- spellings of a good token -----------------------------------------------------------------


def _unused_bits(token: str) -> str:
    """Return the same bytes in base64url whose unused last bits are not zero."""
    last = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    return token[:-1] + last[last.index(token[-1]) + 1]


def _with_sign(mint: Mint, sign: str) -> str:
    """Return a good token whose signature has this character of base64url."""
    while True:
        token = mint.signed()
        if sign in token.rpartition(".")[2]:
            return token


SPELLINGS: Final[dict[str, Forge]] = {
    "empty": lambda m: "",
    "two dots": lambda m: "..",
    "a word": lambda m: "token",
    "two parts": lambda m: m.signed().rpartition(".")[0],
    "four parts": lambda m: m.signed() + ".",
    "five parts, like JWE": lambda m: m.signed() + ".AAAA.AAAA",
    "padding at the end": lambda m: m.signed() + "==",
    "padding in the header": lambda m: m.signed().replace(".", "=.", 1),
    "unused bits": lambda m: _unused_bits(m.signed()),
    "plus for minus": lambda m: _with_sign(m, "-").replace("-", "+"),
    "slash for underscore": lambda m: _with_sign(m, "_").replace("_", "/"),
    "lower case": lambda m: m.signed().lower(),
    "upper case": lambda m: m.signed().upper(),
    "a blank before": lambda m: " " + m.signed(),
    "a blank after": lambda m: m.signed() + " ",
    "a tab after": lambda m: m.signed() + "\t",
    "a line end after": lambda m: m.signed() + "\n",
    "a blank within": lambda m: m.signed()[:50] + " " + m.signed()[50:],
    "a line end within": lambda m: m.signed()[:50] + "\r\n" + m.signed()[50:],
    "NUL after": lambda m: m.signed() + "\0",
    "NUL within": lambda m: m.signed()[:50] + "\0" + m.signed()[50:],
    "quoted": lambda m: f'"{m.signed()}"',
    "percent-encoded": lambda m: m.signed().replace(".", "%2E"),
    "a full-width dot": lambda m: m.signed().replace(".", "．"),
    "two tokens": lambda m: m.signed() + "," + m.signed(),
    "a parameter after": lambda m: m.signed() + ", realm=x",
    "8 KB": lambda m: m.claiming(jti="x" * 6_000),
    "8 KB of letters": lambda m: "A" * 8_192,
    "1 MB": lambda m: m.signed() + "A" * 1_000_000,
    "a serialised object": lambda m: '{"payload":"","signatures":[]}',
}

ATTACKS: Final[dict[str, Forge]] = {
    f"{group}: {name}": forge
    for group, table in (
        ("signature", UNSIGNED),
        ("header", HEADERS),
        ("claims", CLAIMS),
        ("spelling", SPELLINGS),
    )
    for name, forge in table.items()
}


def _sha256() -> Any:
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415

    return hashes.SHA256()


@pytest.fixture
async def member(join: Join) -> Member:
    """A client with every scope in the whole nation."""
    return await join("VN")


@pytest.fixture
def mint(service: FastAPI, member: Member) -> Mint:
    """What good tokens of the running service are made of."""
    tokens: Tokens = service.state.tokens
    return Mint(tokens.issuer, tokens.keys.current(), member.client_id)


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    """Tokens of a service of one's own, without HTTP."""
    return Tokens(SigningKeys(tmp_path / "keys.json"), HERE)


@pytest.fixture
def alone(tokens: Tokens) -> Mint:
    """What good tokens of that service are made of."""
    return Mint(HERE, tokens.keys.current(), "ntm-0123456789abcdef")


def bearer(token: str, kind: str = "Bearer") -> list[tuple[bytes, bytes]]:
    """Return the header as bytes, so that nothing on the way mends it."""
    return [(b"authorization", f"{kind} {token}".encode())]


async def refused(
    stranger: httpx.AsyncClient, headers: list[tuple[bytes, bytes]], path: str = PLACE
) -> httpx.Response:
    """Call with these headers; fail unless the answer is the one for nobody."""
    answer = await stranger.get(path, headers=headers)
    assert answer.status_code == 401, answer.text[:300]
    assert problem(answer)["code"] == "invalid-token"
    nobody = await stranger.get(path)
    assert answer.content == nobody.content
    assert answer.headers["www-authenticate"] == 'Bearer realm="ntm", error="invalid_token"'
    assert nobody.headers["www-authenticate"] == 'Bearer realm="ntm"'
    rest = {name: value for name, value in lasting(answer).items() if name != "www-authenticate"}
    assert rest == {n: v for n, v in lasting(nobody).items() if n != "www-authenticate"}
    return answer


# --- controls: what is let in ------------------------------------------------------------------


async def test_a_token_of_the_service_is_let_in(
    service: FastAPI, stranger: httpx.AsyncClient, member: Member
) -> None:
    token = service.state.tokens.issue(member.client_id, ["read"])
    assert (await stranger.get(PLACE, headers=bearer(token))).status_code == 200


async def test_control_what_the_forger_makes_unchanged_is_let_in(
    stranger: httpx.AsyncClient, mint: Mint
) -> None:
    for token in (mint.signed(), mint.claiming(), mint.heading(), _with_sign(mint, "-")):
        assert (await stranger.get(PLACE, headers=bearer(token))).status_code == 200


@pytest.mark.parametrize("kind", ["Bearer", "bearer", "BEARER", "bEARER"])
async def test_the_word_bearer_may_be_written_in_any_case(
    stranger: httpx.AsyncClient, mint: Mint, kind: str
) -> None:
    assert (await stranger.get(PLACE, headers=bearer(mint.signed(), kind))).status_code == 200


@pytest.mark.parametrize("shift", [-885, -15, 15])
def test_clocks_may_differ_by_half_a_minute(tokens: Tokens, alone: Mint, shift: int) -> None:
    issued = _now() + shift
    assert tokens.verify(alone.claiming(iat=issued, exp=issued + LIFETIME)) is not None


def test_half_a_minute_after_its_end_a_token_may_still_arrive(tokens: Tokens, alone: Mint) -> None:
    assert tokens.verify(alone.claiming(iat=_now() - 915, exp=_now() - 15)) is not None


def test_a_token_says_its_client_its_scopes_and_its_end(tokens: Tokens, alone: Mint) -> None:
    claims = alone.claims(scope="read values:write")
    grant = tokens.verify(alone.signed(claims=claims))
    assert grant is not None
    assert grant.client_id == alone.client_id
    assert grant.scopes == {"read", "values:write"}
    assert grant.until == claims["exp"]


def test_a_token_without_scopes_grants_nothing(tokens: Tokens, alone: Mint) -> None:
    grant = tokens.verify(alone.claiming(scope=""))
    assert grant is not None
    assert grant.scopes == frozenset()


def test_the_other_signature_of_the_same_key_says_nothing_else(tokens: Tokens, alone: Mint) -> None:
    token = alone.signed()
    assert alone.mirrored(token) != token
    assert tokens.verify(alone.mirrored(token)) in (None, tokens.verify(token))


# --- attacks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ATTACKS)
async def test_a_forged_token_is_refused_with_one_constant_answer(
    stranger: httpx.AsyncClient, mint: Mint, name: str
) -> None:
    await refused(stranger, bearer(ATTACKS[name](mint)))


@pytest.mark.parametrize("name", ATTACKS)
def test_a_forged_token_is_refused_twice_as_it_is_once(
    tokens: Tokens, alone: Mint, name: str
) -> None:
    if name == "claims: nobody's client":
        return  # that is for the database to say
    token = ATTACKS[name](alone)
    assert tokens.verify(alone.signed()) is not None
    assert tokens.verify(token) is None
    assert tokens.verify(token) is None


def test_a_lone_surrogate_in_a_token_is_refused(tokens: Tokens, alone: Mint) -> None:
    assert tokens.verify(alone.signed() + "\ud800") is None
    assert tokens.verify("\udcff.\udcff.\udcff") is None


@pytest.mark.parametrize(
    "kind", ["Basic", "Digest", "Token", "JWT", "DPoP", "Bearer:", "Bearer,", "Bear", "", "Bearer "]
)
async def test_a_good_token_of_another_kind_is_refused(
    stranger: httpx.AsyncClient, mint: Mint, kind: str
) -> None:
    await refused(stranger, bearer(mint.signed(), kind))


async def test_a_token_without_the_word_bearer_is_refused(
    stranger: httpx.AsyncClient, mint: Mint
) -> None:
    await refused(stranger, [(b"authorization", mint.signed().encode())])
    await refused(stranger, [(b"authorization", b"Bearer\t" + mint.signed().encode())])
    await refused(stranger, [(b"authorization", b"")])


async def test_client_id_and_secret_are_no_token(
    stranger: httpx.AsyncClient, member: Member
) -> None:
    await refused(stranger, bearer(member.secret))
    pair = httpx.BasicAuth(member.client_id, member.secret)
    sent = next(pair.auth_flow(httpx.Request("GET", HERE))).headers["authorization"]
    await refused(stranger, [(b"authorization", sent.encode())])


async def test_two_authorization_headers_are_refused_even_when_both_are_good(
    stranger: httpx.AsyncClient, mint: Mint
) -> None:
    good = bearer(mint.signed())
    await refused(stranger, good + good)
    await refused(stranger, good + bearer("x"))
    await refused(stranger, bearer("x") + good)


@pytest.mark.parametrize("name", ["access_token", "token", "authorization", "bearer"])
async def test_a_token_in_the_address_counts_for_nothing(
    stranger: httpx.AsyncClient, mint: Mint, name: str
) -> None:
    token = mint.signed()
    bare = await stranger.get(PLACE, params={name: token})
    assert problem(bare)["code"] == "invalid-token"
    with_header = await stranger.get(PLACE, params={name: token}, headers=bearer(token))
    assert with_header.status_code == 422
    assert problem(with_header)["code"] == "unknown-field"
    assert token not in with_header.text


@pytest.mark.parametrize("where", ["cookie", "x-access-token", "proxy-authorization", "x-api-key"])
async def test_a_token_in_another_header_counts_for_nothing(
    stranger: httpx.AsyncClient, mint: Mint, where: str
) -> None:
    for value in (mint.signed(), f"Bearer {mint.signed()}", f"access_token={mint.signed()}"):
        answer = await stranger.get(PLACE, headers={where: value})
        assert problem(answer)["code"] == "invalid-token"


async def test_a_refusal_in_english_is_constant_too(
    stranger: httpx.AsyncClient, mint: Mint
) -> None:
    bodies = set()
    for name in ("header: jku", "claims: no exp", "spelling: empty", "signature: RS256"):
        headers = [*bearer(ATTACKS[name](mint)), (b"accept-language", b"en")]
        answer = await stranger.get(PLACE, headers=headers)
        assert problem(answer, "en")["status"] == 401
        bodies.add(answer.content)
    assert len(bodies) == 1


async def test_who_is_nobody_learns_nothing_of_what_else_is_wrong(
    stranger: httpx.AsyncClient,
) -> None:
    for method, path in (
        ("GET", "/v1/clients?limit=wrong"),
        ("GET", "/v1/clients/not-an-id"),
        ("POST", "/v1/clients"),
        ("PUT", "/v1/communes/1/attributes/x"),
        ("GET", "/v1/indicators?unknown=1"),
    ):
        answer = await stranger.request(method, path, content=b"{broken")
        assert problem(answer)["code"] == "invalid-token", path


@pytest.fixture
def trap() -> Iterator[tuple[str, socket.socket]]:
    """An address at which nobody must ever call, and what would notice it."""
    with socket.create_server(("127.0.0.1", 0)) as line:
        line.setblocking(False)
        yield f"http://127.0.0.1:{line.getsockname()[1]}/keys.json", line


async def test_no_key_is_fetched_from_an_address_in_a_token(
    stranger: httpx.AsyncClient, mint: Mint, trap: tuple[str, socket.socket]
) -> None:
    address, line = trap
    for name in ("jku", "x5u", "kid", "iss"):
        for token in (
            mint.heading(**{name: address}),
            mint.signed(mint.header(**{name: address}), None, STRANGE),
            mint.signed(
                mint.header(kid=None, **{name: address} if name != "kid" else {}), None, STRANGE
            ),
            mint.claiming(iss=address),
        ):
            await refused(stranger, bearer(token))
    with pytest.raises(BlockingIOError):
        line.accept()


# --- 20,000 damaged tokens ---------------------------------------------------------------------

DAMAGED: Final = 20_000
SAMPLE: Final = 400
_LETTERS: Final = string.ascii_letters + string.digits + "-_"
_OTHERS: Final = string.punctuation + " \t\r\n\0\x7f" + "éĐ．٣"


def _flip(text: str, dice: random.Random) -> str:
    at = dice.randrange(len(text))
    return text[:at] + dice.choice(_LETTERS + _OTHERS) + text[at + 1 :]


def _insert(text: str, dice: random.Random) -> str:
    at = dice.randrange(len(text) + 1)
    return text[:at] + dice.choice(_LETTERS + _OTHERS) * dice.randint(1, 3) + text[at:]


def _delete(text: str, dice: random.Random) -> str:
    at = dice.randrange(len(text))
    return text[:at] + text[at + dice.randint(1, 4) :]


def _swap(text: str, dice: random.Random) -> str:
    if len(text) < 2:
        return text
    one, two = sorted(dice.sample(range(len(text)), 2))
    return text[:one] + text[two] + text[one + 1 : two] + text[one] + text[two + 1 :]


def _truncate(text: str, dice: random.Random) -> str:
    at = dice.randrange(len(text))
    return text[at:] if dice.random() < 0.3 else text[:at]


def _case(text: str, dice: random.Random) -> str:
    at = dice.randrange(len(text))
    end = at + dice.randint(1, 40)
    return text[:at] + text[at:end].swapcase() + text[end:]


def _bit(text: str, dice: random.Random) -> str:
    at = dice.randrange(len(text))
    return text[:at] + chr(ord(text[at]) ^ (1 << dice.randrange(7))) + text[at + 1 :]


def _repeat(text: str, dice: random.Random) -> str:
    at = dice.randrange(len(text))
    return text[:at] + text[at : at + dice.randint(1, 60)] + text[at:]


_CHANGES: Final = (_flip, _insert, _delete, _swap, _truncate, _case, _bit, _repeat)


def _splice(valid: list[str], dice: random.Random) -> str:
    """Return parts of two valid tokens put together, as wholes or cut anywhere."""
    one, two = valid
    if dice.random() < 0.5:
        parts = [dice.choice(pair) for pair in zip(one.split("."), two.split("."), strict=True)]
        dice.shuffle(parts)
        return ".".join(parts[: dice.choice((2, 3, 3, 3))])
    return one[: dice.randrange(len(one))] + two[dice.randrange(len(two)) :]


def damaged(valid: list[str], count: int, seed: int) -> Iterator[str]:
    """Yield tokens that are almost one of the valid ones."""
    dice = random.Random(seed)
    made = 0
    while made < count:
        if dice.random() < 0.15:
            text = _splice(dice.sample(valid, 2), dice)
        else:
            text = dice.choice(valid)
            for _ in range(dice.choice((1, 1, 1, 2, 4))):
                text = dice.choice(_CHANGES)(text, dice) if text else text
        if text not in valid:
            made += 1
            yield text


def test_no_damaged_token_of_20_000_is_let_in(tokens: Tokens, alone: Mint) -> None:
    scopes = ("read", "read values:write", "clients:admin read values:write", "")
    valid = [alone.claiming(scope=scope, jti=f"token-{n}") for n, scope in enumerate(scopes)]
    assert all(tokens.verify(one) for one in valid)
    let_in = [one for one in damaged(valid, DAMAGED, seed=20_260) if tokens.verify(one)]
    assert let_in == []
    assert all(tokens.verify(one) for one in valid)


async def test_no_damaged_token_of_400_is_let_in_over_http(
    stranger: httpx.AsyncClient, mint: Mint
) -> None:
    valid = [mint.claiming(jti=f"token-{n}") for n in range(3)]
    nobody = await stranger.get(PLACE)
    for one in damaged(valid, SAMPLE, seed=4_711):
        answer = await stranger.get(PLACE, headers=bearer(one))
        assert (answer.status_code, answer.content) == (401, nobody.content), one
    for one in valid:
        assert (await stranger.get(PLACE, headers=bearer(one))).status_code == 200


# --- life of a token ---------------------------------------------------------------------------


def test_a_token_ends_though_it_was_let_in_a_moment_before(
    tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tokens.issue("ntm-0123456789abcdef", ["read"])
    assert tokens.verify(token) is not None
    later = time.time() + LIFETIME + 60
    monkeypatch.setattr("app.api.tokens.time", SimpleNamespace(time=lambda: later))
    assert tokens.verify(token) is None


def test_a_token_of_a_key_that_is_gone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    tokens = Tokens(SigningKeys(path), HERE)
    token = tokens.issue("ntm-0123456789abcdef", ["read"])
    assert tokens.verify(token) is not None
    other = tmp_path / "other.json"
    SigningKeys(other)
    other.replace(path)
    assert tokens.verify(token) is None


def test_a_token_of_another_service_with_the_same_name_is_refused(
    tokens: Tokens, tmp_path: Path
) -> None:
    other = Tokens(SigningKeys(tmp_path / "other.json"), HERE)
    assert tokens.verify(other.issue("ntm-0123456789abcdef", ["read"])) is None


def test_a_token_of_the_same_key_for_another_service_is_refused(
    tokens: Tokens, tmp_path: Path
) -> None:
    other = Tokens(SigningKeys(tmp_path / "keys.json"), "https://elsewhere.example.vn")
    assert tokens.verify(other.issue("ntm-0123456789abcdef", ["read"])) is None


def test_verifying_more_tokens_than_are_remembered_forgets_none(
    tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.api.tokens._KEPT", 5)
    made = [tokens.issue("ntm-0123456789abcdef", ["read"]) for _ in range(17)]
    assert all(tokens.verify(one) for one in made)
    assert all(tokens.verify(one) for one in reversed(made))


async def test_a_token_never_grants_more_than_its_client_has(service: FastAPI, join: Join) -> None:
    reader = await join("VN", "read")
    everything = service.state.tokens.issue(reader.client_id, ["read", "clients:admin"])
    async with calling(service, token=everything) as caller:
        assert (await caller.get(PLACE)).status_code == 200
        answer = await caller.get("/v1/clients")
    assert problem(answer)["code"] == "insufficient-scope"
    assert 'scope="clients:admin"' in answer.headers["www-authenticate"]


async def test_a_token_grants_no_more_than_it_asked_for(service: FastAPI, member: Member) -> None:
    token = service.state.tokens.issue(member.client_id, ["values:write"])
    async with calling(service, token=token) as caller:
        answer = await caller.get(PLACE)
    assert answer.status_code == 403
    assert problem(answer)["code"] == "insufficient-scope"


# --- form (RFC 9068) ---------------------------------------------------------------------------


def test_a_token_has_the_form_of_rfc_9068(tokens: Tokens) -> None:
    token = tokens.issue("ntm-0123456789abcdef", ["values:write", "read"])
    assert jwt.get_unverified_header(token) == {
        "typ": "at+jwt",
        "alg": "ES256",
        "kid": tokens.keys.current().kid,
    }
    claims = jwt.decode(token, options={"verify_signature": False})
    assert set(claims) == set(REQUIRED)
    assert claims["iss"] == claims["aud"] == HERE
    assert claims["sub"] == claims["client_id"] == "ntm-0123456789abcdef"
    assert claims["scope"] == "read values:write"
    assert type(claims["iat"]) is type(claims["exp"]) is int
    assert claims["exp"] - claims["iat"] == 900
    assert len(claims["jti"]) >= 20


def test_no_two_tokens_have_the_same_number(tokens: Tokens) -> None:
    made = {tokens.issue("ntm-0123456789abcdef", ["read"]) for _ in range(200)}
    numbers = {jwt.decode(one, options={"verify_signature": False})["jti"] for one in made}
    assert len(numbers) == len(made) == 200


async def test_others_can_verify_a_token_with_the_published_keys_alone(
    service: FastAPI, stranger: httpx.AsyncClient, member: Member
) -> None:
    token = service.state.tokens.issue(member.client_id, ["read"])
    metadata = (await stranger.get("/.well-known/oauth-authorization-server")).json()
    keys = jwt.PyJWKSet.from_dict((await stranger.get(metadata["jwks_uri"])).json())
    kid = jwt.get_unverified_header(token)["kid"]
    claims = jwt.decode(
        token,
        next(one for one in keys.keys if one.key_id == kid),
        algorithms=["ES256"],
        audience=metadata["issuer"],
        issuer=metadata["issuer"],
        options={"require": list(REQUIRED)},
    )
    assert claims["client_id"] == member.client_id


def test_the_forgers_signature_is_one_that_others_accept(alone: Mint) -> None:
    key = jwt.PyJWK(alone.key.public())
    options: Any = {"verify_aud": False}
    assert jwt.decode(alone.signed(), key, algorithms=["ES256"], options=options)
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(alone.signed(key=STRANGE), key, algorithms=["ES256"], options=options)
    assert len(ecdsa(STRANGE, b"x")) == 64
