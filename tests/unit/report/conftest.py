"""Makes the analysis' simulated recordings importable: steady loads and searches are judged, not built by hand."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "analysis"))
