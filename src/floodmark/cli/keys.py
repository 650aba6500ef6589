"""``floodmark keys``: the keys of a cluster's bus, and where each goes. It starts nothing."""

from pathlib import Path
from typing import Annotated

import typer

from floodmark_deploy.keys import make_keys


def keys(folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder to put them in.")]) -> None:
    """Makes the keys of a cluster's bus: one file each for master, workers and agents."""
    master, worker, agent = make_keys(folder)
    print(f"""\
{master}  for the master's host:  locust -f ... --master --floodmark-keys FILE
{worker}  for each worker's host: locust -f ... --worker --floodmark-keys FILE
{agent}  for the server's host:  floodmark-agent --master HOST:5557 --keys FILE

Each file is all that its host needs; the folder will do where several are on one. They are secrets: copy them over
SSH, keep them from other users (mode 600), and make new ones when one may have been read.""")
