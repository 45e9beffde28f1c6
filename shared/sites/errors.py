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
    """The site has sensors, campaigns, receipts or places within it."""

    code, title = "site-in-use", "The site has sensors, campaigns, receipts or something within it; remove those first"


class ZoneInUse(Conflict):
    """The zone has sensors, which are at its store."""

    code, title = "zone-in-use", "The zone has sensors; take those out of it first"


class NotAStore(Conflict):
    """What only stores have was asked of a region, a district or a zone."""

    code, title = "not-a-store", "Only a store has this"


class SensorRetired(Conflict):
    """The sensor is out of service."""

    code, title = "sensor-retired", "The sensor is out of service"


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
        super().__init__(errors=(FieldError("/site_id", "unknown-site", "names no store: sensors are in stores"),))


class WrongSite(Invalid):
    """Something about a site that cannot be."""

    code, title = "wrong-site", "The site cannot be"

    def __init__(self, pointer: str, code: str, message: str) -> None:
        super().__init__(errors=(FieldError(pointer, code, message),))


class WrongParent(Invalid):
    """A place in which the site cannot be."""

    code, title = "wrong-parent", "The site cannot be in this"

    def __init__(self, message: str, code: str = "wrong-parent") -> None:
        super().__init__(errors=(FieldError("/parent_id", code, message),))


class UnknownZone(Invalid):
    """The sensor's zone is none of its store."""

    code, title = "unknown-zone", "The zone does not exist"

    def __init__(self) -> None:
        super().__init__(errors=(FieldError("/zone_id", "unknown-zone", "names no zone of the sensor's store"),))


class WrongDevice(Invalid):
    """A device that cannot take a sensor's place."""

    code, title = "wrong-device", "The device cannot be this sensor"

    def __init__(self, pointer: str, code: str, message: str) -> None:
        super().__init__(errors=(FieldError(pointer, code, message),))


class TreeTooLarge(Invalid):
    """More places than one answer holds."""

    code, title = "tree-too-large", "The tree holds too many places"

    def __init__(self, most: int) -> None:
        super().__init__(
            f"There are more than {most}: ask for a smaller part, or list sites by parent or within.",
        )
