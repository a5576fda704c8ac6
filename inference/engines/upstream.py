"""HTTP/1.1 to an upstream over kept connections: the answer whole, or its bytes as they come.

The parser is httptools' (llhttp, Node's): http.client reads headers with the e-mail parser, which costs as much as the
rest of a gateway's work, and it cannot wait for bytes with a deadline and then go on.
"""

from __future__ import annotations

import socket
import ssl
import struct
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import httptools

from inference.errors import Stopped

MOST_BYTES = 32 * 1024**2  # of a whole answer
MOST_KEPT = 512  # idle connections to one upstream
KEPT_S = 20.0  # servers close idle connections; most wait longer than this
READ = 65_536
CONNECT_S = 5.0
MOST_PAUSE_S = 3600.0  # an upstream may ask for
LOOK_S = 0.25  # how often a request that may be called off looks whether it was
# Every part that is passed on costs two turns at the interpreter's lock, whatever its size. Among many streams each
# therefore rests a little after a part, and finds more in the next one; a first part is never late.
EASY = 64  # streams that need no rest
REST_S, MOST_REST_S = 0.0003, 0.2  # for each stream more; at most


class UpstreamGone(Exception):
    """No connection, or one that broke. `timed_out`: the upstream was there and silent."""

    def __init__(self, timed_out: bool = False) -> None:
        super().__init__("timed out" if timed_out else "gone")
        self.timed_out = timed_out


class Connection:
    """A socket that blocks, for so long at most as the kernel was told.

    Python's own timeouts poll before each read: twice the calls, and twice the turns at the interpreter's lock.
    """

    def __init__(self, made: Any) -> None:
        made.settimeout(None)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = made
        self._patience = 0.0
        self.send, self.recv, self.close = made.sendall, made.recv, made.close

    def wait(self, seconds: float) -> None:
        """Sends and reads end after so many seconds without progress."""
        if seconds != self._patience:
            self._patience = seconds
            told = struct.pack("ll", int(seconds), int(seconds % 1 * 1e6) or 0)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, told)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, told)


