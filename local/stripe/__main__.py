"""`python -m local.stripe --port 8420 --state FILE --api-key-file FILE`: run the stand-in until SIGTERM."""

import argparse
import signal
import threading
from pathlib import Path

from local.stripe.server import serve


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m local.stripe", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--api-key-file", type=Path, required=True)
    options = parser.parse_args()
    server = serve(options.port, options.state, options.api_key_file.read_text().strip())
    # shutdown() waits for the serving loop, so it may not run in the thread that serves.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"Stripe stand-in on http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
