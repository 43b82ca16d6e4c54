"""The model of an exported folder (model.json, tokenizer.json) in PyTorch: losses and projected gradients at any weights."""

import json
import math
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
import transformers
from transformers.initialization import no_init_weights

from winnow_wire.errors import WinnowError

from .projection import projections


def read_description(folder):
    path = Path(folder) / 'model.json'
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise WinnowError(
            'MODEL_UNUSABLE',
            f'The model in {folder} cannot be used: {error}',
            'Write it with services/influence/export/export.py, or name its folder as this machine sees it: --map-path FROM=TO.',
        ) from error


class Model:
    """One network whose weights are exchanged between calls: it refers only to those of the last `use`."""

    def __init__(self, description, device, dtype):
        self.description = description
        self.device, self.dtype = device, dtype
        self.shapes = {entry['name']: entry['shape'] for entry in description['parameters']}
        config = dict(description['config'])
        for name in ('dtype', 'torch_dtype'):
            config.pop(name, None)
        kind = config.pop('model_type')
        config = transformers.AutoConfig.for_model(kind, **config)
        with no_init_weights():
            network = transformers.AutoModelForCausalLM.from_config(config).to(device=device, dtype=dtype).eval()
        # Skipping initialization also skips tying.
        network.tie_weights()
        network.requires_grad_(False)
        self._network = network
        self._keys = _keys(network, self.shapes)
        by_key = {key: name for name, key in self._keys.items()}
        modules = dict(network.named_modules())
        self._linears = [
            (entry, modules[by_key[f'{entry["name"]}.weight'].removesuffix('.weight')])
            for entry in description['projection']['modules']
        ]
        self._projections = (None, [])
        # Something to differentiate from: with all weights frozen no gradient would flow otherwise.
        network.get_input_embeddings().register_forward_hook(lambda module, inputs, output: output.requires_grad_())

    @property
    def phi_size(self):
        projection = self.description['projection']
        return projection['kIn'] * projection['kOut'] * len(projection['modules'])

    def use(self, weights):
        """Uses these weights, by checkpoint key, on the model's device. Tied parameters are a single parameter."""
        for name, parameter in self._network.named_parameters():
            parameter.data = weights[self._keys[name]]

    def losses(self, batch):
        """Mean loss of each sequence, numpy float64."""
        with torch.no_grad():
            return self._losses(*self._tensors(batch)).double().cpu().numpy()

    def projected_gradients(self, batch, seed):
        """loss [B] and phi [B, phi_size] of each sequence's own mean loss, numpy float64: for a linear layer with inputs a and
        gradients of outputs d, P_out^T (sum over t of d_t a_t^T) P_in, by rows (computations.py of the export)."""
        sides = self._projections_of(seed)
        # Half precision is enough for what single tokens add, not for their sum.
        sums = torch.float64 if self.dtype == torch.float64 else torch.float32
        parts = defaultdict(lambda: 0)

        def watch(index):
            p_in, p_out = sides[index]

            def forward(module, inputs, output):
                left = (inputs[0].detach() @ p_in).to(sums)

                def backward(gradient):
                    parts[index] = parts[index] + (gradient @ p_out).to(sums).transpose(1, 2) @ left

                output.register_hook(backward)

            return forward

        hooks = [module.register_forward_hook(watch(index)) for index, (_, module) in enumerate(self._linears)]
        try:
            losses = self._losses(*self._tensors(batch))
            losses.sum().backward()
        finally:
            for hook in hooks:
                hook.remove()
        phi = torch.cat([parts[index].flatten(1) for index in range(len(self._linears))], 1) * self._projection_scale
        return losses.detach().double().cpu().numpy(), phi.double().cpu().numpy()

    def gradient(self, batches, shares):
        """The gradient of the sum over batches of share * mean loss with respect to every parameter, by checkpoint key."""
        parameters = dict(self._network.named_parameters())
        self._network.requires_grad_(True)
        try:
            total = {self._keys[name]: torch.zeros_like(p, dtype=torch.float64) for name, p in parameters.items()}
            for batch, share in zip(batches, shares, strict=True):
                loss = self._losses(*self._tensors(batch)).sum()
                gradients = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
                for name, gradient in zip(parameters, gradients, strict=True):
                    if gradient is not None:
                        total[self._keys[name]] += share * gradient.double()
            return total
        finally:
            self._network.requires_grad_(False)

    def projected(self, gradient, seed):
        """P_out^T W P_in of whole gradients W by checkpoint key, as `projected_gradients` orders them; numpy float64."""
        parts = []
        for (entry, _), (p_in, p_out) in zip(self._linears, self._projections_of(seed), strict=True):
            slope = gradient[f'{entry["name"]}.weight']
            slope = slope.T if entry.get('transposed') else slope
            parts.append((p_out.double().T @ slope @ p_in.double()).flatten())
        return (torch.cat(parts) * self._projection_scale).cpu().numpy()

    def _tensors(self, batch):
        """ids and mask [B, L], padded at the right with weight 0; a causal model does not look there."""
        length = max(len(sequence.ids) for sequence in batch)
        ids = np.zeros((len(batch), length), dtype=np.int64)
        mask = np.zeros((len(batch), length), dtype=np.float32)
        for row, sequence in enumerate(batch):
            ids[row, : len(sequence.ids)] = sequence.ids
            mask[row, : len(sequence.mask)] = sequence.mask
        return torch.from_numpy(ids).to(self.device), torch.from_numpy(mask).to(self.device)

    def _losses(self, ids, mask):
        logits = self._network(input_ids=ids[:, :-1], use_cache=False).logits
        # bfloat16 has too few digits for a sum over the vocabulary.
        logits = logits if logits.dtype == torch.float64 else logits.float()
        likelihood = -torch.log_softmax(logits, -1).gather(-1, ids[:, 1:].unsqueeze(-1)).squeeze(-1)
        weights = mask[:, 1:].to(likelihood.dtype)
        return (likelihood * weights).sum(1) / weights.sum(1).clamp_min(1.0)

    @property
    def _projection_scale(self):
        projection = self.description['projection']
        return 1 / math.sqrt(projection['kIn'] * projection['kOut'])

    def _projections_of(self, seed):
        """P_in and P_out of each linear layer, 1 and -1: exact in every dtype. Their product is to be multiplied by the scale."""
        if self._projections[0] != seed:
            k_in, k_out = (self.description['projection'][k] for k in ('kIn', 'kOut'))
            sides = [
                [
                    torch.from_numpy(np.sign(side)).to(device=self.device, dtype=self.dtype)
                    for side in projections(entry, k_in, k_out, seed)
                ]
                for entry, _ in self._linears
            ]
            self._projections = (seed, sides)
        return self._projections[1]


def _keys(network, shapes):
    """Parameter name -> checkpoint key: the same name, that of a tied twin, or without the prefix of the base model; a single
    rest on both sides is one (GPT-NeoX: lm_head.weight, stored as embed_out.weight)."""
    aliases = defaultdict(list)
    for name, parameter in network.named_parameters(remove_duplicate=False):
        aliases[id(parameter)].append(name)
    prefix = f'{network.base_model_prefix}.'
    keys = {}
    for name, parameter in network.named_parameters():
        candidates = [c for alias in aliases[id(parameter)] for c in (alias, alias.removeprefix(prefix))]
        keys[name] = next((c for c in candidates if c in shapes), None)
    rest = [name for name, key in keys.items() if key is None]
    free = [key for key in shapes if key not in keys.values()]
    if len(rest) == 1 and len(free) == 1:
        keys[rest[0]] = free[0]
    elif rest or free:
        raise WinnowError(
            'MODEL_UNUSABLE',
            f'model.json has weights {free[:5]} that the network lacks, and lacks {rest[:5]}',
            'Export the model again, with the pinned version of transformers.',
        )
    return keys
