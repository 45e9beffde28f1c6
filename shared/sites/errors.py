"""What sites and sensors refuse."""

from tenant_context.errors import Conflict, FieldError, Invalid, NotFound


class SiteNotFound(NotFound):
    """No such site in this tenant."""

    code, title = "site-not-found", "There is no such site"


class SensorNotFound(NotFound):
    """No such sensor in this tenant."""

    code, title = "sensor-not-found", "There is no such sensor"


class CodeTaken(Conflict):
    """Another site of the tenant has the code."""

    code, title = "site-code-taken", "Another site has this code"


class SerialTaken(Conflict):
    """Another sensor of the tenant has the serial."""

    code, title = "sensor-serial-taken", "Another sensor has this serial"


class SiteInUse(Conflict):
    """The site has sensors or campaigns."""

    code, title = "site-in-use", "The site has sensors or campaigns; remove those first"


class UnknownTimeZone(Invalid):
    """Not an IANA time zone."""

    code, title = "unknown-time-zone", "The time zone is unknown"

    def __init__(self) -> None:
        super().__init__(errors=(FieldError("/time_zone", "time-zone", "must be an IANA name such as Europe/Berlin"),))


class WrongSetup(Invalid):
    """A setup by which nothing could be read."""

    code, title = "wrong-setup", "The setup cannot be"

    def __init__(self, pointer: str, code: str, message: str) -> None:
        super().__init__(errors=(FieldError(pointer, code, message),))


class UnknownSite(Invalid):
    """The sensor's site is none of this tenant's."""

    code, title = "unknown-site", "The site does not exist"

    def __init__(self) -> None:
        super().__init__(errors=(FieldError("/site_id", "unknown-site", "names a site that does not exist"),))
