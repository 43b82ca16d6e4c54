"""What the export refuses, and whether it says what to do: python -m unittest test_refusals (export's folder on PYTHONPATH)."""

import json
import os
import tempfile
import unittest

import torch
from safetensors.torch import save_file

from checkpoints import folder_keys
from export import causal_model, export
from families import FAMILIES
from supported import Unsupported, check_forward, refuse_unsupported

LLAMA = FAMILIES['llama-tied']


class Configurations(unittest.TestCase):
    def refused(self, change, what, base=LLAMA):
        with self.assertRaisesRegex(Unsupported, what):
            refuse_unsupported({**base, **change})

    def test_the_families_are_taken(self):
        for config in FAMILIES.values():
            refuse_unsupported(config)

    def test_what_the_graphs_would_compute_wrongly_is_refused(self):
        self.refused({'model_type': None}, 'no model_type')
        self.refused({'auto_map': {}}, 'own Python code')
        self.refused({'is_encoder_decoder': True}, 'encoder-decoder')
        self.refused({'quantization_config': {}}, 'quantized; export the checkpoint they were made from')
        self.refused({'num_local_experts': 8}, 'experts')
        self.refused({'sliding_window': 32}, 'set sliding_window to null')
        self.refused({'layer_types': ['sliding_attention']}, 'layer_types to full_attention')
        self.refused({'alibi': True}, 'ALiBi')
        self.refused({'rope_scaling': {'type': 'dynamic'}}, 'changes with the length')
        self.refused({'rope_parameters': {'rope_type': 'longrope'}}, 'changes with the length')

    def test_a_sliding_window_that_is_not_used_is_no_window(self):
        refuse_unsupported({**FAMILIES['qwen2'], 'sliding_window': 32, 'use_sliding_window': False})
        refuse_unsupported({**LLAMA, 'sliding_window': LLAMA['max_position_embeddings']})

    def test_a_model_with_more_than_a_causal_mask_is_found_out_by_its_logits(self):
        config = dict(model_type='mistral', vocab_size=160, hidden_size=32, num_hidden_layers=1, num_attention_heads=4,
                      num_key_value_heads=4, intermediate_size=48, max_position_embeddings=64, sliding_window=4)
        with self.assertRaisesRegex(Unsupported, 'more than a causal mask'):
            check_forward(causal_model(config), 160, 24)

    def test_an_unknown_type_is_named(self):
        with self.assertRaisesRegex(Unsupported, 'model_type nonsense is unknown'):
            export({'model_type': 'nonsense'}, '/nowhere', 4, 4)


class Checkpoints(unittest.TestCase):
    def setUp(self):
        self.model = causal_model(LLAMA)
        self.tensors = {name: p.detach().clone() for name, p in self.model.named_parameters()}
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def keys(self):
        save_file(self.tensors, os.path.join(self.folder.name, 'model.safetensors'))
        return folder_keys(self.model, self.folder.name)

    def test_every_weight_is_found_under_its_stored_name(self):
        self.assertEqual(self.keys(), {name: name for name in self.tensors})

    def test_a_tied_weight_may_be_stored_under_its_other_name(self):
        self.tensors['lm_head.weight'] = self.tensors.pop('model.embed_tokens.weight')
        self.assertEqual(self.keys()['model.embed_tokens.weight'], 'lm_head.weight')

    def test_renamed_weights_are_found(self):
        config = FAMILIES['neox']
        self.model = causal_model(config)
        self.tensors = {n: p.detach().clone() for n, p in self.model.named_parameters()}
        name = next(n for n in self.tensors if n in ('lm_head.weight', 'embed_out.weight'))
        self.tensors['embed_out.weight'] = self.tensors.pop(name)
        self.assertEqual(self.keys()[name], 'embed_out.weight')

    def test_missing_misshapen_and_unknown_tensors_are_refused(self):
        name = 'model.norm.weight'
        norm = self.tensors.pop(name)
        with self.assertRaisesRegex(Unsupported, f'no tensor for {name}'):
            self.keys()
        self.tensors[name] = torch.ones(3)
        with self.assertRaisesRegex(Unsupported, r'has shape \[3\] in the checkpoint, by config.json it is \[32\]'):
            self.keys()
        self.tensors[name] = norm
        self.tensors['model.layers.0.lora_A.weight'] = norm.clone()
        with self.assertRaisesRegex(Unsupported, 'does not use: model.layers.0.lora_A.weight; .*adapter'):
            self.keys()

    def test_a_missing_shard_is_named(self):
        with open(os.path.join(self.folder.name, 'model.safetensors.index.json'), 'w') as file:
            json.dump({'weight_map': {'a': 'model-00001-of-00001.safetensors'}}, file)
        with self.assertRaisesRegex(Unsupported, 'model-00001-of-00001.safetensors is missing'):
            folder_keys(self.model, self.folder.name)


if __name__ == '__main__':
    unittest.main()
