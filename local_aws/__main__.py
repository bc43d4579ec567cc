"""`python -m local_aws --home FOLDER --port PORT`: serve until somebody ends it."""

import argparse
import signal
import sys
from pathlib import Path

from delivery.home import Home
from local_aws.agents import agents
from local_aws.installation import current
from local_aws.server import serve


def main() -> int:
    """Serve on loopback; records and data are kept below `HOME/aws`."""
    parser = argparse.ArgumentParser(prog="python -m local_aws", description=main.__doc__)
    parser.add_argument("--home", type=Path, required=True, help="HEADWAY_HOME of the platform it belongs to")
    parser.add_argument("--port", type=int, default=5566, help="on loopback; 0: a free one")
    given = parser.parse_args()
    server, app = serve(Home(given.home.resolve()), given.port)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(f"the local AWS is at http://127.0.0.1:{server.server_port}", flush=True)
    with agents(current(), app):
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
