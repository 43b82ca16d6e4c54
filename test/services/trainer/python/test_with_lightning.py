"""The example with Lightning: what its model sees, a kill at any place, and that a checkpoint goes on at the token."""

import logging
import math
from types import SimpleNamespace

import pytest

torch = pytest.importorskip('torch', reason='WINNOW_TEST_TORCH=yes npm test installs torch')
pytest.importorskip('lightning')

from adapters_world import MODEL, STEPS, Seen, announced, example, last, small_world  # noqa: E402
from winnow_trainer import Ranks, WinnowError  # noqa: E402
from world import Killed  # noqa: E402

program = example('with_lightning')


@pytest.fixture
def seen(monkeypatch):
    seen = Seen()
    monkeypatch.setattr(program, 'untrained', seen)
    logging.getLogger('lightning.pytorch').setLevel(logging.ERROR)
    return seen


def test_lightning_trains_on_the_stream_and_goes_on_at_the_token_after_any_kill(monkeypatch, tmp_path, seen):
    monkeypatch.chdir(tmp_path)
    whole = small_world(monkeypatch, tmp_path / 'whole')
    program.train('r', MODEL, tmp_path / 'whole')
    assert seen.rows == [row for step in range(STEPS) for row in whole.expected(step)[0]]
    assert announced(whole) == [4, 8, 10]
    assert [one['step'] for one in whole.reports] == list(range(1, STEPS + 1))
    assert all(math.log(4096) - 1 < one['trainLoss'] < math.log(4096) + 1 for one in whole.reports)
    # At a step without a checkpoint, and once one was written, before it was announced.
    for kill, first, opened in ((6, 4, [4, 4, 8, 10]), (10, 10, [4, 8, 10])):
        world = small_world(monkeypatch, tmp_path / str(kill))
        world.kill_at = kill
        with pytest.raises(Killed):
            program.train('r', MODEL, tmp_path / str(kill))
        seen.rows = []
        program.train('r', MODEL, tmp_path / str(kill))
        assert seen.rows == [row for step in range(first, STEPS) for row in world.expected(step)[0]]
        assert announced(world) == opened
        assert all(torch.equal(one, last(whole)[name]) for name, one in last(world).items())
    assert sorted(path.name for path in (tmp_path / 'whole').glob('*.ckpt')) == ['step-00000008.ckpt', 'step-00000010.ckpt']


def test_ranks_are_those_of_the_strategy_and_what_it_cannot_weigh_is_refused(monkeypatch, tmp_path):
    small_world(monkeypatch, tmp_path)
    data = program.SelectedData('r')
    kwargs = {'rank': 1, 'num_replicas': 2}
    data.trainer = SimpleNamespace(
        distributed_sampler_kwargs=kwargs, is_global_zero=False, global_step=0, accumulate_grad_batches=2
    )
    data.setup('fit')
    assert data.stream.ranks == Ranks(1, 2, leader=False)
    # Halves of its half of 4 sequences, of 10 steps.
    loader = data.train_dataloader()
    assert len(loader) == 20 and [len(piece['labels']) for piece, _ in zip(loader, range(3), strict=False)] == [1, 1, 1]
    data.load_state_dict(data.state_dict())
    for step, pieces, code, words in (
        (0, 2, 'USAGE', 'training begins and the stream is at step 2 already'),
        (1, 2, 'POSITION_REFUSED', "Lightning's checkpoint is of step 1 and its stream was at step 2"),
        (2, 3, 'USAGE', 'batches of 4 sequences are not divided by 2 ranks in 3 pieces'),
    ):
        data.trainer.global_step, data.trainer.accumulate_grad_batches = step, pieces
        with pytest.raises(WinnowError, match=words) as refused:
            data.train_dataloader()
        assert refused.value.code == code
    data.teardown('fit')
