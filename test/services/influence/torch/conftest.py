"""Runs the worker of the checkout; its tests share what those of the trainer have."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[4]
sys.path.insert(0, str(ROOT / 'services' / 'influence' / 'torch'))
sys.path += [str(ROOT / 'services' / 'runtime' / 'python'), str(ROOT / 'test' / 'services' / 'trainer' / 'python')]
