"""torchtitan's own train(), train_step() and checkpoints on the stream: what its model sees, a kill at any place, and resuming at the token."""

import math
import sys
import types
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from types import SimpleNamespace

import pytest

torch = pytest.importorskip('torch', reason='WINNOW_TEST_TORCH=yes npm test installs torch')
pytest.importorskip('torchtitan')


def stood_in_for():
    """Packages that torchtitan imports, and nothing here reaches, where they are missing; their names are free again once it was imported."""
    names = {'datasets': ['Dataset', 'load_dataset'], 'datasets.distributed': ['split_dataset_by_node']}
    missing = {} if find_spec('datasets') else names
    missing |= {} if find_spec('tensorboard') else {'torch.utils.tensorboard': ['SummaryWriter']}
    for name, attributes in missing.items():
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__dict__.update(dict.fromkeys(attributes))
    import torchtitan.models.llama3.config_registry  # noqa: F401

    for name in missing:
        del sys.modules[name]


stood_in_for()

from adapters_world import MODEL, STEPS, Seen, announced, example, last, small_world  # noqa: E402
from torchtitan import trainer as titan_trainer  # noqa: E402
from torchtitan.components.checkpointer import CheckpointManager  # noqa: E402
from torchtitan.components.optimizer import LRSchedulersContainer, default_adamw  # noqa: E402
from winnow_trainer import WinnowError  # noqa: E402
from winnow_trainer.adapters.torchtitan import SelectedLoader, SelectedTrainer, selected  # noqa: E402
from world import Killed  # noqa: E402


class Model(torch.nn.Module):
    """Takes what torchtitan's models take; its parameters have the names of another framework, as theirs have."""

    def __init__(self, seen):
        super().__init__()
        self.inner = seen(MODEL)

    def forward(self, tokens, positions=None):
        return self.inner(input_ids=tokens, position_ids=positions).logits


class Names:
    def to_hf(self, named):
        return {name.removeprefix('inner.'): one for name, one in named.items()}


class Built(SelectedTrainer):
    """With its parts put together as torchtitan's Trainer does, which does it for accelerators alone."""

    @dataclass(kw_only=True, slots=True)
    class Config(SelectedTrainer.Config):
        pass

    def __init__(self, config, seen):
        self.config, self.device = config, torch.device('cpu')
        self.parallel_dims = SimpleNamespace(
            dp_enabled=False,
            pp_enabled=False,
            cp_enabled=False,
            ep_enabled=False,
            dp_cp_enabled=False,
            get_optional_mesh=lambda _: None,
        )
        self.model_config, self.model_parts = None, [Model(seen)]
        self.optimizers = config.optimizer.build(model_parts=self.model_parts)
        self.lr_schedulers = config.lr_scheduler.build(optimizers=self.optimizers, training_steps=config.training.steps)
        self.step = self.ntokens_seen = 0
        # As in torchtitan, one rank of a batch of 4 in pieces of 2.
        batch, local = config.training.global_batch_size, config.training.local_batch_size
        self.gradient_accumulation_steps, self.num_pipeline_parallel_microbatches = batch // local, 1
        self.dataloader = config.dataloader.build(
            dp_world_size=1, dp_rank=0, tokenizer=None, seq_len=8, local_batch_size=local, snapshot_every_n_steps=None
        )
        self.checkpointer = config.checkpoint.build(
            dataloader=self.dataloader,
            model_parts=self.model_parts,
            optimizers=self.optimizers,
            lr_schedulers=self.lr_schedulers,
            states={'train_state': self},
            sd_adapter=Names(),
            base_folder=config.dump_folder,
        )
        self.metrics_processor = SimpleNamespace(
            should_log=lambda step: True,
            log=lambda *_, **__: None,
            ntokens_since_last_log=0,
            data_loading_times=[],
            close=lambda: None,
        )
        self.gc_handler = SimpleNamespace(run=lambda step: None)
        self.train_context, self.fwd_bwd_fn, self.loss_fn = nullcontext, self._forward_backward_body, mean_loss
        self.watch()


def mean_loss(logits, labels, tokens, **_):
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction='sum') / tokens, None


def config_of(folder, **training):
    # What llama3_8b() of torchtitan returns, as far as it matters, and without a model of 8 billion parameters.
    config = titan_trainer.Trainer.Config(
        optimizer=default_adamw(lr=1e-3),
        lr_scheduler=LRSchedulersContainer.Config(warmup_steps=2),
        checkpoint=CheckpointManager.Config(enable=True, interval=4, last_save_model_only=False),
        dump_folder=str(folder),
    )
    config.parallelism.spmd_backend = 'partial_dtensor'
    config.training.local_batch_size, config.training.global_batch_size = 2, 4
    config.training.steps, config.training.disable_cuda_graphs = STEPS, True
    for name, value in training.items():
        setattr(config.training, name, value)
    return selected(config, 'r')


