"""What can go wrong with the local cloud: one clear sentence, and a way out."""

import errno

_FULL = ("No space left on device", "database or disk is full", "ENOSPC")


class LocalError(Exception):
    """A problem told in one sentence, with what to do about it."""

    def __init__(self, sentence: str, way_out: str, details: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.way_out = way_out
        self.details = details

    def __str__(self) -> str:
        shown = f"{self.sentence}\n  Way out: {self.way_out}"
        return f"{shown}\n{self.details}" if self.details else shown


def disk_full(where: object) -> LocalError:
    """The disk under a folder is full."""
    return LocalError(
        f"The disk that holds {where} is full.",
        "free some space and run the command again; what was stored before is untouched.",
    )


def says_full(text: str) -> bool:
    """Whether a program's last words mean a full disk."""
    return any(sign in text for sign in _FULL)


def is_full(error: OSError) -> bool:
    """Whether the operating system refused because there is no space (or quota)."""
    return error.errno in {errno.ENOSPC, errno.EDQUOT}
