"""DoReMi and DoGE: the updates are those of topologies/mixing, and training in PyTorch ends in a mixture."""

import json
import sys
from pathlib import Path

import pytest
from winnow_trainer.mixing import DomainWeights, doge_update, domains_of_step, doremi_update, row_weights
from winnow_wire.errors import WinnowError

GOLDEN = json.loads((Path(__file__).parent / 'mixing.json').read_text())
SERVICES = Path(__file__).parents[4] / 'services'
MODEL = SERVICES / 'model' / 'shipped' / 'llama-64x2'
TRAINER = {'batch': 4, 'context': 16, 'learningRate': 5e-3, 'warmupSteps': 2, 'weightDecay': 0.1}
DOMAINS = {
    'sea': [f'The ship {n} sailed over the sea, and the sea was calm.' for n in range(6)],
    'law': [f'Section {n}: the court may by order so direct.' for n in range(6)],
    'kitchen': [f'Take {n} grams of flour, and stir the butter in.' for n in range(6)],
}


def close(values):
    return pytest.approx(values, rel=1e-12, abs=1e-300)


@pytest.mark.parametrize('case', GOLDEN['doremi'])
def test_updates_of_doremi_are_those_of_the_reference_trainer(case):
    state = DomainWeights.initial(GOLDEN['prior'])
    for update in case['updates']:
        state = doremi_update(state, update['excess'], **case['options'])
        assert state.weights == close(update['weights'])
    assert state.mean == close(case['mean'])


@pytest.mark.parametrize('case', GOLDEN['doge'], ids=[case['variant'] for case in GOLDEN['doge']])
def test_updates_of_doge_are_those_of_the_reference_trainer(case):
    state = DomainWeights.initial([1.0 if amount else 0.0 for amount in GOLDEN['prior']])
    for update in case['updates']:
        state = doge_update(state, update['target'], update['own'], update['learningRate'], case['variant'])
        assert state.weights == close(update['weights'])
    assert state.mean == close(case['mean'])


def test_rows_are_drawn_as_by_the_reference_trainer():
    for draw in GOLDEN['draws']:
        assert domains_of_step(draw['seed'], draw['step'], 8, GOLDEN['prior']) == draw['domains']


def test_rows_count_as_in_the_reference_trainer():
    rows = GOLDEN['rows']
    assert row_weights(rows['domains'], rows['weights'], rows['prior']) == close(rows['counts'])


def mixing():
    for package in ('torch', 'transformers'):
        pytest.importorskip(package, reason='WINNOW_TEST_TORCH=yes npm test installs it')
    sys.path[:0] = [str(SERVICES / 'trainer' / 'python' / 'examples')]
    import mixing
    import torch

    torch.set_num_threads(1)
    return mixing


METHODS = {
    'doremi': {'method': 'doremi'},
    'doge, universal': {'method': 'doge', 'mu': 1e-3},
    'doge, out-of-domain': {'method': 'doge', 'mu': 1e-3, 'target': DOMAINS['law'][:2]},
}


@pytest.mark.parametrize('options', METHODS.values(), ids=METHODS)
def test_a_run_on_a_few_documents_ends_in_a_mixture(options):
    result = mixing().learned(model=MODEL, domains=DOMAINS, steps=6, trainer=TRAINER, **options)
    assert (result['updates'], result['domains']) == (6, ['sea', 'law', 'kitchen'])
    for weights in (result['shares'], result['last']):
        assert sum(weights) == pytest.approx(1, rel=1e-12)
        assert min(weights) > 0
    assert result['shares'] != result['last']
    if 'target' in options:
        assert max(result['shares']) == result['shares'][1]


@pytest.mark.parametrize('method', ['doremi', 'doge'])
def test_a_training_that_is_killed_goes_on_from_its_last_checkpoint_to_the_same_bits(method, tmp_path):
    module = mixing()
    documents = [[[d * 100 + n + k for k in range(20)] for n in range(6)] for d in (3, 5, 7)]

    def trained(folder=None, killed_after=None):
        steps_told = []

        def report(stage, done):
            steps_told.append((stage, done))
            if len(steps_told) == killed_after:
                raise KeyboardInterrupt

        course = module.Course(6, folder, report)
        arguments = (lambda: module.Proxy(MODEL, '7', TRAINER, 6), documents, course, TRAINER)
        proxy, state = module.doremi(*arguments, 'seed') if method == 'doremi' else module.doge(*arguments, mu=1e-3)
        return ([p.tolist() for p in proxy.model.parameters()], state, course.means, steps_told)

    *alone, told = trained()
    assert len(alone[2]) == 6
    for _ in range(len(told) // 2 - 1):
        with pytest.raises(KeyboardInterrupt):
            trained(tmp_path, 2)
    *resumed, rest = trained(tmp_path)
    assert rest == told[-2:]
    assert resumed == alone


def test_a_step_along_the_gradient_of_one_domain_is_the_step_on_its_rows():
    module = mixing()
    import torch

    along, plain = (module.Proxy(MODEL, '7', TRAINER, 6) for _ in range(2))
    ids = torch.arange(4 * 17).view(4, 17) + 300
    for _ in range(3):
        along.step_along(along.gradient(ids))
        plain.step(ids, [1.0] * 4)
    for one, other in zip(along.model.parameters(), plain.model.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def test_what_cannot_be_mixed_is_refused():
    module = mixing()
    for domains in ({'sea': DOMAINS['sea']}, DOMAINS | {'none': []}):
        with pytest.raises(WinnowError, match='two domains or more'):
            module.learned('doremi', MODEL, domains, 6, TRAINER)
    two = {name: DOMAINS[name] for name in ('sea', 'law')}
    with pytest.raises(WinnowError, match='halves'):
        module.learned('doge', MODEL, two, 6, TRAINER)
