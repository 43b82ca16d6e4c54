"""The parts of the PyTorch worker that need no cluster."""

import dataclasses
import hashlib
import json
import os
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np

try:
    import torch
except ImportError as error:
    raise unittest.SkipTest(f'{error}: WINNOW_TEST_TORCH=yes npm test installs it') from error
from memory_registry import MemoryRegistry
from safetensors.torch import save_file
from winnow_torch.checkpoints import Checkpoints, read_weights
from winnow_torch.estimators import Gradient, Probe, fisher_inverse, in_batches
from winnow_torch.model import Model, read_description
from winnow_torch.projection import random_words
from winnow_torch.run import parse_run
from winnow_torch.sequences import Sequence, document_windows
from winnow_wire.connection import kafka_settings, registry_authorization
from winnow_wire.errors import WinnowError
from winnow_wire.records import DecodeError, Reader, Writer, document_id, signed

FAMILIES = Path(__file__).parents[1] / 'export' / 'families'
GOLDEN = json.loads((FAMILIES / 'golden.json').read_text())
CPU = torch.device('cpu')


def weight(key, shape):
    """families.py, `weight`."""
    words = (random_words(GOLDEN['seed'], f'weights:{key}', int(np.prod(shape))) >> np.uint64(40)).astype(np.float64)
    values = (words / 2**23 - 1) * 0.2 + (len(shape) == 1 and not key.endswith('bias'))
    return torch.from_numpy(values.astype(np.float32).reshape(shape))


def weights_of(model):
    return {key: weight(key, shape).to(model.dtype) for key, shape in model.shapes.items()}


def sequence(ids):
    return Sequence(np.array(ids), np.ones(len(ids), dtype=np.float32))


class Gradients(unittest.TestCase):
    def compare(self, dtype, tolerance, batched):
        for name, expected in GOLDEN['families'].items():
            model = Model(read_description(FAMILIES / name), CPU, dtype)
            model.use(weights_of(model))
            rows = expected['influence']
            batch = [sequence(row['tokens']) for row in rows]
            batches = [batch] if batched else [[one] for one in batch]
            results = [model.projected_gradients(b, GOLDEN['seed']) for b in batches]
            losses, phi = (np.concatenate(parts) for parts in zip(*results))
            size = 16
            for row, values, loss in zip(rows, phi, losses):
                self.assertLess(abs(loss - row['loss']), tolerance)
                for at in range(0, len(values), size):
                    golden = np.array(row['phi'][at : at + size])
                    error = np.linalg.norm(values[at : at + size] - golden) / np.linalg.norm(golden)
                    self.assertLess(error, tolerance, f'{name}, module {at // size}')

    def test_float32_agrees_with_float64_to_1e_5_in_a_padded_batch_and_alone(self):
        self.compare(torch.float32, 1e-5, True)
        self.compare(torch.float32, 1e-5, False)

    def test_float64_agrees_closer_still(self):
        self.compare(torch.float64, 1e-6, True)

    def test_the_gradient_of_all_parameters_agrees_with_float64(self):
        for name, expected in GOLDEN['families'].items():
            model = Model(read_description(FAMILIES / name), CPU, torch.float64)
            model.use(weights_of(model))
            training = expected['training']
            ids = np.array(training['ids']).reshape(training['rows'], -1)
            gradient = model.gradient([[sequence(row)] for row in ids], [1 / len(ids)] * len(ids))
            for key, golden in training['gradients'].items():
                self.assertLess(abs(gradient[key].norm().item() / golden['norm'] - 1), 1e-6, f'{name}, {key}')


