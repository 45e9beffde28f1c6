"""DNS."""

from dns import exception, resolver
from dns.rdtypes.txtbase import TXTBase

from shared.federation.errors import NamesUnreachable

_SECONDS = 4.0


class Names:
    """Reads text records; `server` (`host:port`) in place of the system's resolver."""

    def __init__(self, server: str = "") -> None:
        self._resolver = resolver.Resolver(configure=not server)
        if server:
            host, _, port = server.partition(":")
            self._resolver.nameservers = [host]
            self._resolver.port = int(port)

    def texts(self, name: str) -> list[str]:
        """The text records of a name; none, where there is no such name. Errors: NamesUnreachable."""
        try:
            answer = self._resolver.resolve(name, "TXT", lifetime=_SECONDS)
        except (resolver.NXDOMAIN, resolver.NoAnswer):
            return []
        except exception.DNSException as error:
            raise NamesUnreachable(f"DNS does not answer for {name}: {type(error).__name__}.") from error
        return [b"".join(record.strings).decode(errors="replace") for record in answer if isinstance(record, TXTBase)]