class Answer:
    """One answer on a connection. Its callbacks are httptools' protocol."""

    def __init__(self, connection: Connection, ends: float, stop: Callable[[], bool] | None = None) -> None:
        self.connection = connection
        self._ends, self._stop = ends, stop
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self.headers: dict[str, str] = {}
        self.headed = self.done = self.begun = self.reusable = False

    @property
    def status(self) -> int:
        """The status code; after `head`."""
        return int(self._parser.get_status_code())

    @property
    def retry_after_s(self) -> float | None:
        """When to come back, where the upstream named seconds."""
        said = self.headers.get("retry-after", "").strip()
        return min(float(said), MOST_PAUSE_S) if said.isdecimal() else None

    def on_header(self, name: bytes, value: bytes) -> None:
        """httptools."""
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """httptools."""
        self.headed = self.status != 100

    def on_body(self, body: bytes) -> None:
        """httptools."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """httptools. Here it knows whether the connection can carry another request; afterwards it has forgotten."""
        self.done = self.headed
        self.reusable = self.done and bool(self._parser.should_keep_alive())

    def head(self) -> None:
        """Reads until the headers are there. Raises UpstreamGone, Stopped."""
        while not self.headed:
            self._feed_or_stop()

    def whole(self) -> bytes:
        """The body. Raises UpstreamGone, also for one larger than MOST_BYTES, and Stopped."""
        while not self.done:
            self._feed_or_stop()
            if sum(map(len, self._body)) > MOST_BYTES:
                raise UpstreamGone
        return b"".join(self._body)

    def parts(self, idle_s: float) -> Iterator[bytes]:
        """The body as it comes; b"" when nothing came for `idle_s`, so that the reader can look around.

        What lies in the socket comes in one part: a reader that is behind gets more at a time. Raises UpstreamGone.
        """
        self.connection.wait(idle_s)
        _crowd.add(self)
        try:
            while True:
                if self._body:
                    joined = self._body[0] if len(self._body) == 1 else b"".join(self._body)
                    self._body = []
                    yield joined
                    if len(_crowd) > EASY:
                        time.sleep(min((len(_crowd) - EASY) * REST_S, MOST_REST_S))
                if self.done:
                    return
                try:
                    self._feed()
                except UpstreamGone as gone:
                    if not gone.timed_out or time.monotonic() > self._ends:
                        raise
                    yield b""
        finally:
            _crowd.discard(self)

    def _feed_or_stop(self) -> None:
        while True:
            try:
                return self._feed()
            except UpstreamGone as gone:
                if self._stop is None or not gone.timed_out or time.monotonic() > self._ends:
                    raise
                if self._stop():
                    raise Stopped("This was called off before there was an answer.") from gone

    def _feed(self) -> None:
        try:
            data = self.connection.recv(READ)
        except (BlockingIOError, TimeoutError, ssl.SSLWantReadError) as error:
            raise UpstreamGone(timed_out=True) from error
        except OSError as error:
            raise UpstreamGone from error
        if time.monotonic() > self._ends:  # each read may wait anew: all of them together may not
            raise UpstreamGone(timed_out=True)
        self.begun = True
        try:
            if data:
                self._parser.feed_data(data)
            elif self.headed and "content-length" not in self.headers and "transfer-encoding" not in self.headers:
                self.done = True  # such an answer ends with its connection
            else:
                raise UpstreamGone
        except httptools.HttpParserError as error:
            raise UpstreamGone from error


_crowd: set[Answer] = set()  # streams that are being read


class Upstream:
    """A server at an address, with its idle connections. Thread-safe."""

    def __init__(self, address: str, headers: Mapping[str, str]) -> None:
        parts = urlsplit(address)
        self._secure, self._host = parts.scheme == "https", parts.hostname or ""
        self._port = parts.port or (443 if self._secure else 80)
        self._base = parts.path.rstrip("/")
        self._tls = ssl.create_default_context() if self._secure else None
        named = self._host if parts.port is None else f"{self._host}:{parts.port}"
        self._fixed = "".join(
            f"{name}: {value}\r\n" for name, value in {"Host": named, "User-Agent": "mercato", **headers}.items()
        )
        self._kept: deque[tuple[float, Connection]] = deque(maxlen=MOST_KEPT)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 60,
        stop: Callable[[], bool] | None = None,
    ) -> Answer:
        """Sends the request and reads the answer's head. The answer must be given to `finish`. Raises UpstreamGone.

        `stop` is asked while the upstream is silent; once it says so, the connection is closed and Stopped raised.

        A kept connection may have been closed at the other end since: the request is then sent again on a fresh one.
        """
        more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        head = f"{method} {self._base}{path} HTTP/1.1\r\n{self._fixed}{more}Content-Length: {len(body)}\r\n\r\n"
        sent = head.encode("latin-1") + body
        ends = time.monotonic() + timeout_s
        while True:
            connection, kept = self._connection(min(timeout_s, CONNECT_S))
            answer = Answer(connection, ends, stop)
            try:
                connection.wait(timeout_s)
                connection.send(sent)
                if stop is not None:
                    connection.wait(LOOK_S)
                answer.head()
                return answer
            except (OSError, UpstreamGone) as error:
                connection.close()
                if kept and not answer.begun and not getattr(error, "timed_out", False):
                    continue
                raise error if isinstance(error, UpstreamGone) else UpstreamGone from error
            except BaseException:
                connection.close()
                raise

    def finish(self, answer: Answer) -> None:
        """Ends an answer: its connection is kept if all of it was read, else closed, which tells the upstream to stop."""
        if answer.reusable:
            self._kept.append((time.monotonic() + KEPT_S, answer.connection))
        else:
            answer.connection.close()

    def close(self) -> None:
        """Closes the idle connections."""
        while self._kept:
            self._kept.pop()[1].close()

    def _connection(self, timeout_s: float) -> tuple[Connection, bool]:
        """A connection, and whether it was used before."""
        while self._kept:
            try:
                until, kept = self._kept.pop()  # the latest: the others may go stale
            except IndexError:
                break
            if until > time.monotonic():
                return kept, True
            kept.close()
        try:
            made: Any = socket.create_connection((self._host, self._port), timeout_s)
            if self._tls is not None:
                made = self._tls.wrap_socket(made, server_hostname=self._host)
        except TimeoutError as error:
            raise UpstreamGone(timed_out=True) from error
        except OSError as error:
            raise UpstreamGone from error
        return Connection(made), False
