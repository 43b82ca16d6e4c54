"""Rewards of documents, as services/model/estimators computes them (SELECTION.md, "Rewards"). Positive: training on it helps."""

import numpy as np
import torch

from .checkpoints import SECOND_MOMENT


def normal_number(value):
    """The number as JavaScript prints it."""
    text = repr(float(value))
    return text.removesuffix('.0') if 'e' not in text else text.replace('e-0', 'e-')


def _suffix(options):
    return '' if options.preconditioner == 'none' else f'/{options.preconditioner}'


def fisher_inverse(rows, damping):
    """v -> H^-1 v with H = G^T G / n + lambda I, lambda = damping times the mean eigenvalue of G G^T / n, by Woodbury:
    H^-1 v = (v - G^T (n lambda I + G G^T)^-1 G v) / lambda. rows: G [n, size], float64."""
    n = len(rows)
    system = rows @ rows.T
    scale = damping * np.trace(system) / (n * n)
    if scale == 0:
        return np.zeros_like
    system[np.diag_indices(n)] += n * scale
    return lambda vector: (vector - rows.T @ np.linalg.solve(system, rows @ vector)) / scale


def in_batches(sequences, tokens_max):
    """Batches of indexes of sequences, similar lengths together: at most tokens_max padded tokens each, at least one sequence."""
    order = sorted(range(len(sequences)), key=lambda i: len(sequences[i].ids))
    batch = []
    for index in order:
        if batch and len(sequences[index].ids) * (len(batch) + 1) > tokens_max:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


# Added to the square root of a second moment, as in the trainer.
EPSILON = 1e-8
# The trainer's, and the paper's (A.7.1).
PROBE_BETA2 = 0.95


def preconditioned(gradient, weights, beta2):
    """Divides each value by the square root of its second moment, as Adam does; the bias correction is one factor for all. `beta2`
    is the weight of the old moments in the step's: 1 keeps the division linear; less bounds the step of a parameter that
    training has not moved yet (services/model/worker/slopes.ts)."""

    def divisor(key, value):
        moments = weights[f'{SECOND_MOMENT}{key}'].double()
        return (beta2 * moments + (1 - beta2) * value.double().square()).sqrt() + EPSILON

    return {key: value / divisor(key, value) for key, value in gradient.items()}


class Gradient:
    """The inner product of the document's projected gradient with H^-1 times the task's mean; `cosine` divides by both norms. With
    Adam's preconditioner D the task's mean gradient is multiplied by D before projection, since D is symmetric."""

    def __init__(self, model, options):
        self._model, self._options = model, options
        hessian = options.hessian if options.hessian == 'identity' else f'fisher-{normal_number(options.damping)}'
        self.name = f'gradient/{options.normalize}/{hessian}{_suffix(options)}'

    def prepare(self, tasks, weights):
        """The direction of each task, float64 [phi_size]."""
        if self._options.preconditioner == 'adam':
            return [self._preconditioned_mean(task, weights) for task in tasks]
        rows = [self._phi(task) for task in tasks]
        means = [task.mean(0) for task in rows]
        if self._options.hessian == 'identity':
            return means
        inverse = fisher_inverse(np.concatenate(rows), self._options.damping)
        return [inverse(mean) for mean in means]

    def score(self, directions, documents, weights):
        """Rewards [documents, tasks]; each document is a list of windows."""
        phi = self._phi([window for windows in documents for window in windows])
        rewards = np.zeros((len(documents), len(directions)))
        at = 0
        for d, windows in enumerate(documents):
            targets = np.array([window.targets for window in windows])
            gradient = (targets / targets.sum()) @ phi[at : at + len(windows)]
            at += len(windows)
            for t, direction in enumerate(directions):
                product = gradient @ direction
                if self._options.normalize == 'cosine' and product != 0:
                    product /= np.linalg.norm(gradient) * np.linalg.norm(direction)
                rewards[d, t] = product
        return rewards

    def _preconditioned_mean(self, task, weights):
        gradient = self._model.gradient([[sample] for sample in task], [1 / len(task)] * len(task))
        return self._model.projected(preconditioned(gradient, weights, 1), self._options.projection_seed)

    def _phi(self, sequences):
        phi = np.empty((len(sequences), self._model.phi_size))
        for batch in in_batches(sequences, self._options.batch_tokens):
            _, phi[batch] = self._model.projected_gradients([sequences[i] for i in batch], self._options.projection_seed)
        return phi


class Probe:
    """Each task's loss before minus after one step of all parameters down the document's gradient, plain or preconditioned. With
    `cosine` the step has length `probe_step`, otherwise it is probe_step times the gradient."""

    def __init__(self, model, options):
        self._model, self._options = model, options
        self.name = f'probe/{options.normalize}/{normal_number(options.probe_step)}{_suffix(options)}'

    def prepare(self, tasks, weights):
        return tasks, [self._loss(task) for task in tasks]

    def score(self, prepared, documents, weights):
        tasks, before = prepared
        rewards = []
        for windows in documents:
            self._model.use(self._stepped(weights, windows))
            rewards.append([loss - self._loss(task) for loss, task in zip(before, tasks, strict=True)])
            self._model.use(weights)
        return np.array(rewards)

    def _stepped(self, weights, windows):
        targets = [window.targets for window in windows]
        gradient = self._model.gradient([[window] for window in windows], [count / sum(targets) for count in targets])
        if self._options.preconditioner == 'adam':
            gradient = preconditioned(gradient, weights, PROBE_BETA2)
        size = self._options.probe_step
        norm = torch.stack([value.square().sum() for value in gradient.values()]).sum().sqrt().item()
        if self._options.normalize == 'cosine' and norm > 0:
            size /= norm
        return {key: (weights[key].double() - size * slope).to(weights[key].dtype) for key, slope in gradient.items()}

    def _loss(self, task):
        losses = [self._model.losses([task[i] for i in batch]) for batch in in_batches(task, self._options.batch_tokens)]
        return float(np.concatenate(losses).mean())
