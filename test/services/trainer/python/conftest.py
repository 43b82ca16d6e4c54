"""Runs the packages of the checkout, installed or not."""

import sys
from pathlib import Path

SERVICES = Path(__file__).parents[4] / 'services'
sys.path[:0] = [str(SERVICES / 'trainer' / 'python'), str(SERVICES / 'runtime' / 'python')]
