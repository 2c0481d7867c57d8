"""The REST surface: METHODS, the one Tornado handler, who calls, `fields`, and how an error is shown."""
from __future__ import annotations

import asyncio
import base64
import binascii
import gzip
import inspect
import json
import logging
import re
import zlib
from typing import Callable, NamedTuple
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

import tornado.web

from . import datasets, discovery, iam, jobs, messages, models, projects, routines, row_access, tabledata, tables
from .calls import Call, Emulator, Method
from .errors import ApiError, unsupported

log = logging.getLogger(__name__)

# Every REST method there is.
METHODS: list[Method] = [
    function.method
    for module in (projects, datasets, tables, tabledata, row_access, routines, models, jobs)
    for function in vars(module).values()
    if isinstance(getattr(function, "method", None), Method)
]
UNZIPPED = 64 * 1024  # bytes of a zipped body that are unzipped at a time
GZIP_LEVEL = 1
MAX_DEPTH = 100  # of a JSON body, as Google's parsers have it
MAX_BODY = 64 * 1024 * 1024  # a JSON body; files come by upload, which has no such limit
LOCAL = re.compile(r"(localhost|127(\.\d+){3}|\[::1\])(:\d+)?", re.IGNORECASE)
UNKNOWN_PROJECT = "{{projectId}}"  # Node's client, before it has read its environment


def stranger(host: str, own: str, origin: str | None) -> str | None:
    """Why a request is refused, if it is: a page in a browser sent it, perhaps led here by a name of its own (DNS rebinding).

    host: as its header has it; own: the name that the emulator listens under.
    """
    name = re.sub(r":\d+$", "", host)
    if not LOCAL.fullmatch(host) and name.strip("[]").lower() != own.lower():
        return f"The emulator does not answer to the name {name}: start it with --host {name} if that is its own."
    return "The emulator does not answer pages in a browser." if origin else None


TOO_DEEP = ApiError("parseError", "Invalid JSON payload received. Message too deep. Max recursion depth reached.")


class Route(NamedTuple):
    pattern: re.Pattern
    method: Method


def compile_routes() -> dict[str, list[Route]]:
    routes: dict[str, list[Route]] = {}
    for method in METHODS:
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/:]+)", method.path)
        routes.setdefault(method.verb, []).append(Route(re.compile(pattern), method))
    return routes


ROUTES = compile_routes()


def find(verb: str, path: str) -> tuple[Method, dict[str, str]]:
    """The method at a path below /bigquery/v2/, and the decoded names in it; ApiError where there is none."""
    for route in ROUTES.get(verb, ()):
        if match := route.pattern.fullmatch(path):
            return route.method, {name: unquote(text) for name, text in match.groupdict().items()}
    allowed = [other for other, routes in ROUTES.items() if any(route.pattern.fullmatch(path) for route in routes)]
    if allowed:
        raise ApiError("methodNotAllowed", f"{verb} is not possible here; {' and '.join(allowed)} is.")
    raise ApiError("notFound", f"Not found: {verb} {unquote(path)}. BigQuery has no such method.")


# Partial answers ----------------------------------------------------------------------------------

def parse_fields(text: str) -> dict:
    """`a,b/c,d(e,f)` as {"a": {}, "b": {"c": {}}, "d": {"e": {}, "f": {}}}; ApiError for a malformed one."""
    tokens = re.findall(r"[^,()/]+|[,()/]", text)
    position = 0

    def selection() -> dict:
        nonlocal position
        wanted: dict = {}
        while position < len(tokens) and tokens[position] != ")":
            if tokens[position] == ",":
                position += 1
                continue
            path(wanted)
        return wanted

    def path(wanted: dict) -> None:
        nonlocal position
        if tokens[position] in ",()/":
            raise IndexError
        inner = wanted.setdefault(tokens[position].strip(), {})
        position += 1
        if position < len(tokens) and tokens[position] == "/":
            position += 1
            path(inner)
        elif position < len(tokens) and tokens[position] == "(":
            position += 1
            inner.update(selection())
            position += 1

    try:
        wanted = selection()
        if position != len(tokens):
            raise IndexError
        return wanted
    except (IndexError, RecursionError):
        raise ApiError("invalidParameter", f"Invalid field selection {text}", "fields") from None


def select(value, wanted: dict):
    """The part of an answer that `fields` asks for."""
    if not wanted or "*" in wanted:
        return value
    if isinstance(value, list):
        return [select(item, wanted) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: select(item, wanted[key]) for key, item in value.items() if key in wanted}


def encode(body: dict, fields: str) -> bytes:
    """An answer as JSON; `rows` is a list of rows that DuckDB has printed already."""
    wanted = parse_fields(fields) if fields else {}
    rows = body.pop("rows", None)
    if wanted:
        body = select(body, wanted)
        if "rows" not in wanted and "*" not in wanted:
            rows = None
        elif rows and wanted.get("rows"):
            rows = [json.dumps(select(json.loads(row), wanted["rows"])) for row in rows]
    text = json.dumps(body, ensure_ascii=False)
    if rows:
        text = f"{text[:-1]}{', ' if body else ''}\"rows\": [{','.join(rows)}]}}"
    return text.encode()


