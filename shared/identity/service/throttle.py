"""Guessing made slow: every try after a few free ones waits twice as long as the one before.

What is tried is counted for an account from one place (an address, or a device that logged in before), for an account
from everywhere, and for an address over all accounts. So an attacker slows down himself, and a little those who log in
to the account from somewhere new; the account's owner is never kept waiting on a device that is known.
"""

import hashlib
import hmac
import ipaddress
from dataclasses import dataclass

from shared.identity.errors import TooManyTries
from shared.identity.repository.throttles import ThrottleRepository, Tries
from tenant_context.clock import Clock

_RACES = 5
_DAY, _HOUR = 86_400, 3_600


@dataclass(frozen=True, slots=True)
class Limit:
    """So many tries are free; then 1, 2, 4 … seconds pass between two, `longest` at most."""

    free: int
    longest: int
    forget_after: int

    def opens_at(self, tries: Tries) -> float:
        """When the next try may be made."""
        if tries.count < self.free:
            return 0.0
        return tries.last + min(self.longest, 2.0 ** min(tries.count - self.free, 30))


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a stage."""

    place: Limit = Limit(free=5, longest=900, forget_after=_DAY)
    account: Limit = Limit(free=50, longest=30, forget_after=_HOUR)
    address: Limit = Limit(free=50, longest=300, forget_after=_HOUR)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try that was let through: what it counts for."""

    place: str
    others: tuple[tuple[str, Limit], ...]


class Throttle:
    """Lets tries through, or says when."""

    def __init__(self, tries: ThrottleRepository, clock: Clock, limits: Limits) -> None:
        self._tries = tries
        self._clock = clock
        self._limits = limits

    def enter(self, kind: str, account: str, address: str, device: str = "") -> Attempt:
        """Count a try of `account` and let it through. Errors: TooManyTries."""
        limits, near = self._limits, network_of(address)
        place = _key(kind, "place", account, device or near)
        others = [(_key(kind, "address", near), limits.address)]
        if not device:
            others.append((_key(kind, "account", account), limits.account))
        for _ in range(_RACES):
            now = self._clock().timestamp()
            known = self._tries.find([place, *(key for key, _ in others)], now)
            waits = [limit.opens_at(known.get(key, Tries())) - now for key, limit in ((place, limits.place), *others)]
            if max(waits) > 0:
                raise TooManyTries(retry_after=int(max(waits)) + 1)
            if self._tries.note(place, known.get(place, Tries()), now, limits.place.forget_after):
                return Attempt(place, tuple(others))
        raise TooManyTries(retry_after=1)

    def meter(self, kind: str, address: str) -> None:
        """Count what costs us much, or what nobody guesses by accident, for its address. Errors: TooManyTries."""
        self.wait_out(kind, address)
        self.missed(kind, address)

    def wait_out(self, kind: str, address: str) -> None:
        """Let an address pass that has missed little. Errors: TooManyTries."""
        now, key = self._clock().timestamp(), _key(kind, "address", network_of(address))
        wait = self._limits.address.opens_at(self._tries.find([key], now).get(key, Tries())) - now
        if wait > 0:
            raise TooManyTries(retry_after=int(wait) + 1)

    def missed(self, kind: str, address: str) -> None:
        """Count a wrong guess for its address alone: of what nobody guesses, and whose account is not known."""
        now, key = self._clock().timestamp(), _key(kind, "address", network_of(address))
        self._tries.note(key, self._tries.find([key], now).get(key, Tries()), now, self._limits.address.forget_after)

    def failed(self, attempt: Attempt) -> None:
        """It was a wrong guess: it counts for the account and the address too."""
        now = self._clock().timestamp()
        known = self._tries.find([key for key, _ in attempt.others], now)
        for key, limit in attempt.others:
            # Two failures at once may count as one: these limits are about many.
            self._tries.note(key, known.get(key, Tries()), now, limit.forget_after)

    def succeeded(self, attempt: Attempt) -> None:
        """It was right: this place begins anew."""
        self._tries.forget(attempt.place)


def network_of(address: str) -> str:
    """What one caller has of addresses: an IPv4 address, or an IPv6 network of 64 bits."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((int(found) >> 64 << 64, 64)))
    return str(found)


def _key(*parts: str) -> str:
    """Keys are digests: what people type is not kept."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def device_token(user: str, device: str, pepper: str) -> str:
    """What a device shows to be known as one that this user logged in from."""
    proof = hmac.new(pepper.encode(), f"device|{user}|{device}".encode(), hashlib.sha256).hexdigest()
    return f"dt_{device}_{proof}"


def known_device(token: str, user: str, pepper: str) -> str:
    """The device of a token that we made for this user, else nothing."""
    prefix, _, rest = token.partition("_")
    device, _, proof = rest.partition("_")
    made = device_token(user, device, pepper)
    good = prefix == "dt" and bool(proof) and hmac.compare_digest(made.encode(), token.encode())
    return device if good else ""