@pytest.fixture
def titan(monkeypatch, tmp_path):
    """Trains by torchtitan's own loop."""
    monkeypatch.setattr(titan_trainer.time, 'sleep', lambda seconds: None)
    # Asks the accelerator, which there is not.
    monkeypatch.setattr(titan_trainer.dist_utils, 'set_pg_timeouts', lambda **_: None)
    torch.distributed.init_process_group('gloo', f'file://{tmp_path}/group', rank=0, world_size=1)
    seen = Seen()

    def train(folder, **training):
        trainer = Built(config_of(folder, **training), seen)
        try:
            trainer.train()
        finally:
            trainer.close()

    yield seen, train
    torch.distributed.destroy_process_group()


def test_torchtitan_trains_on_the_stream_and_goes_on_at_the_token_after_any_kill(monkeypatch, tmp_path, titan):
    seen, train = titan
    whole = small_world(monkeypatch, tmp_path / 'whole')
    train(tmp_path / 'whole')
    rows = [[row[:-1] for row in whole.expected(step)[0]] for step in range(STEPS)]
    assert seen.rows == sum(rows, [])
    assert announced(whole) == [4, 8, 10]
    assert [one['step'] for one in whole.reports] == list(range(1, STEPS + 1))
    assert all(math.log(4096) - 1 < one['trainLoss'] < math.log(4096) + 1 for one in whole.reports)
    # At a step without a checkpoint, and once one was written, before it was announced.
    for kill, first, opened in ((7, 4, [4, 4, 8, 10]), (10, 10, [4, 8, 10])):
        world = small_world(monkeypatch, tmp_path / str(kill))
        world.kill_at = kill
        with pytest.raises(Killed):
            train(tmp_path / str(kill))
        seen.rows = []
        train(tmp_path / str(kill))
        assert seen.rows == sum(rows[first:], [])
        assert announced(world) == opened
        assert all(torch.equal(one, last(whole)[name]) for name, one in last(world).items())


def test_what_does_not_fit_the_run_is_refused_with_both_numbers(monkeypatch, tmp_path, titan):
    _, train = titan
    small_world(monkeypatch, tmp_path)
    for training, words in (
        ({'local_batch_size': 3}, "the run's batch of 4 sequences is not made of 3 on each of 1 ranks"),
        ({'global_batch_size': 6}, 'training.global_batch_size is 6, the batch of the run is 4'),
        ({'steps': STEPS + 1}, 'training.steps is 11, those of the run are 10'),
    ):
        with pytest.raises(WinnowError, match=words) as refused:
            train(tmp_path, **training)
        assert refused.value.code == 'USAGE'
    config = config_of(tmp_path)
    config.checkpoint.interval = 3
    with pytest.raises(WinnowError, match='checkpoint.interval is 3 and rounds open every 4 steps'):
        Built(config, Seen())


def test_the_place_in_a_checkpoint_is_the_same_on_all_ranks_and_goes_on_on_another_number(monkeypatch, tmp_path):
    world = small_world(monkeypatch, tmp_path)

    def opened(rank, ranks):
        config = SelectedLoader.Config(dataset='r')
        return config.build(dp_world_size=ranks, dp_rank=rank, tokenizer=None, seq_len=8, local_batch_size=1)

    two = [opened(rank, 2) for rank in range(2)]
    pieces = [[next(batches) for _ in range(2 * one.pieces)] for one in two for batches in [iter(one)]]
    rows = [torch.cat([given['input'] for given, _ in some]).tolist() for some in pieces]
    expected = [[row[:-1] for row in world.expected(step)[0]] for step in range(3)]
    assert rows == [expected[0][:2] + expected[1][:2], expected[0][2:] + expected[1][2:]]
    assert two[0].state_dict() == two[1].state_dict()
    one = opened(0, 1)
    one.load_state_dict(two[1].state_dict())
    one.resume(2)
    batches = iter(one)
    assert torch.cat([next(batches)[0]['input'] for _ in range(one.pieces)]).tolist() == expected[2]
    for loader in (*two, one):
        loader.stream.close()


def test_the_example_makes_of_a_configuration_one_that_trains_on_the_run(monkeypatch):
    monkeypatch.setenv('WINNOW_RUN', 'pretraining-3')
    config = example('titan').llama3_8b_selected()
    assert config._owner is SelectedTrainer and config.dataloader == SelectedLoader.Config(dataset='pretraining-3')
    assert (config.training.seq_len, config.training.global_batch_size, config.checkpoint.enable) == (8192, 512, True)
