"""Which configurations the graphs compute correctly, and a sentence on what to do about each of the others."""

import torch

from computations import logits_of

# Families whose graphs are compared with a float64 reference (families.py and the tests of test/services/influence/export).
TESTED = ('gpt2', 'gpt_neox', 'llama', 'qwen2')

# Their angles depend on the length of the input, which a graph with constant angles cannot reproduce.
DYNAMIC_ROPE = ('dynamic', 'longrope')

# Configuration values that switch on features missing from the graphs.
EXPERTS = ('num_local_experts', 'num_experts', 'n_routed_experts', 'moe_num_experts')

LOGIT_TOLERANCE = 1e-3


class Unsupported(Exception):
    """What is wrong with a model folder, and what to do."""


def refuse_unsupported(config):
    """`config`: a config.json as a dict. Raises Unsupported for anything that the graphs would compute wrongly or not at all."""
    kind = config.get('model_type')
    if kind is None:
        raise Unsupported('config.json has no model_type; use the config.json that save_pretrained wrote beside the weights')
    if 'auto_map' in config:
        raise Unsupported(
            f'{kind} brings its own Python code (auto_map), which is not run here; convert it to one of {", ".join(TESTED)}, '
            'or serve it with the worker in services/influence/torch'
        )
    if config.get('is_encoder_decoder'):
        raise Unsupported(f'{kind} is an encoder-decoder; use a causal (decoder-only) model')
    if 'quantization_config' in config:
        raise Unsupported('the weights are quantized; export the checkpoint they were made from (float32, float16 or bfloat16)')
    if any((config.get(name) or 0) > 1 for name in EXPERTS):
        raise Unsupported(f'{kind} mixes experts, whose routing does not trace; use a dense model')
    refuse_sliding_windows(config)
    if config.get('alibi'):
        raise Unsupported(f'{kind} uses ALiBi, which the graphs lack; use a model with rotary or learned positions')
    rope = config.get('rope_scaling') or config.get('rope_parameters') or {}
    rope_type = rope.get('rope_type', rope.get('type', 'default'))
    if rope_type in DYNAMIC_ROPE:
        raise Unsupported(
            f'rope scaling {rope_type} changes with the length of the input; set it to default (for inputs up to '
            'original_max_position_embeddings that is the same), linear, llama3 or yarn'
        )


def refuse_sliding_windows(config):
    """Mistral has a window wherever one is configured; Qwen2 always has the setting and uses it only with use_sliding_window."""
    window = config.get('sliding_window')
    shorter = window is not None and window < config.get('max_position_embeddings', 1 << 62)
    if (shorter and config.get('use_sliding_window', True)) or 'sliding_attention' in (config.get('layer_types') or []):
        raise Unsupported(
            f'attention has a sliding window of {window}; if no document window of the run is longer than that, remove it: set '
            'sliding_window to null (and use_sliding_window to false, layer_types to full_attention) in a copy of config.json'
        )


def check_forward(model, vocabulary, length):
    """Compares the logits that the graphs compute, under their own causal mask, with the model's own forward pass."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, vocabulary, (2, length), generator=generator)
    with torch.no_grad():
        own = model(input_ids=ids, use_cache=False).logits
        graphs = logits_of(model, dict(model.named_parameters()), ids)
    difference = (own - graphs).abs().max().item() / max(1.0, own.abs().max().item())
    if not difference < LOGIT_TOLERANCE:
        raise Unsupported(
            f'{type(model).__name__} computes other logits than its graphs would (they differ by {difference:.1e}): it '
            f'uses more than a causal mask. Use a model of a tested family: {", ".join(TESTED)}'
        )
