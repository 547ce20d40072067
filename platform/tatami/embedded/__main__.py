"""`python -m tatami.embedded run` and `… exec -- COMMAND`: what `make run` and `make test` call."""

import argparse
import sys

from tatami.embedded.commands import run, run_with_servers
from tatami.embedded.errors import EmbeddedError


def main() -> int:
    """Parse the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tatami.embedded", description=__doc__)
    commands = parser.add_subparsers(dest="name", required=True)
    commands.add_parser("run", help="start the servers, web, worker and beat; stop all of them on Ctrl-C")
    with_servers = commands.add_parser("exec", help="run a command while the servers run")
    with_servers.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    arguments = parser.parse_args()
    try:
        if arguments.name == "run":
            return run()
        command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
        if not command:
            with_servers.error("give a command after --")
        return run_with_servers(command)
    except EmbeddedError as error:
        sys.stderr.write(f"tatami: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
