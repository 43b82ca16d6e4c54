"""The example with the Trainer of transformers: what its model sees, a kill at any place, and that a checkpoint goes on at the token."""

import json
import math

import pytest

torch = pytest.importorskip('torch', reason='WINNOW_TEST_TORCH=yes npm test installs torch')
pytest.importorskip('accelerate')

from adapters_world import MODEL, STEPS, Seen, announced, example, last, small_world  # noqa: E402
from transformers import TrainingArguments  # noqa: E402
from winnow_trainer import Ranks, SelectedStream, WinnowError  # noqa: E402
from winnow_trainer.models import untrained  # noqa: E402
from world import Killed  # noqa: E402

hf = example('hf')


@pytest.fixture
def seen(monkeypatch):
    seen = Seen()
    monkeypatch.setattr(hf, 'untrained', seen)
    return seen


def test_the_trainer_of_transformers_trains_on_the_stream_and_goes_on_at_the_token_after_any_kill(monkeypatch, tmp_path, seen):
    whole = small_world(monkeypatch, tmp_path / 'whole')
    hf.train('r', MODEL, str(tmp_path / 'whole'))
    assert seen.rows == [row for step in range(STEPS) for row in whole.expected(step)[0]]
    assert announced(whole) == [4, 8, 10]
    # One report a step, each with a loss: about that of guessing among 4,096 tokens.
    assert [one['step'] for one in whole.reports] == list(range(1, STEPS + 1))
    assert all(math.log(4096) - 1 < one['trainLoss'] < math.log(4096) + 1 for one in whole.reports)
    # At a step without a checkpoint, and once one was written, before it was announced.
    for kill, first, opened in ((6, 4, [4, 4, 8, 10]), (10, 10, [4, 8, 10])):
        world = small_world(monkeypatch, tmp_path / str(kill))
        world.kill_at, seen.rows = kill, []
        with pytest.raises(Killed):
            hf.train('r', MODEL, str(tmp_path / str(kill)))
        seen.rows = []
        hf.train('r', MODEL, str(tmp_path / str(kill)))
        assert seen.rows == [row for step in range(first, STEPS) for row in world.expected(step)[0]]
        assert announced(world) == opened
        assert all(torch.equal(one, last(whole)[name]) for name, one in last(world).items())


def trained(out, ranks, steps, resume=None, **stream_options):
    """By plain gradient descent, whose steps are the gradients."""
    with SelectedStream('r', labels='huggingface', ranks=ranks, **stream_options) as stream:
        args = {'learning_rate': 0.5, 'lr_scheduler_type': 'constant', 'max_grad_norm': 0, 'optim': 'sgd', 'max_steps': steps}
        quiet = {'report_to': 'none', 'disable_tqdm': True, 'gradient_accumulation_steps': 2, 'save_steps': 2}
        model = untrained(MODEL)
        trainer = hf.SelectedTrainer(stream, model=model, args=TrainingArguments(out, **args, **quiet))
        trainer.train(resume_from_checkpoint=resume)
        return model


def test_weights_are_those_of_a_loop_over_whole_batches_and_a_checkpoint_goes_on_on_another_number_of_ranks(
    monkeypatch, tmp_path
):
    world = small_world(monkeypatch, tmp_path)
    model = untrained(MODEL)
    # As rank 0 of 2 sees them, then as the only one.
    for step, rows in enumerate([world.expected(0)[0][:2], world.expected(1)[0][:2], world.expected(2)[0], world.expected(3)[0]]):
        ids = torch.tensor(rows)
        model(ids, labels=ids).loss.backward()
        with torch.no_grad():
            for one in model.parameters():
                one -= 0.5 * one.grad
                one.grad = None
    trained(str(tmp_path / 'a'), Ranks(0, 2), 2)
    ended = trained(str(tmp_path / 'b'), Ranks(0, 1), 4, resume=str(tmp_path / 'a/checkpoint-2'))
    moved = untrained(MODEL)
    for one, plain, before in zip(ended.parameters(), model.parameters(), moved.parameters(), strict=True):
        assert torch.allclose(one, plain, rtol=0, atol=1e-6) and not torch.allclose(one, before, rtol=0, atol=1e-4)


def test_what_does_not_fit_is_refused_before_a_step_is_made(monkeypatch, tmp_path):
    small_world(monkeypatch, tmp_path)
    with pytest.raises(WinnowError, match="labels 'shifted', and these models take 'huggingface'"):
        with SelectedStream('r') as stream:
            hf.SelectedTrainer(stream, model=None, args=TrainingArguments(str(tmp_path)))
    trained(str(tmp_path / 'a'), Ranks(0, 1), 2)
    state = tmp_path / 'a/checkpoint-2/trainer_state.json'
    written = json.loads(state.read_text())
    place = written['stateful_callbacks']['SelectedCallback']['attributes']['place']
    assert place['step'] == 2
    callbacks = written.pop('stateful_callbacks')
    for change, code, words in (
        ({'stateful_callbacks': {}}, 'BAD_DATA', 'of step 2 does not say where its stream was'),
        ({'stateful_callbacks': callbacks, 'global_step': 1}, 'POSITION_REFUSED', 'is of step 1 and its stream was at step 2'),
    ):
        state.write_text(json.dumps(written | change))
        with pytest.raises(WinnowError, match=words) as refused:
            trained(str(tmp_path / 'b'), Ranks(0, 1), 4, resume=str(tmp_path / 'a/checkpoint-2'))
        assert refused.value.code == code


def test_second_moments_go_with_a_checkpoint_where_the_run_needs_them(monkeypatch, tmp_path):
    world = small_world(monkeypatch, tmp_path, influence={'preconditioner': 'adam'})
    trainer = hf.train('r', MODEL, str(tmp_path / 'out'))
    optimizer = trainer.optimizer.optimizer
    for name, one in trainer.model.named_parameters():
        assert torch.equal(last(world)[name], one) and torch.equal(last(world)[f'v.{name}'], optimizer.state[one]['exp_avg_sq'])
    with pytest.raises(WinnowError, match='v.model.embed_tokens.weight is missing'):
        trained(str(tmp_path / 'b'), Ranks(0, 1), 4)
