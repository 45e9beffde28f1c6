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

IDLE_SECONDS = 4.0
"""Shorter than most servers wait before they hang up."""
MOST = 100
_Kept = tuple[socket.socket, str, float]


class KeptConnections:
    """Connections by URL, the latest used first; safe to use from many threads."""

    def __init__(self, *, elapsed: Callable[[], float] = time.monotonic, most: int = MOST) -> None:
        self._elapsed = elapsed
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, tuple[str, _Kept]] = OrderedDict()
        self._number = 0
        weakref.finalize(self, _hang_up, self._kept)

    def take(self, url: str, addresses: Collection[str]) -> tuple[socket.socket, str] | None:
        """A connection of a URL to one of these addresses, and which it is; it is the caller's then."""
        with self._lock:
            fitting = [number for number, (whose, (_, at, _)) in self._kept.items() if whose == url and at in addresses]
            found = [self._kept.pop(number)[1] for number in reversed(fitting)]
        now, taken = self._elapsed(), None
        for connected, address, since in found:
            if taken is None and now - since < IDLE_SECONDS and not _has_news(connected):
                taken = connected, address
            elif taken is not None and now - since < IDLE_SECONDS:
                self.keep(url, connected, address, since=since)
            else:
                connected.close()
        return taken

    def keep(self, url: str, connected: socket.socket, address: str, *, since: float | None = None) -> None:
        """Keep a connection whose answer was read to its end; the oldest goes where there are too many."""
        with self._lock:
            self._number += 1
            self._kept[self._number] = url, (connected, address, self._elapsed() if since is None else since)
            over = self._kept.popitem(last=False)[1][1][0] if len(self._kept) > self._most else None
        if over is not None:
            over.close()


def _has_news(connected: socket.socket) -> bool:
    poll = select.poll()
    poll.register(connected, select.POLLIN | select.POLLHUP | select.POLLERR)
    return bool(poll.poll(0))


def _hang_up(kept: OrderedDict[int, tuple[str, _Kept]]) -> None:
    for _, (connected, _, _) in kept.values():
        connected.close()
