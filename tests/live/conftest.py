"""Live tests start real processes. Makes what they share importable."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
