"""`python -m local.outside --port 8440 --state FILE`: run both until SIGTERM."""

import argparse
import signal
import threading
from pathlib import Path

from local.outside.server import serve


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m local.outside", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True)
    options = parser.parse_args()
    names, lists = serve(options.port, options.state)
    # shutdown() waits for the serving loop, so it may not run in the thread that serves.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=lists.shutdown).start())
    threading.Thread(target=names.serve_forever, daemon=True).start()
    print(f"names and breached passwords at 127.0.0.1:{options.port}", flush=True)
    lists.serve_forever()
    names.shutdown()


if __name__ == "__main__":
    main()
