"""What the graphs compute, in torch: the loss, the projected gradient of each sequence, one AdamW step.

Shapes: B sequences of L token ids, of which L - 1 are predicted. `mask` [B, L] is the weight of each token as a target
(column 0 is never a target; padding stands at the right with weight 0, and a causal mask then keeps it out of everything).
Parameters are passed in, never read from the model, so that a graph serves every checkpoint.
"""

import torch
from torch import nn


def logits_of(model, parameters, ids):
    """Logits [B, T, V] of a transformers causal LM at ids [B, T].

    The causal bias is passed as a ready 4-D mask, which makes transformers skip its own mask code (it cannot be traced). Fits models without
    sliding windows or ALiBi.
    """
    positions = torch.arange(ids.shape[1], device=ids.device)
    dtype = next(iter(parameters.values())).dtype
    future = positions[None, :] > positions[:, None]
    bias = torch.where(future, -1e9, 0.0).to(dtype)[None, None]
    inputs = dict(input_ids=ids, attention_mask=bias, position_ids=positions[None], use_cache=False)
    return torch.func.functional_call(model, parameters, (), inputs).logits


def inputs_and_targets(ids, mask):
    """Token ids travel as int32, half of int64; torch's gather wants int64."""
    ids = ids.long()
    return ids[:, :-1], ids[:, 1:], mask[:, 1:]


def negative_log_likelihood(logits, targets):
    """[B, T], nats."""
    return -torch.log_softmax(logits, -1).gather(-1, targets.unsqueeze(-1)).squeeze(-1)


def likelihood_and_gradient(logits, targets, weights):
    """NLL [B, T] and d(sum of weights * NLL) / dlogits = weights * (softmax - onehot), written by hand: autograd's own
    needs about a fifth more time over the [B, T, V] tensor."""
    log_probabilities = torch.log_softmax(logits, -1)
    index = targets.unsqueeze(-1)
    weights = weights.unsqueeze(-1)
    gradient = (log_probabilities.exp() * weights).scatter_add(-1, index, -weights)
    return -log_probabilities.gather(-1, index).squeeze(-1), gradient


def sequence_loss(model, names):
    """(parameters..., ids, mask) -> loss [B], mean NLL of the weighted targets; count [B], the sum of their weights;
    likelihood [B, L - 1], the NLL of each target, whatever its weight."""

    def compute(*arguments):
        *parameters, ids, mask = arguments
        tokens, targets, weights = inputs_and_targets(ids, mask)
        likelihood = negative_log_likelihood(logits_of(model, dict(zip(names, parameters)), tokens), targets)
        count = weights.sum(1)
        return (likelihood * weights).sum(1) / count.clamp_min(1.0), count, likelihood

    return compute


def projected_linears(model):
    """(name, module, in size, out size) of every linear layer but the output embedding, in the order of named_modules.

    transformers' Conv1D (GPT-2) counts as linear; its weight is [in, out].
    """
    head = model.get_output_embeddings()
    found = []
    for name, module in model.named_modules():
        if module is head:
            continue
        if isinstance(module, nn.Linear):
            found.append((name, module, module.in_features, module.out_features))
        elif type(module).__name__ == 'Conv1D':
            found.append((name, module, *module.weight.shape))
    return found


def projected_gradients(model, names, linears):
    """(parameters..., P_in and P_out of each linear..., ids, mask) -> loss [B], phi [B, sum of k_out * k_in].

    phi is the gradient of each sequence's own mean loss with respect to each linear layer's weight, projected on both
    sides: P_out^T (dL/dW) P_in, flattened by rows. For a linear layer dL/dW = sum over t of delta_t a_t^T, so that
    (delta P_out)^T (a P_in) gives the projection without the gradient of any single sequence ever existing (LoGra).
    """

    def compute(*arguments):
        count = len(names)
        parameters = [p.requires_grad_() for p in arguments[:count]]
        projections, (ids, mask) = arguments[count:-2], arguments[-2:]
        tokens, targets, weights = inputs_and_targets(ids, mask)
        seen = {}

        def remember(name):
            def hook(module, inputs, output):
                assert name not in seen, f'{name} is used twice in one forward pass: not supported'
                seen[name] = (inputs[0], output)

            return hook

        hooks = [module.register_forward_hook(remember(name)) for name, module, _, _ in linears]
        try:
            logits = logits_of(model, dict(zip(names, parameters)), tokens)
        finally:
            for hook in hooks:
                hook.remove()
        weights = weights / weights.sum(1, keepdim=True).clamp_min(1.0)
        likelihood, gradient = likelihood_and_gradient(logits.detach(), targets, weights)
        outputs = [seen[name][1] for name, *_ in linears]
        deltas = torch.autograd.grad(logits, outputs, grad_outputs=gradient)
        parts = []
        for index, (delta, (name, *_)) in enumerate(zip(deltas, linears)):
            p_in, p_out = projections[2 * index], projections[2 * index + 1]
            parts.append(((delta @ p_out).transpose(1, 2) @ (seen[name][0] @ p_in)).flatten(1))
        return (likelihood * weights).sum(1).detach(), torch.cat(parts, 1).detach()

    return compute


# Everything about the optimizer is an input: the exporter's own optimizer drops an `x + eps` with eps <= 1e-8, and
# 1 - beta^step in float32 is inexact, so the host computes the bias corrections in float64.
ADAMW_SCALARS = (
    'learning_rate',
    'weight_decay',
    'clip',
    'beta1',
    'beta2',
    'epsilon',
    'bias_correction1',
    'bias_correction2',
)


def adamw_step(model, names):
    """(parameters..., m..., v..., ids, mask, scalars...) -> loss, gradient norm, new parameters..., new m..., new v...

    The loss is the mean over all weighted targets of the batch. The gradient is scaled down to the norm `clip` (infinity:
    never). Weight decay is decoupled and spares parameters of one dimension (norms, biases). With beta1 = 0,
    bias_correction1 = 1 and m = 0 the new m is the clipped gradient itself.
    """

    def compute(*arguments):
        count = len(names)
        parameters = [p.requires_grad_() for p in arguments[:count]]
        firsts, seconds = arguments[count : 2 * count], arguments[2 * count : 3 * count]
        ids, mask, rate, decay, clip, beta1, beta2, epsilon, correction1, correction2 = arguments[3 * count :]
        tokens, targets, weights = inputs_and_targets(ids, mask)
        logits = logits_of(model, dict(zip(names, parameters)), tokens)
        weights = weights / weights.sum().clamp_min(1.0)
        likelihood, gradient = likelihood_and_gradient(logits.detach(), targets, weights)
        gradients = torch.autograd.grad(logits, parameters, grad_outputs=gradient)
        norm = torch.stack([g.square().sum() for g in gradients]).sum().sqrt()
        scale = torch.minimum(clip / norm, torch.ones_like(norm))
        new, new_firsts, new_seconds = [], [], []
        for p, g, m, v in zip(parameters, gradients, firsts, seconds):
            g = g * scale
            m = beta1 * m + (1 - beta1) * g
            v = beta2 * v + (1 - beta2) * g * g
            kept = p * (1 - rate * decay) if p.ndim > 1 else p
            new.append(kept - (rate / correction1) * m / (v.sqrt() * correction2.rsqrt() + epsilon))
            new_firsts.append(m)
            new_seconds.append(v)
        loss = (likelihood * weights).sum()
        return tuple(t.detach() for t in (loss, norm, *new, *new_firsts, *new_seconds))

    return compute
