"""What the inbox refuses."""

from tenant_context.errors import BadRequest, NotFound


class Unsigned(BadRequest):
    """Nothing proves who sent it."""

    code, title = "unsigned", "The delivery is not signed"


class SignatureRefused(BadRequest):
    """What is to prove the sender does not."""

    code, title = "bad-signature", "The signature is not the sender's"


class Stale(BadRequest):
    """It is the sender's, and too old or too early to be taken."""

    code, title = "stale-delivery", "The delivery is not of now"


class NotSetUp(NotFound):
    """This deployment has no secret of the source, so nothing could be believed."""

    code, title = "source-not-set-up", "This deployment takes nothing from there"


class TopicRefused(BadRequest):
    """A topic that is none of ours: whoever owns it could say anything."""

    code, title = "topic-refused", "The topic is not one of ours"


class EntryMissing(NotFound):
    """There is no such entry."""
