"""An influence worker in PyTorch: reward requests in, rewards out, like the one in services/influence and services/model."""

import sys
from pathlib import Path

# The worker runs inside a checkout of winnow, whose Python wire code it shares with the trainer's package.
sys.path.append(str(Path(__file__).parents[3] / 'runtime' / 'python'))
