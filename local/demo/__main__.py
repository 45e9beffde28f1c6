"""`python -m local.demo --data FOLDER`: the main job on real input, every row accounted for."""

import argparse
import sys
from pathlib import Path

from local.demo.api import ApiError, GaveUp
from local.demo.reading import Unequal
from local.demo.real_story import RealStory
from local.errors import LocalError
from local.instance import MAIN, Instance, read_json
from local.progress import Progress


def main() -> int:
    """Push both files and hold what is read back against them."""
    parser = argparse.ArgumentParser(prog="python -m local.demo", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a folder with calit2/ and online_retail/")
    parser.add_argument("--instance", default=MAIN)
    options = parser.parse_args()
    progress = Progress()
    try:
        about = read_json(Instance.of(options.instance).description)
        story = RealStory(str(about["api_url"]), str(about["webhook_receiver_url"]), options.data, progress)
        told = story.tell()
    except (ApiError, GaveUp, Unequal, LocalError) as error:
        print(f"✗ {error}", file=sys.stderr)
        return 1
    except FileNotFoundError as error:
        print(
            f"✗ {error.filename} is not there.\n  Way out: name the folder that holds it with DATA=…", file=sys.stderr
        )
        return 1
    for line in told:
        progress.say(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
