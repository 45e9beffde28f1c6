"""An answer as it comes in, read by llhttp; no more is read than is allowed, nor kept than was asked for."""

import httptools

_ALLOWANCE = 111_072
"""Bytes that an answer may have beside what is kept of its body."""
_SWITCHING, _FIRST_FINAL_STATUS = 101, 200


class AnswerTooLong(Exception):
    """The receiver sent more than a call reads."""


class NotHttp(Exception):
    """What came is no HTTP/1.1."""


class Answer:
    """The status, the headers with their names in lower case, and as much of the body as is kept.

    The status decides even if the body breaks off: it is known as soon as the headers are whole.
    """

    def __init__(self, keep: int) -> None:
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.body = bytearray()
        self.is_over = False
        """Nothing more is wanted."""
        self.is_whole = False
        """It was read to its end, nothing came behind it, and the connection stays open."""
        self._keep = keep
        self._allowance = _ALLOWANCE + keep
        self._stays_open = False
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, content: bytes) -> None:
        """Read what came. Raises `AnswerTooLong` or `NotHttp`."""
        self._allowance -= len(content)
        if self._allowance < 0:
            raise AnswerTooLong
        try:
            self._parser.feed_data(content)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.is_whole = False
            if not self.is_over and self.status != _SWITCHING:
                raise NotHttp from error
        self.is_over = self.is_over or (self.status is not None and len(self.body) >= self._keep)

    def end(self) -> None:
        """The other side hung up. Raises `ConnectionResetError` where that was no end of an answer."""
        self.is_over = True
        if self.status is None or self.headers.keys() & {"content-length", "transfer-encoding"}:
            raise ConnectionResetError("broke off")

    def let_go(self) -> None:
        """Nothing more is fed: the parser, which knows whom to call, is not kept waiting for the collector."""
        del self._parser

    # What follows is llhttp's to call.

    def on_message_begin(self) -> None:
        """Another answer: after the final one, nobody asked for it."""
        self.is_whole = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer, which nobody wants."""
        if self.status is None:
            self.headers[name.decode("latin-1").lower()] = value.decode("latin-1").strip()

    def on_headers_complete(self) -> None:
        """The headers are whole; those of an interim answer are forgotten."""
        status = self._parser.get_status_code()
        if status < _FIRST_FINAL_STATUS and status != _SWITCHING:
            self.headers.clear()
        elif self.status is None:
            self.status = status
            self._stays_open = self._parser.should_keep_alive()

    def on_body(self, part: bytes) -> None:
        """A part of the body, without its chunks' frames; what is packed stays packed."""
        if not self.is_over:
            self.body += part[: self._keep - len(self.body)]

    def on_message_complete(self) -> None:
        """The end of an answer."""
        if self.status is not None and not self.is_over:
            self.is_over = True
            self.is_whole = self._stays_open and len(self.body) < self._keep
