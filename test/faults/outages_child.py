"""A trainer of winnow-trainer for python-outages.test.ts: settings as JSON in the first argument, a line of JSON for each batch."""

import json
import os
import sys
import time
from pathlib import Path

root = Path(__file__).parents[2]
sys.path[:0] = [str(root / 'services/trainer/python'), str(root / 'services/runtime/python')]
import numpy as np  # noqa: E402
from safetensors.numpy import save_file  # noqa: E402
from winnow_trainer import SelectedStream, WinnowError  # noqa: E402

given = json.loads(sys.argv[1])


def say(**values):
    print(json.dumps(values), flush=True)


def train():
    weights = Path(given['folder'], 'weights.safetensors')
    save_file({'any': np.zeros(1)}, weights)
    options = {'tokenizer': given['tokenizer'], 'tensors': 'numpy', 'prefetch_batches': 1, 'window_documents': 2}
    with SelectedStream(given['run'], **options) as stream:
        for batch in stream:
            say(step=stream.step, rows=np.concatenate([batch['input_ids'], batch['labels'][:, -1:]], 1).tolist())
            time.sleep(0.1)
            stream.step_done(1.0)
            if stream.checkpoint_due:
                stream.announce(weights)


try:
    train()
except WinnowError as error:
    print(error.line(), file=sys.stderr)
    sys.exit(error.exit_code)
