"""The upload endpoint: a load job that brings its file, in one multipart request or in pieces."""
from __future__ import annotations

import asyncio
import mmap
import re
import tempfile
import uuid
from pathlib import Path
from typing import NamedTuple

from .errors import ApiError, unsupported
from .rest import Base


class UploadHandler(Base):
    """/upload/bigquery/v2/projects/P/jobs: a load job that brings its file, at once or in pieces.

    The file goes to disk as it arrives. Resumable sessions end with the upload or the process.
    """

    sessions: dict[str, "Session"] = {}

    def prepare(self) -> None:
        self.received = tempfile.NamedTemporaryFile(dir=self.emulator.lake.path, prefix="upload-", delete=False)
        super().prepare()

    def keep(self, chunk: bytes) -> None:
        self.received.write(chunk)

    def on_finish(self) -> None:
        self.received.close()
        Path(self.received.name).unlink(missing_ok=True)

    async def post(self, path: str) -> None:
        self.received.close()
        kind = self.get_query_argument("uploadType", "multipart")
        if kind == "multipart":
            await self.answer(lambda: self.multipart(path))
        elif kind == "resumable":
            self.begin(path)
        else:
            self.render_error(unsupported(f"uploadType={kind}"))

    async def multipart(self, path: str) -> dict:
        self.check_received()
        boundary = re.search(r'boundary="?([^";]+)"?', self.request.headers.get("Content-Type", ""))
        if not boundary:
            raise ApiError("badRequest", "A multipart upload needs a Content-Type with its boundary.")
        source = Path(self.received.name)
        metadata, media = await asyncio.get_running_loop().run_in_executor(
            self.emulator.pool, split_multipart, source, boundary[1].encode())
        return await self.start_job(metadata, media, path)

    async def start_job(self, metadata: bytes, media: Path, path: str) -> dict:
        try:
            return await self.call(metadata, "POST", path, {"_upload": media})
        except BaseException:
            media.unlink(missing_ok=True)
            raise

    def begin(self, path: str) -> None:
        """Open a resumable session: the metadata now, the file by PUTs to the address in Location."""
        session = uuid.uuid4().hex
        file = tempfile.NamedTemporaryFile(dir=self.emulator.lake.path, prefix="upload-", delete=False)
        self.sessions[session] = Session(Path(self.received.name).read_bytes(), file)
        self.set_header("Location", f"{self.emulator.url}{self.request.path}?uploadType=resumable&upload_id={session}")
        self.finish()

    async def put(self, path: str) -> None:
        self.received.close()
        session = self.sessions.get(self.get_query_argument("upload_id", ""))
        if session is None:
            self.render_error(ApiError("notFound", "Not found: the upload session; begin the upload again."))
            return
        await self.answer(lambda: self.proceed(session, path))

    async def proceed(self, session: "Session", path: str) -> dict | None:
        """Take a piece of the file; the job once it is whole, else 308 with what has arrived."""
        self.check_received()
        content = re.fullmatch(r"bytes (?:(\d+)-(\d+|\*)|\*)/(\d+|\*)", self.request.headers.get("Content-Range", "bytes */*"))
        if not content:
            raise ApiError("badRequest", f"Invalid Content-Range: {self.request.headers['Content-Range']}")
        plain = "Content-Range" not in self.request.headers
        to_the_end = plain or content[2] == "*"  # a stream of a length that was not known
        start = 0 if plain else int(content[1] or session.size)
        if start > session.size:
            raise ApiError("badRequest", f"The upload has {session.size} bytes; a piece that begins at byte {start} leaves a gap.")
        session.take(Path(self.received.name), start)
        if not to_the_end and (content[3] == "*" or session.size < int(content[3])):
            return self.incomplete(session)
        session.file.close()
        self.sessions.pop(self.get_query_argument("upload_id"))
        return await self.start_job(session.metadata, Path(session.file.name), path)

    def incomplete(self, session: "Session") -> None:
        self.set_status(308, "Resume Incomplete")
        if session.size:
            self.set_header("Range", f"bytes=0-{session.size - 1}")
        self.finish()

    def render(self, body: dict | None, code: int = 200, fields: str = "") -> None:
        if body is not None:
            super().render(body, code, fields)


class Session(NamedTuple):
    """A resumable upload: the job's JSON, and the file so far."""

    metadata: bytes
    file: object

    @property
    def size(self) -> int:
        return self.file.seek(0, 2)

    def take(self, piece: Path, start: int) -> None:
        self.file.seek(start)
        with piece.open("rb") as source:
            while chunk := source.read(1 << 20):
                self.file.write(chunk)
        self.file.flush()


def split_multipart(source: Path, boundary: bytes) -> tuple[bytes, Path]:
    """The two parts of a multipart/related body: the job's JSON, and the media as a file of its own."""
    if not source.stat().st_size:
        raise ApiError("badRequest", "The multipart upload is empty.")
    with source.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as body:
        mark = b"--" + boundary
        first = body.find(mark)
        second = body.find(b"\n" + mark, first + 1)
        last = body.rfind(b"\n" + mark)
        if min(first, second) < 0 or last <= second:
            raise ApiError("badRequest", "A multipart upload has two parts: the job's JSON and the file.")
        metadata = _content(body, first, second)
        begin = _content_start(body, second + 1)
        end = last - 1 if body[last - 1:last] == b"\r" else last
        with tempfile.NamedTemporaryFile(dir=source.parent, prefix="upload-", delete=False) as media:
            for position in range(begin, end, 1 << 20):
                media.write(body[position:min(position + (1 << 20), end)])
    return metadata, Path(media.name)


def _content_start(body, part: int) -> int:
    """Where a part's content begins: after its headers' empty line."""
    starts = [at + len(gap) for gap in (b"\r\n\r\n", b"\n\n") if (at := body.find(gap, part)) >= 0]
    return min(starts) if starts else part


def _content(body, start: int, end: int) -> bytes:
    return body[_content_start(body, start):end].rstrip(b"\r\n")
