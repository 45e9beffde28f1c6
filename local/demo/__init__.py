"""Does the platform's main job once, through its API, and says what came of it.

`main(instance)` is what `make up` ends with; `python -m local.demo --data FOLDER` does it on real input.
"""

from local.demo.story import main

__all__ = ["main"]
