"""Calls that go on side by side, on one thread: whichever has something to do does it.

Names are looked up on threads of their own, as the system's resolver blocks: each once, for all the calls that begin
together here.
"""

import select
import socket
import threading
import time
from collections.abc import Callable, Collection, Hashable
from contextlib import suppress
from math import inf
from typing import Generic, Self, TypeVar

from shared.outbound.gateway.conversation import LOOKING, REFUSALS, Conversation, Means, Request
from shared.outbound.model import Outcome

_STALL_SECONDS = 0.05
"""As long may pass between two looks at the calls under way."""

Resolve = Callable[[str, int], list[str]]
_Name = TypeVar("_Name", bound=Hashable)


class SideBySide(Generic[_Name]):
    """Calls by names that the caller gives them. Good for those that begin together; made anew for others.

    A context: calls that are under way at its end are hung up.
    """

    def __init__(self, means: Means, resolve: Resolve) -> None:
        self._means = means
        self._lookups = _LookUps(resolve)
        self._poll = select.poll()
        self._under_way: dict[_Name, Conversation] = {}
        self._waiting: dict[int, tuple[_Name, Conversation]] = {}
        """By the descriptor of what each waits for."""
        self._looking: list[tuple[_Name, Conversation]] = []
        self._ended: list[tuple[_Name, Outcome | Exception]] = []
        self._listened = time.monotonic()
        self.then: Callable[[_Name, Outcome | Exception], None] | None = None
        """Is told of each call as it ends, before `wait` answers it; it may begin another."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for talk in self._under_way.values():
            talk.steps.close()
        self._lookups.close()

    @property
    def under_way(self) -> Collection[_Name]:
        """The calls that have not ended."""
        return self._under_way.keys()

    def begin(self, name: _Name, request: Request) -> None:
        """Begin a call, as far as that goes without a wait."""
        talk = self._under_way[name] = Conversation(request, self._means, self._lookups.find)
        self._go_on(name, talk)

    def lasted(self, name: _Name) -> float:
        """Seconds for which a call that is under way was listened to."""
        return self._under_way[name].lasted(self._listened)

    def hang_up(self, name: _Name) -> None:
        """End a call that is under way; nobody is told of it."""
        talk = self._under_way.pop(name)
        if talk.socket is not None:
            self._forget(talk.socket.fileno())
        self._looking = [one for one in self._looking if one[1] is not talk]
        talk.steps.close()

    def wait(self, *, seconds: float = inf, gather: float = 0.0) -> list[tuple[_Name, Outcome | Exception]]:
        """The calls that ended since it was last asked: the first of them, and those that end soon after it.

        Empty where none ends in so many `seconds`, or none is under way; `gather` are those for the others. An
        exception is an error of ours: whatever a receiver does is an outcome.
        """
        until = time.monotonic() + (gather if self._ended else seconds)
        while self._under_way:
            now = time.monotonic()
            self._forgive(now)
            if now >= until:
                break
            had = len(self._ended)
            self._turn(min(until, *(talk.deadline for talk in self._under_way.values())) - now)
            if self._ended and not had:
                until = min(until, time.monotonic() + gather) if gather else 0.0
        ended, self._ended = self._ended, []
        return ended

    def _forgive(self, now: float) -> None:
        """Time in which nobody listened is not the receivers': their deadlines are as much later."""
        if now - self._listened > _STALL_SECONDS:
            for talk in self._under_way.values():
                talk.forgive(now - max(self._listened, talk.began))
        self._listened = now

    def _turn(self, seconds: float) -> None:
        heard = self._poll.poll(max(0.0, seconds) * 1000)
        self._listened = time.monotonic()
        for descriptor, _ in heard:
            if descriptor == self._lookups.descriptor:
                self._lookups.hush()
                looking, self._looking = self._looking, []
                for name, talk in looking:
                    self._go_on(name, talk)
            elif descriptor in self._waiting:
                self._go_on(*self._waiting[descriptor])
        now = time.monotonic()
        for name, talk in [one for one in self._under_way.items() if one[1].deadline <= now]:
            self._go_on(name, talk, TimeoutError())

    def _go_on(self, name: _Name, talk: Conversation, with_error: Exception | None = None) -> None:
        before = talk.socket.fileno() if talk.socket is not None else -1
        try:
            wanted = talk.steps.throw(with_error) if with_error is not None else next(talk.steps)
        except StopIteration:
            self._end(name, talk, before, None)
        except REFUSALS as error:
            self._end(name, talk, before, error)
        except Exception as error:  # noqa: BLE001  it is kept for whoever waits for this call, and is no other's
            self._end(name, talk, before, None, error)
        else:
            self._await(name, talk, before, wanted)

    def _await(self, name: _Name, talk: Conversation, before: int, wanted: int) -> None:
        if wanted == LOOKING or talk.socket is None:
            self._poll.register(self._lookups.descriptor, select.POLLIN)
            self._looking.append((name, talk))
            return
        descriptor = talk.socket.fileno()
        if before != descriptor:
            self._forget(before)
        self._poll.register(descriptor, wanted)
        self._waiting[descriptor] = name, talk

    def _end(
        self,
        name: _Name,
        talk: Conversation,
        before: int,
        error: Exception | None,
        own: Exception | None = None,
    ) -> None:
        self._forget(before)
        del self._under_way[name]
        if self._looking:
            self._looking = [one for one in self._looking if one[1] is not talk]
        outcome = own or talk.outcome(error)
        self._ended.append((name, outcome))
        if self.then is not None:
            self.then(name, outcome)

    def _forget(self, descriptor: int) -> None:
        if self._waiting.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)


class _LookUps:
    """Look-ups of names; what a thread found makes `descriptor` readable."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._found: dict[tuple[str, int], list[str] | OSError | None] = {}
        self._bell: tuple[socket.socket, socket.socket] | None = None

    @property
    def descriptor(self) -> int:
        """What rings; -1 while nothing was looked up."""
        return self._bell[0].fileno() if self._bell is not None else -1

    def find(self, host: str, port: int) -> list[str] | OSError | None:
        """The addresses of a name, or why there are none; None while that is not known."""
        key = (host, port)
        if key not in self._found:
            self._found[key] = None
            if self._bell is None:
                self._bell = socket.socketpair()
                self._bell[0].setblocking(False)
            threading.Thread(target=self._look, args=(key, self._bell[1]), daemon=True).start()
        return self._found[key]

    def hush(self) -> None:
        """It was heard."""
        if self._bell is not None:
            with suppress(BlockingIOError):
                self._bell[0].recv(64)

    def close(self) -> None:
        """Nobody listens any more."""
        for end in self._bell or ():
            end.close()

    def _look(self, key: tuple[str, int], bell: socket.socket) -> None:
        try:
            self._found[key] = self._resolve(*key)
        except OSError as error:
            self._found[key] = error
        with suppress(OSError):
            bell.send(b"!")
