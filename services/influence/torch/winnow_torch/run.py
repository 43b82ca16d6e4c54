"""The part of a recorded run that rewards depend on (topologies/run-config.ts), read from `winnow.runs`."""

import json
from dataclasses import dataclass
from pathlib import Path

from winnow_wire.errors import WinnowError

RUNS = 'winnow.runs'
DEAD_LETTERS = 'winnow.dead-letters'

KNOWN = {
    'normalize',
    'projectionSeed',
    'windowsMax',
    'estimator',
    'hessian',
    'preconditioner',
    'damping',
    'context',
    'overlap',
    'probeStep',
    'combine',
    # Concerns topics, not rewards.
    'partitions',
}

# services/model/shipped of this checkout.
SHIPPED = Path(__file__).resolve().parents[3] / 'model' / 'shipped'


@dataclass(frozen=True)
class Run:
    name: str
    model: str
    references: list
    # The last of them is other text: its reward is recorded, and not combined with those of the tasks.
    has_other: bool
    samples_max: int
    estimator: str
    normalize: str
    hessian: str
    preconditioner: str
    damping: float
    probe_step: float
    combine: str
    projection_seed: str
    context: int
    overlap: int
    windows: int
    # Padded tokens per batch: affects how the worker runs, not what it computes.
    batch_tokens: int

    @property
    def requests(self):
        return f'winnow.run.{self.name}.reward-requests'

    @property
    def rewards(self):
        return f'winnow.run.{self.name}.rewards'

    @property
    def group(self):
        """The same as that of the ONNX workers: whoever takes over continues at their offsets."""
        return f'winnow.{self.name}.influence'


def model_folder(model, mapped):
    """`shipped:NAME` is a model that is part of every checkout of winnow."""
    if model.startswith('shipped:'):
        return str(SHIPPED / model.removeprefix('shipped:'))
    return mapped(model)


def parse_run(name, config, batch_tokens, mapped):
    """`mapped` turns a path of the configuration into the path on this machine."""
    config = json.loads(config)
    influence, reference = config.get('influence', {}), config['reference']
    unknown = set(influence) - KNOWN
    if unknown:
        raise WinnowError(
            'CONFIGURATION',
            f'run {name} has influence settings that this worker does not know: {", ".join(sorted(unknown))}',
            'Run the worker of the winnow that recorded it.',
        )
    other = [reference['other']] if 'other' in reference else []
    context = influence.get('context') or config['trainer']['context']
    return Run(
        name=name,
        model=model_folder(config['model'], mapped),
        references=[mapped(path) for path in [reference['reward'], *reference.get('moreRewards', []), *other]],
        has_other=bool(other),
        samples_max=reference['samplesMax'],
        estimator=influence.get('estimator', 'gradient'),
        normalize=influence['normalize'],
        hessian=influence.get('hessian', 'identity'),
        preconditioner=influence.get('preconditioner', 'none'),
        damping=influence.get('damping', 0.1),
        probe_step=influence.get('probeStep', 0.01),
        combine=influence.get('combine', 'mean'),
        projection_seed=influence['projectionSeed'],
        context=context,
        overlap=influence.get('overlap', 0),
        windows=influence['windowsMax'],
        batch_tokens=batch_tokens,
    )
