"""Tells what is being done: a spinner and ticks on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console


class Progress:
    """Numbered steps with the time each took."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, soft_wrap=True)
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._started

    @contextmanager
    def step(self, title: str) -> Iterator["Notes"]:
        """Show a step while it runs, and how it ended."""
        begun, notes = time.monotonic(), Notes()
        live = self._console.is_terminal
        status = self._console.status(f"{title} …") if live else None
        if status:
            status.start()
        try:
            yield notes
        except BaseException:
            mark, style = "✗", "red"
            raise
        else:
            mark, style = ("·", "dim") if notes.skipped else ("✓", "green")
        finally:
            if status:
                status.stop()
            took = f"{time.monotonic() - begun:.1f} s"
            tail = ", ".join(part for part in (notes.text, took) if part)
            self._console.print(f"[{style}]{mark}[/] {title} [dim]({tail})[/]")

    def say(self, text: str = "") -> None:
        """A line of its own, as it stands."""
        self._console.print(text, markup=False)


class Notes:
    """What a step wants to add to its line."""

    def __init__(self) -> None:
        self.text = ""
        self.skipped = False

    def skip(self, text: str) -> None:
        """Nothing was to be done."""
        self.text, self.skipped = text, True


class Silent(Progress):
    """For callers that only want the result: says nothing unless a step fails."""

    def __init__(self) -> None:
        super().__init__(Console(file=sys.stderr, quiet=True))
