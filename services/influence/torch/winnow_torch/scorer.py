"""Rewards of texts at checkpoints, for one run."""

from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch

from winnow_wire.places import place_of

from .checkpoints import SECOND_MOMENT, Checkpoints
from .estimators import Gradient, Probe
from .model import Model, read_description
from .sequences import UNITS_PER_TOKEN, Tokenizer, document_windows, read_reference

# Requests of two consecutive rounds may arrive interleaved.
REFERENCES_MAX = 2


class Scorer:
    def __init__(self, run, device, dtype, checkpoint_bytes_max, mapped=lambda path: path):
        description = read_description(run.model)
        self._run, self._mapped = run, mapped
        self._tokenizer = Tokenizer(
            Path(run.model) / 'tokenizer.json', description['config']['vocab_size'], description.get('endOfText', 0)
        )
        self._tasks = [read_reference(path, self._tokenizer, run.context, run.samples_max) for path in run.references]
        self._model = Model(description, device, dtype)
        shapes = self._model.shapes
        if run.preconditioner == 'adam':
            shapes = shapes | {f'{SECOND_MOMENT}{key}': shape for key, shape in shapes.items()}
        self._checkpoints = Checkpoints(shapes, device, dtype, checkpoint_bytes_max)
        self._estimator = (Probe if run.estimator == 'probe' else Gradient)(self._model, run)
        self._prepared = OrderedDict()
        self._wanted = len(self._tasks) - run.has_other
        several = f'/{run.combine}-of-{self._wanted}' if self._wanted > 1 else ''
        other = '/other-text' if run.has_other else ''
        self.estimator = f'{self._estimator.name}{several}{other}/torch-{str(dtype).removeprefix("torch.")}'
        # The digest of the ONNX graph that gives the same values within tolerance.
        self.graph_digest = description['graphs']['train' if run.estimator == 'probe' else 'influence']['sha256']

    def score(self, path, digest, texts):
        """For each text its reward, and the rewards by reference task, then on other text (None if there is only one task)."""
        run = self._run
        weights = self._checkpoints.weights(place_of(self._mapped(path)), digest)
        self._model.use(weights)
        prepared = self._prepare(digest, weights)
        units = run.windows * run.context * UNITS_PER_TOKEN
        documents = [
            document_windows(self._tokenizer.ids(text, units), self._tokenizer.end_of_text, run.context, run.windows, run.overlap)
            for text in texts
        ]
        rewards = self._estimator.score(prepared, documents, weights)
        combined = (np.max if run.combine == 'max' else np.mean)(rewards[:, : self._wanted], axis=1).tolist()
        return list(zip(combined, rewards.tolist() if len(self._tasks) > 1 else [None] * len(texts), strict=True))

    def _prepare(self, digest, weights):
        if digest not in self._prepared:
            self._prepared[digest] = self._estimator.prepare(self._tasks, weights)
            if len(self._prepared) > REFERENCES_MAX:
                self._prepared.popitem(last=False)
        self._prepared.move_to_end(digest)
        return self._prepared[digest]


def device_named(name):
    """The torch device of this name; `auto` is CUDA if available, else the CPU."""
    return torch.device(('cuda' if torch.cuda.is_available() else 'cpu') if name == 'auto' else name)
