"""What goes wrong with the ring of signing keys."""


class RingMoved(Exception):
    """Somebody else changed the ring since it was read."""


class RotationStuck(Exception):
    """The ring did not come to where it should be; who asked should ask again."""
