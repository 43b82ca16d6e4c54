"""What the tests of all adapters need: a small run, its model, and the program of examples/."""

import importlib.util
from pathlib import Path

import torch
from safetensors.torch import load_file
from winnow_trainer.models import untrained
from world import World

SERVICES = Path(__file__).parents[4] / 'services'
MODEL = SERVICES / 'model' / 'shipped' / 'llama-32x2'
STEPS = 10


def example(name):
    """The program, imported as it stands."""
    spec = importlib.util.spec_from_file_location(f'example_{name}', SERVICES / 'trainer/python/examples' / f'{name}.py')
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    return program


def small_world(monkeypatch, folder, **more):
    """A run of 10 steps in three rounds, whose streams open in this process."""
    torch.set_num_threads(1)
    trainer = {'context': 8, 'batch': 4}
    world = World(3, STEPS, trainer=trainer, model=str(MODEL), checkpoints=str(folder / 'announced'), **more)
    world.patched(monkeypatch)
    return world


class Seen:
    """Builds the example's model, and keeps what it is trained on."""

    def __init__(self):
        self.rows = []

    def __call__(self, folder, **more):
        model = untrained(folder, **more)
        model.register_forward_pre_hook(self._keep, with_kwargs=True)
        return model

    def _keep(self, model, args, kwargs):
        self.rows += (kwargs['input_ids'] if 'input_ids' in kwargs else args[0]).tolist()


def announced(world):
    """Steps whose checkpoint was announced, each as often as it was."""
    return [one['step'] for one in world.reports if one['checkpoint']]


def last(world):
    """The tensors of the checkpoint that was announced last."""
    return load_file(f'{world.config["checkpoints"]}/r/step-{STEPS:08d}.safetensors')
