"""What a campaign refuses."""

from tenant_context.errors import Conflict, FieldError, Invalid, NotFound


class CampaignNotFound(NotFound):
    """No such campaign in this tenant."""

    code, title = "campaign-not-found", "There is no such campaign"


class ActionNotAllowed(Conflict):
    """The campaign's status does not allow the action."""

    code, title = "campaign-status", "The campaign's status does not allow this"


class CampaignNotEditable(Conflict):
    """A completed or archived campaign is history."""

    code, title = "campaign-not-editable", "The campaign can no longer be changed"


class FlightIsOver(Conflict):
    """A campaign that would start with its launch, after its end."""

    code, title = "flight-over", "The flight ended before the campaign was launched"


class FlightEndsBeforeItStarts(Invalid):
    """ends_at is not after starts_at."""

    code, title = "flight-order", "The flight ends before it starts"

    def __init__(self) -> None:
        super().__init__(errors=(FieldError("/ends_at", "flight-order", "must be after starts_at"),))


class UnknownSites(Invalid):
    """Some site ids name no site of this tenant."""

    code, title = "unknown-sites", "Some sites do not exist"

    def __init__(self) -> None:
        super().__init__(errors=(FieldError("/site_ids", "unknown-site", "names a site that does not exist"),))
