"""Connections that are kept for the next call of the same URL.

Making one costs several times what a call does. One is used again only for its own URL, for a short while, where its
address is among those that were checked for the call at hand, and while its other side has said nothing more: what is
readable before anything was asked is an end, or an answer that nobody may get.
"""

import select
import socket
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

IDLE_SECONDS = 4.0
"""Shorter than most servers wait before they hang up."""
MOST = 100


@dataclass(frozen=True, slots=True)
class _Kept:
    url: str
    connected: socket.socket
    address: str
    since: float


@dataclass(slots=True)
class _Shelf:
    """Connections by number, the oldest first, and the numbers of each URL."""

    by_number: OrderedDict[int, _Kept] = field(default_factory=OrderedDict)
    of_url: dict[str, list[int]] = field(default_factory=dict)

    def put(self, number: int, one: _Kept) -> None:
        self.by_number[number] = one
        self.of_url.setdefault(one.url, []).append(number)

    def take_latest(self, url: str) -> _Kept | None:
        numbers = self.of_url.get(url)
        if not numbers:
            return None
        number = numbers.pop()
        if not numbers:
            del self.of_url[url]
        return self.by_number.pop(number)

    def take_oldest(self) -> _Kept:
        number, one = self.by_number.popitem(last=False)
        numbers = self.of_url[one.url]
        numbers.remove(number)
        if not numbers:
            del self.of_url[one.url]
        return one


class KeptConnections:
    """Connections by URL, the latest used first; safe to use from many threads."""

    def __init__(self, *, elapsed: Callable[[], float] = time.monotonic, most: int = MOST) -> None:
        self._elapsed = elapsed
        self._most = most
        self._lock = threading.Lock()
        self._shelf = _Shelf()
        self._number = 0
        weakref.finalize(self, _hang_up, self._shelf)

    def take(self, url: str, addresses: Collection[str]) -> tuple[socket.socket, str] | None:
        """A connection of a URL to one of these addresses, and which it is; it is the caller's then."""
        elsewhere: list[_Kept] = []
        found = None
        while found is None:
            with self._lock:
                one = self._shelf.take_latest(url)
            if one is None:
                break
            if self._elapsed() - one.since >= IDLE_SECONDS or _has_news(one.connected):
                one.connected.close()
            elif one.address in addresses:
                found = one.connected, one.address
            else:
                elsewhere.append(one)
        for one in reversed(elsewhere):
            self._put(one)
        return found

    def keep(self, url: str, connected: socket.socket, address: str) -> None:
        """Keep a connection whose answer was read to its end; the oldest goes where there are too many."""
        self._put(_Kept(url, connected, address, self._elapsed()))

    def _put(self, one: _Kept) -> None:
        with self._lock:
            self._number += 1
            self._shelf.put(self._number, one)
            over = self._shelf.take_oldest() if len(self._shelf.by_number) > self._most else None
        if over is not None:
            over.connected.close()


def _has_news(connected: socket.socket) -> bool:
    poll = select.poll()
    poll.register(connected, select.POLLIN | select.POLLHUP | select.POLLERR)
    return bool(poll.poll(0))


def _hang_up(shelf: _Shelf) -> None:
    for one in shelf.by_number.values():
        one.connected.close()