class Estimators(unittest.TestCase):
    def test_the_fisher_inverse_is_that_of_the_damped_matrix(self):
        generator = np.random.default_rng(1)
        rows, vector = generator.normal(size=(5, 12)), generator.normal(size=12)
        system = rows.T @ rows / 5
        damping = 0.1 * np.trace(rows @ rows.T / 5) / 5
        expected = np.linalg.solve(system + damping * np.eye(12), vector)
        np.testing.assert_allclose(fisher_inverse(rows, 0.1)(vector), expected, rtol=1e-9)

    def test_batches_hold_every_sequence_once_and_no_more_tokens_than_they_may(self):
        sequences = [sequence(range(length)) for length in (5, 30, 3, 30, 8, 200)]
        batches = list(in_batches(sequences, 60))
        self.assertEqual(sorted(sum(batches, [])), list(range(6)))
        for batch in batches:
            longest = max(len(sequences[i].ids) for i in batch)
            self.assertTrue(len(batch) == 1 or longest * len(batch) <= 60)
        self.assertEqual(len(list(in_batches(sequences, 1))), 6)

    def test_with_second_moments_of_1_adam_changes_nothing_and_else_it_weighs_values(self):
        for family in ('gpt2', 'llama-gqa'):
            model = Model(read_description(FAMILIES / family), CPU, torch.float32)
            weights = weights_of(model)
            model.use(weights)
            task, document = [sequence([1, 2, 3, 4, 5, 6]), sequence([3, 1, 4, 1, 5])], [sequence([9, 8, 7, 6])]
            options = dict(normalize='none', hessian='identity', batch_tokens=1, projection_seed='7')

            def reward(moments, model=model, weights=weights, task=task, document=document, options=options, **more):
                estimator = Gradient(model, mock.Mock(**options, **more))
                state = weights | {f'v.{key}': torch.full(shape, moments) for key, shape in model.shapes.items()}
                return estimator.score(estimator.prepare([task], state), [document], state)[0, 0], estimator.name

            plain, name = reward(1.0, preconditioner='none')
            self.assertEqual(name, 'gradient/none/identity')
            same, name = reward(1.0, preconditioner='adam')
            self.assertEqual(name, 'gradient/none/identity/adam')
            self.assertLess(abs(same / plain - 1), 1e-4)
            quarter, _ = reward(16.0, preconditioner='adam')
            self.assertLess(abs(quarter / plain * 4 - 1), 1e-4)

    def test_a_probe_puts_the_weights_back_to_the_bit(self):
        model = Model(read_description(FAMILIES / 'gpt2'), CPU, torch.float32)
        weights = weights_of(model)
        before = {key: value.clone() for key, value in weights.items()}
        model.use(weights)
        task = [sequence([1, 2, 3, 4, 5, 6])]
        options = mock.Mock(normalize='none', probe_step=0.01, batch_tokens=1, preconditioner='none')
        probe = Probe(model, options)
        self.assertEqual(probe.name, 'probe/none/0.01')
        rewards = probe.score(probe.prepare([task], weights), [task, [sequence([9, 8, 7])]], weights)
        # A step on the reference itself helps it.
        self.assertGreater(rewards[0, 0], 0)
        self.assertEqual(rewards.shape, (2, 1))
        for key, value in weights.items():
            self.assertTrue(torch.equal(value, before[key]), key)
        again = probe.score(probe.prepare([task], weights), [task], weights)
        self.assertEqual(again[0, 0], rewards[0, 0])


class Windows(unittest.TestCase):
    def test_a_long_document_is_cut_as_the_other_worker_cuts_it(self):
        windows = document_windows([7] * 100, 0, context=64, windows=2)
        self.assertEqual([len(window.ids) for window in windows], [65, 38])
        self.assertEqual([window.targets for window in windows], [64, 37])
        self.assertEqual((windows[0].ids[0], windows[1].ids[-1]), (0, 0))

    def test_tokens_that_overlap_are_targets_once(self):
        windows = document_windows(list(range(1, 51)), 0, context=20, windows=4, overlap=5)
        self.assertEqual(sum(window.targets for window in windows), 51)
        self.assertEqual(list(windows[1].ids[:6]), list(windows[0].ids[-6:]))
        self.assertEqual(document_windows([], 0, 20, 4, 5)[0].targets, 1)


