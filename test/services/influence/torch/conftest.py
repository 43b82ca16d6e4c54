"""Runs the worker of the checkout."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[4] / 'services' / 'influence' / 'torch'))
