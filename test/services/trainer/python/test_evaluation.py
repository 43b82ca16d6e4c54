"""Checkpoints that were announced, on tasks of lm-evaluation-harness: a tiny one of our own, whose items are in tasks/."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from winnow_trainer.__main__ import main
from winnow_trainer.evaluation import PAPER, Accuracy, evaluated, line, read_known, table

SHIPPED = Path(__file__).parents[4] / 'services/model/shipped/llama-64x2'
TASKS = Path(__file__).parent / 'tasks'
ITEMS = [json.loads(text) for text in (TASKS / 'opposites.jsonl').read_text().splitlines()]

with_harness = pytest.mark.skipif(
    not all(map(find_spec, ('torch', 'transformers', 'lm_eval'))),
    reason="lm_eval is not installed: pip install 'winnow-trainer[evaluation]' into a Python that WINNOW_PYTHON names",
)


@pytest.fixture
def tasks(tmp_path):
    folder = tmp_path / 'tasks'
    folder.mkdir()
    (folder / 'opposites.yaml').write_text((TASKS / 'opposites.yaml').read_text().replace('FOLDER', str(TASKS)))
    return folder


@pytest.fixture
def checkpoint(tmp_path):
    """A file, as it is announced."""
    from winnow_trainer.announcing import Announcer
    from winnow_trainer.cursor import Cursor
    from winnow_trainer.models import untrained

    config = {'updateSteps': 1, 'steps': 9, 'model': str(SHIPPED), 'checkpoints': str(tmp_path)}
    reporter = type('Reports', (), {'report': lambda *_: None, 'flush': lambda _: None})()
    return Announcer(config, reporter, 1).announce(Cursor('r', 't' * 64, 8, 2, 0, step=1), {}, untrained(SHIPPED, 5), {})


def expected(folder):
    """The share of items whose answer has the highest likelihood after the question, by transformers alone."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    right = 0
    for item in ITEMS:
        question = f'The opposite of {item["word"]} is'
        start, scores = len(tokenizer(question).input_ids), []
        for choice in item['choices']:
            ids = torch.tensor([tokenizer(f'{question} {choice}').input_ids])
            with torch.no_grad():
                logs = torch.log_softmax(model(ids).logits[0, :-1].float(), -1)
            scores.append(logs[torch.arange(ids.shape[1] - 1), ids[0, 1:]][start - 1 :].sum().item())
        right += scores.index(max(scores)) == item['answer']
    return right / len(ITEMS)


@with_harness
def test_one_command_evaluates_an_announced_checkpoint_and_goes_on_where_it_was_stopped(
    tasks, checkpoint, tmp_path, capsys, monkeypatch
):
    from winnow_trainer import evaluation

    monkeypatch.setenv('HF_HUB_OFFLINE', '1')
    monkeypatch.setenv('HF_HOME', str(tmp_path / 'cache'))
    out = tmp_path / 'results.jsonl'
    command = ['evaluate', str(checkpoint), '--model', str(SHIPPED), '--tasks', 'opposites', '--tasks-folder', str(tasks)]
    command += ['--shots', '0,3', '--device', 'cpu', '--out', str(out)]
    main(command)
    main(['folder', str(checkpoint), str(tmp_path / 'opened'), '--model', str(SHIPPED)])
    first, third = read_known(out)
    assert (first.shots, third.shots) == (0, 3) and first.accuracy == expected(tmp_path / 'opened')
    assert first.accuracy * 8 == int(first.accuracy * 8) and 0 <= third.accuracy <= 1
    printed = capsys.readouterr().out
    assert printed.split()[:3] == ['task', '0-shot', '3-shot'] and f'{100 * first.accuracy:.1f}' in printed
    # Stopped within its last line: only that is made again, and nothing that is known.
    out.write_text(line(first) + line(third)[:30])
    made = []
    real = evaluation.Harness.accuracy
    monkeypatch.setattr(evaluation.Harness, 'accuracy', lambda *given: made.append(given[1:]) or real(*given))
    main(command)
    assert made == [('opposites', 3, None)] and read_known(out) == [first, third]


@with_harness
def test_a_task_that_there_is_not_and_data_that_cannot_be_read_are_refused(tasks, checkpoint, capsys):
    lost = (
        (tasks / 'opposites.yaml').read_text().replace('opposites.jsonl', 'lost.jsonl').replace('task: opposites', 'task: lost')
    )
    (tasks / 'lost.yaml').write_text(lost)
    common = [str(checkpoint), '--model', str(SHIPPED), '--tasks-folder', str(tasks), '--shots', '0', '--device', 'cpu']
    for task, words in (
        ('lost', 'the data of lost cannot be read'),
        ('no_such_task_at_all', 'there is no task no_such_task_at_all'),
    ):
        with pytest.raises(SystemExit):
            main(['evaluate', *common, '--tasks', task])
        assert words in capsys.readouterr().err


@with_harness
def test_the_harness_has_the_ten_tasks_of_the_paper():
    import lm_eval

    folder = Path(lm_eval.__file__).parent / 'tasks'
    texts = '\n'.join(path.read_text(errors='replace') for name in
        ('arc', 'mathqa', 'mmlu/default', 'openbookqa', 'siqa', 'winogrande', 'commonsense_qa', 'super_glue/boolq', 'race')
        for path in (folder / name).glob('*.yaml'))  # fmt: skip
    named = {text.partition(':')[2].strip() for text in texts.splitlines() if text.startswith(('task: ', 'group: '))}
    assert set(PAPER) <= named and len(set(PAPER)) == 10


def test_without_the_harness_it_is_said_what_to_install(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(__import__('sys').modules, 'lm_eval', None)
    (tmp_path / 'config.json').write_text('{}')
    (tmp_path / 'model.safetensors').write_bytes(b'weights')
    with pytest.raises(SystemExit):
        main(['evaluate', str(tmp_path)])
    assert "pip install 'winnow-trainer[evaluation]'" in capsys.readouterr().err


def test_what_is_known_of_another_checkpoint_or_of_fewer_items_is_not_taken(tmp_path):
    import hashlib

    (tmp_path / 'config.json').write_text('{}')
    (tmp_path / 'model.safetensors').write_bytes(b'weights')
    digest = hashlib.sha256(b'weights').hexdigest()
    own = [Accuracy(task, shots, 0.5 + shots / 100, None, digest, None) for shots in (0, 3) for task in ('a', 'b')]
    assert list(evaluated(tmp_path, None, ['a', 'b'], [0, 3], known=own)) == own
    assert table(own).splitlines()[-1].split() == ['average', '50.0', '53.0']
    for other in ({'digest': 'f' * 64}, {'limit': 3}):
        known = [Accuracy(**{**one.__dict__, **other}) for one in own]
        with pytest.raises(Exception, match=r'lm_eval|config|Unrecognized|task'):
            next(evaluated(tmp_path, None, ['a'], [0], known=known))