# Who calls ----------------------------------------------------------------------------------------

TOKEN_PREFIX = "ya29.emulator."


def make_token(email: str) -> str:
    """The access token that stands for an e-mail address."""
    return TOKEN_PREFIX + base64.urlsafe_b64encode(email.encode()).decode().rstrip("=")


def principal_of(authorization: str | None, default: str) -> str:
    """The caller: named by the bearer token, which is one of ours or an e-mail address; else the default."""
    scheme, _, token = (authorization or "").partition(" ")
    if not token or scheme.lower() != "bearer":
        return default
    if "@" in token or not token.startswith(TOKEN_PREFIX):
        # A token from elsewhere can't be asked whose it is; it is as good as none.
        return token if "@" in token else default
    try:
        text = token.removeprefix(TOKEN_PREFIX)
        return base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True).decode() or default
    except (binascii.Error, UnicodeDecodeError):
        return default


# Handlers -----------------------------------------------------------------------------------------

@tornado.web.stream_request_body
class Base(tornado.web.RequestHandler):
    """What all handlers share: the emulator, its worker threads, loopback only, errors in BigQuery's form."""

    def initialize(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.chunks: list[bytes] = []
        self.size = 0
        zipped = self.request.headers.get("Content-Encoding", "").lower() == "gzip"
        self.unzip = zlib.decompressobj(zlib.MAX_WBITS | 16) if zipped else None
        self.broken = False  # zipped, and not as gzip has it

    def data_received(self, chunk: bytes) -> None:
        """Take a piece of the body. What is too much or broken is dropped: a client that is still sending can't read an answer."""
        if self.unzip is None:
            self.keep(chunk)
        while self.unzip and chunk and not self.broken:
            try:
                self.keep(self.unzip.decompress(chunk, UNZIPPED))
                chunk = self.unzip.unconsumed_tail
            except zlib.error:
                self.broken = True

    def keep(self, chunk: bytes) -> None:
        """A piece of the body, unzipped."""
        self.size += len(chunk)
        if self.size <= MAX_BODY:
            self.chunks.append(chunk)
        else:
            self.chunks.clear()

    def check_received(self) -> None:
        """ApiError badRequest for a body that says that it is zipped and isn't, or not all of it."""
        if self.unzip and (self.broken or not self.unzip.eof):
            raise ApiError("badRequest", "Invalid gzip content in the request's body.")

    def content(self) -> bytes:
        """The request's body; ApiError uploadTooLarge past MAX_BODY, badRequest where it can't be unzipped."""
        if self.size > MAX_BODY:
            raise ApiError("uploadTooLarge", f"Request payload size exceeds the limit: {MAX_BODY} bytes.")
        self.check_received()
        return b"".join(self.chunks)

    def prepare(self) -> None:
        headers = self.request.headers
        if refused := stranger(headers.get("Host", ""), urlsplit(self.emulator.url).hostname, headers.get("Origin")):
            # Its body is not read, so the connection can't be used again.
            self.set_header("Connection", "close")
            self.render_error(ApiError("forbidden", refused))

    def option(self, name: str) -> str:
        """A parameter that every method takes; each may also be written with a dollar sign."""
        return self.get_query_argument(name, "") or self.get_query_argument(f"${name}", "")

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        return value.decode(errors="replace")

    def compute_etag(self) -> None:
        return None

    def render(self, body: dict, code: int = 200, fields: str = "") -> None:
        content = encode(dict(body), fields)
        self.set_status(code)
        self.set_header("Content-Type", "application/json; charset=UTF-8")
        if "etag" in body:
            self.set_header("ETag", body["etag"])
        if self.option("prettyPrint").lower() == "true":
            content = json.dumps(json.loads(content), ensure_ascii=False, indent=2).encode()
        # Both headers, as Google's "Working with compressed data" has it; a client on the same machine is faster without.
        if "gzip" in self.request.headers.get("Accept-Encoding", "") and "gzip" in self.request.headers.get("User-Agent", ""):
            self.set_header("Content-Encoding", "gzip")
            content = gzip.compress(content, GZIP_LEVEL)
        self.finish(content)

    def render_error(self, error: ApiError) -> None:
        self.render(error.body, error.code)

    def write_error(self, status_code: int, **kwargs) -> None:
        error = kwargs.get("exc_info", (None, None))[1]
        self.set_header("Connection", "close")  # the body may not have been read
        if isinstance(error, tornado.web.HTTPError):
            self.render({"error": {"code": status_code, "message": error.log_message or self._reason, "errors": [
                {"message": error.log_message or self._reason, "domain": "global", "reason": "methodNotAllowed" if status_code == 405 else "badRequest"}],
                "status": "INVALID_ARGUMENT"}}, status_code)
        else:
            log.error("%s %s failed", self.request.method, self.request.path, exc_info=kwargs.get("exc_info"))
            self.render_error(ApiError("emulatorFault", f"A fault of the embedded BigQuery: {type(error).__name__}: {error}"))

    def log_exception(self, kind, error, trace) -> None:
        """Tornado's log of exceptions; write_error has said what there is to say."""

    async def answer(self, work: Callable[[], "asyncio.Future | dict"]) -> None:
        """Do the work and render what it gives, or the ApiError it raises."""
        try:
            self.render(await work(), fields=self.option("fields"))
        except ApiError as error:
            self.render_error(error)

    async def call(self, body_text: bytes, verb: str, path: str, extra: dict | None = None) -> dict:
        """Find the method, check body, parameters and permission, and run it where it belongs."""
        method, params = find(verb, path)
        if params.get("projectId") == UNKNOWN_PROJECT:
            params["projectId"] = self.emulator.project
        query = messages.check_parameters(method.query, parse_qsl(self.request.query, keep_blank_values=True))
        for name in ("alt", "callback"):
            if (text := self.option(name)) not in ("", "json"):
                raise unsupported(f"answers with {name}={text}")
        call = Call(
            emulator=self.emulator,
            principal=principal_of(self.request.headers.get("Authorization"), self.emulator.principal),
            params=params, query=query, body=read_body(method, body_text),
            if_match=self.request.headers.get("If-Match"))
        call.body.update(extra or {})
        authorize(call, method)
        if inspect.iscoroutinefunction(method.function):
            return await method.function(call)
        return await asyncio.get_running_loop().run_in_executor(self.emulator.pool, method.function, call)


def read_body(method: Method, text: bytes) -> dict:
    if not method.request:
        return {}
    return messages.check(method.request, parse_json(text or b"{}"))


def parse_json(text: bytes):
    """A body as JSON has it, and no more: ApiError parseError for NaN, half of a surrogate pair, more than MAX_DEPTH levels."""
    try:
        body = json.loads(text, parse_constant=no_constant)
        if b"\\u" in text:
            json.dumps(body, ensure_ascii=False).encode()
    except ValueError as error:
        raise ApiError("parseError", f"Invalid JSON payload received. {error}") from None
    except RecursionError:
        raise TOO_DEEP from None
    level = [body] if isinstance(body, (dict, list)) else []
    for _ in range(MAX_DEPTH):
        level = [part for whole in level for part in (whole.values() if type(whole) is dict else whole) if type(part) is dict or type(part) is list]
    if level:
        raise TOO_DEEP
    return body


def no_constant(name: str):
    raise ValueError(f"Unexpected token: {name}")


def authorize(call: Call, method: Method) -> None:
    if method.permission and "projectId" in call.params:
        parts = [call.params.get(name) for name in ("projectId", "datasetId", "tableId", "routineId")]
        iam.require(call.emulator, call.principal, method.permission, tuple(part for part in parts if part))


class ApiHandler(Base):
    """/bigquery/v2/...: every method of METHODS."""

    async def handle(self, path: str) -> None:
        verb = self.request.headers.get("X-HTTP-Method-Override", self.request.method).upper()
        await self.answer(lambda: self.run(verb, path))

    async def run(self, verb: str, path: str) -> dict:
        return await self.call(self.content(), verb, path)

    get = post = put = patch = delete = handle

    def render(self, body: dict | None, code: int = 200, fields: str = "") -> None:
        if body is None:
            self.set_status(204)
            self.finish()
        elif code == 200 and self.request.method == "GET" and body.get("etag") in self.request.headers.get("If-None-Match", "").split(", "):
            self.set_header("ETag", body["etag"])
            self.set_status(304)
            self.finish()
        else:
            super().render(body, code, fields)


class DiscoveryHandler(Base):
    """/discovery/v1/apis/bigquery/v2/rest and /$discovery/rest: what this API has, for clients that ask."""

    def get(self) -> None:
        if (version := self.get_query_argument("version", "v2")) != "v2":
            self.render_error(ApiError("notFound", f"Not found: version {version} of the API; there is v2."))
        else:
            self.render(discovery.document(METHODS, f"{self.request.protocol}://{self.request.host}"))


class TokenHandler(Base):
    """/token: an access token for whoever a service account's signed assertion, or a user's refresh token, names."""

    def post(self) -> None:
        try:
            form = parse_qs(self.content().decode())
            email = form["refresh_token"][0] if "refresh_token" in form else named_in(form["assertion"][0])
        except (ApiError, IndexError, ValueError, KeyError):
            self.render({"error": "invalid_grant", "error_description": "A JWT assertion that names its issuer is expected."}, 400)
            return
        self.render({"access_token": make_token(email), "token_type": "Bearer", "expires_in": 3600})


def named_in(assertion: str) -> str:
    """The e-mail address in a signed JWT; IndexError, ValueError or KeyError where there is none."""
    payload = assertion.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims.get("sub") or claims["iss"]


class NotFoundHandler(Base):
    def handle(self) -> None:
        self.render_error(ApiError("notFound", f"Not found: {self.request.path}. BigQuery's REST API is under /bigquery/v2/."))

    get = post = put = patch = delete = handle