class Weights(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = temporary.name
        self.tensors = {'a': torch.arange(6.0).reshape(2, 3), 'b': torch.ones(4)}
        self.shapes = {'a': [2, 3], 'b': [4]}

    def save(self, name, tensors):
        path = os.path.join(self.folder, name)
        save_file(tensors, path)
        with open(path, 'rb') as file:
            return path, hashlib.sha256(file.read()).hexdigest()

    def read(self, path, digest, dtype=torch.float32):
        return read_weights(path, digest, self.shapes, CPU, dtype)

    def test_a_file_is_read_without_its_moments(self):
        path, digest = self.save('one.safetensors', self.tensors | {'m.a': torch.zeros(2, 3)})
        weights = self.read(path, digest)
        self.assertEqual(set(weights), {'a', 'b'})
        self.assertTrue(torch.equal(weights['a'], self.tensors['a']))

    def test_second_moments_are_read_where_they_are_asked_for_and_never_in_bfloat16(self):
        path, digest = self.save('one.safetensors', self.tensors | {'v.b': torch.full((4,), 1e-9)})
        self.shapes['v.b'] = [4]
        self.assertEqual(self.read(path, digest, torch.bfloat16)['v.b'].dtype, torch.float32)
        self.shapes['v.a'] = [2, 3]
        with self.assertRaises(WinnowError) as raised:
            self.read(path, digest)
        self.assertIn('preconditioner: none', raised.exception.hint)

    def test_bfloat16_is_read(self):
        path, digest = self.save('half.safetensors', {key: value.bfloat16() for key, value in self.tensors.items()})
        self.assertTrue(torch.equal(self.read(path, digest)['a'], self.tensors['a']))
        self.assertEqual(self.read(path, digest, torch.bfloat16)['a'].dtype, torch.bfloat16)

    def test_shards_are_one_checkpoint_whose_digest_is_that_of_the_list(self):
        lines = [self.save(f'{key}.safetensors', {key: value}) for key, value in self.tensors.items()]
        index = os.path.join(self.folder, 'model.safetensors.index.json')
        with open(index, 'w') as file:
            json.dump({'weight_map': {'a': 'a.safetensors', 'b': 'b.safetensors'}}, file)
        with open(index, 'rb') as file:
            lines.insert(0, (index, hashlib.sha256(file.read()).hexdigest()))
        listing = ''.join(f'{digest}  {os.path.basename(path)}\n' for path, digest in lines)
        digest = hashlib.sha256(listing.encode()).hexdigest()
        self.assertTrue(torch.equal(self.read(index, digest)['b'], self.tensors['b']))
        self.save('b.safetensors', {'b': torch.zeros(4)})
        with self.assertRaisesRegex(WinnowError, 'is not whole'):
            self.read(index, digest)

    def test_a_half_written_file_is_waited_for_and_another_model_is_not(self):
        path, digest = self.save('one.safetensors', self.tensors)
        with open(path, 'r+b') as file:
            file.truncate(os.path.getsize(path) - 3)
        with self.assertRaises(WinnowError) as raised:
            self.read(path, digest)
        self.assertEqual((raised.exception.code, raised.exception.retriable), ('CHECKPOINT_INCOMPLETE', True))
        path, digest = self.save('other.safetensors', {'a': torch.zeros(3, 2)})
        with self.assertRaisesRegex(WinnowError, r'a is \[3, 2\], expected \[2, 3\]') as raised:
            self.read(path, digest)
        self.assertFalse(raised.exception.retriable)

    def test_the_library_of_a_store_that_is_missing_is_named_and_not_waited_for(self):
        with mock.patch('winnow_wire.stores.importlib.import_module', side_effect=ImportError):
            with self.assertRaisesRegex(WinnowError, 'boto3 is not installed') as raised:
                self.read('s3://bucket/one.safetensors', '0' * 64)
        self.assertEqual((raised.exception.code, raised.exception.retriable), ('CONFIGURATION', False))

    def test_as_many_checkpoints_are_kept_as_memory_allows(self):
        saved = [self.save(f'{i}.safetensors', {'a': torch.full((2, 3), float(i)), 'b': torch.ones(4)}) for i in range(3)]
        checkpoints = Checkpoints(self.shapes, CPU, torch.float32, bytes_max=2 * 40)
        for path, digest in saved:
            checkpoints.weights(path, digest)
        os.remove(saved[2][0])
        self.assertEqual(checkpoints.weights(*saved[2])['a'][0, 0], 2)
        os.remove(saved[0][0])
        with self.assertRaises(WinnowError):
            checkpoints.weights(*saved[0])


class Records(unittest.TestCase):
    def test_ids_keep_their_64_bits(self):
        for doc_id in (0, 2**63 - 1, 2**63, 2**64 - 1):
            self.assertEqual(document_id(signed(doc_id)), doc_id)

    def test_what_is_wrong_with_bytes_has_a_stable_word(self):
        registry = MemoryRegistry()
        writer, other = Writer(registry, 'RewardRequest'), Writer(registry, 'Run')
        reader = Reader(registry, 'RewardRequest')
        request = dict(run='r', round=1, actor='a', docId=-1, text='t', checkpointPath='p', checkpointDigest='d')
        good = writer.encode(request)
        self.assertEqual(reader.value(good), request)
        wrong = {
            'bad-framing': [None, b'', b'\1' + good[1:]],
            'unknown-schema': [b'\0\0\0\0\x63' + good[5:]],
            'bad-body': [good[:-3], good + b'x'],
            'wrong-record': [other.encode(dict(run='r', config='{}', replayOf=None))],
        }
        for reason, values in wrong.items():
            for value in values:
                with self.assertRaises(DecodeError) as raised:
                    reader.value(value)
                self.assertEqual(raised.exception.reason, reason)


class Connections(unittest.TestCase):
    def test_brokers_are_reached_as_the_environment_says(self):
        self.assertEqual(kafka_settings({}, 'b:1'), {'bootstrap.servers': 'b:1', 'security.protocol': 'PLAINTEXT'})
        environment = dict(
            WINNOW_KAFKA_TLS='true', WINNOW_KAFKA_CA='/ca.pem', WINNOW_KAFKA_SASL='scram-sha-256', WINNOW_KAFKA_USERNAME='u'
        )
        with self.assertRaisesRegex(WinnowError, 'WINNOW_KAFKA_PASSWORD is not'):
            kafka_settings(environment, 'b:1')
        with tempfile.NamedTemporaryFile('w') as file:
            file.write('secret\n')
            file.flush()
            settings = kafka_settings(environment | {'WINNOW_KAFKA_PASSWORD_FILE': file.name}, 'b:1')
        self.assertEqual(settings['security.protocol'], 'SASL_SSL')
        self.assertEqual((settings['ssl.ca.location'], settings['sasl.mechanisms']), ('/ca.pem', 'SCRAM-SHA-256'))
        self.assertEqual((settings['sasl.username'], settings['sasl.password']), ('u', 'secret'))
        with self.assertRaisesRegex(WinnowError, 'cannot log in by oauthbearer'):
            kafka_settings({'WINNOW_KAFKA_SASL': 'oauthbearer'}, 'b:1')

    def test_the_registry_is_told_who_asks(self):
        self.assertIsNone(registry_authorization({}))
        environment = dict(WINNOW_REGISTRY_USERNAME='u', WINNOW_REGISTRY_PASSWORD='p')
        self.assertEqual(registry_authorization(environment), 'Basic dTpw')


class Runs(unittest.TestCase):
    CONFIG = dict(
        model='/data/model', trainer=dict(context=32), reference=dict(reward='/data/r.jsonl', samplesMax=4),
        influence=dict(normalize='cosine', projectionSeed='s', windowsMax=2),
    )  # fmt: skip

    def test_defaults_are_those_of_the_run_configuration(self):
        run = parse_run('r', json.dumps(self.CONFIG), 1, lambda path: path.replace('/data', '/here'))
        self.assertEqual((run.model, run.references), ('/here/model', ['/here/r.jsonl']))
        self.assertEqual((run.estimator, run.hessian, run.context, run.overlap, run.windows), ('gradient', 'identity', 32, 0, 2))
        self.assertEqual(run.group, 'winnow.r.influence')
        self.assertEqual(dataclasses.replace(run, name='x').requests, 'winnow.run.x.reward-requests')

    def test_a_shipped_model_is_found_here_and_the_partitions_of_topics_say_nothing_of_rewards(self):
        config = self.CONFIG | dict(model='shipped:llama-64x2', influence=self.CONFIG['influence'] | dict(partitions=8))
        run = parse_run('r', json.dumps(config), 1, lambda path: path.replace('/', '/mapped/'))
        self.assertTrue((Path(run.model) / 'model.json').is_file())

    def test_a_setting_that_it_does_not_know_stops_it(self):
        config = self.CONFIG | {'influence': self.CONFIG['influence'] | {'curvature': 1}}
        with self.assertRaisesRegex(WinnowError, 'does not know: curvature'):
            parse_run('r', json.dumps(config), 1, str)


if __name__ == '__main__':
    unittest.main()
