"""``python -m floodmark_agent``, where the script of that name is not on PATH."""

import sys

from floodmark_agent.cli import main

sys.exit(main())
