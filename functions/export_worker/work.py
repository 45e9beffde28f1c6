"""What each kind of message asks for."""

from shared.exports.service.loader import Loader
from shared.exports.service.maker import Maker
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message, Work


class ExportWork:
    """`export` makes an archive, `delete` takes it away, `import` fills the message's tenant from one."""

    def __init__(self, maker: Maker, loader: Loader) -> None:
        self._kinds: dict[str, Work] = {"export": maker.make, "delete": maker.remove, "import": loader.load}

    def __call__(self, tenant: TenantContext, message: Message) -> None:
        """Do one message's work."""
        self._kinds[message.kind](tenant, message)
