"""Updates of domain weights that are learned while a proxy trains: topologies/mixing of winnow, in Python."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

TINY = 1e-6
SMALLEST = 5e-324


@dataclass(frozen=True)
class DomainWeights:
    """`weights` are positive where the prior is, and sum to 1; `sum` is of the weights after each update; `excess` is DoReMi's last."""

    weights: tuple[float, ...]
    sum: tuple[float, ...]
    excess: tuple[float, ...]
    updates: int = 0

    @staticmethod
    def initial(prior: Sequence[float]) -> 'DomainWeights':
        zeros = (0.0,) * len(prior)
        return DomainWeights(_normalized(prior), zeros, zeros)

    @property
    def mean(self) -> tuple[float, ...]:
        """The answer: of the weights after every update; before any, the weights."""
        return _normalized(self.sum if self.updates else self.weights)


def exponentiated(state: DomainWeights, gains: Sequence[float], smoothing: float) -> DomainWeights:
    """w_d <- w_d exp(gain_d), normalized, then (1 - smoothing) w_d + smoothing / n over the n domains with weight."""
    present = [d for d, weight in enumerate(state.weights) if weight > 0]
    top = max(gains[d] for d in present)
    # A domain that falls below the smallest number would never come back.
    raised = [
        max(weight * math.exp(gain - top), SMALLEST) if weight > 0 else 0.0
        for weight, gain in zip(state.weights, gains, strict=True)
    ]
    moved = tuple((1 - smoothing) * weight + smoothing / len(present) if weight > 0 else 0.0 for weight in _normalized(raised))
    total = tuple(a + b for a, b in zip(state.sum, moved, strict=True))
    return replace(state, weights=moved, sum=total, updates=state.updates + 1)


def doremi_update(
    state: DomainWeights, excess: Sequence[float | None], rate: float = 1.0, smoothing: float = 1e-4
) -> DomainWeights:
    """`excess`: of each domain, the mean over its tokens of max(loss of the proxy - loss of the reference, 0); None: not in the batch,
    which keeps the last one."""
    last = tuple(before if now is None else now for before, now in zip(state.excess, excess, strict=True))
    return replace(exponentiated(state, [rate * one for one in last], smoothing), excess=last)


def row_weights(domains: Sequence[int], weights: Sequence[float], prior: Sequence[float]) -> list[float]:
    """What the tokens of each row count in the proxy's loss: weight over prior of its domain, on average 1."""
    raw = [weights[d] / prior[d] for d in domains]
    total = sum(raw)
    return [one * len(raw) / total for one in raw]


def domains_of_step(seed: str | int, step: int, rows: int, prior: Sequence[float]) -> list[int]:
    """The domain of each row of a step's batch, drawn by the prior: those that topologies/mixing/rows.ts draws."""
    start = int.from_bytes(hashlib.sha256(f'{seed}:{step}:doremi:rows'.encode()).digest()[:8], 'little')
    total = sum(prior)
    last = max(d for d, amount in enumerate(prior) if amount > 0)
    drawn = []
    for row in range(rows):
        left = ((_splitmix64(row ^ start) >> 12) + 0.5) / 2**52 * total
        domain = last
        for d, amount in enumerate(prior):
            if left < amount:
                domain = d
                break
            left -= amount
        drawn.append(domain)
    return drawn


def _splitmix64(x: int) -> int:
    z = (x + 0x9E3779B97F4A7C15) % 2**64
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    return z ^ (z >> 31)


def doge_update(
    state: DomainWeights,
    target: Sequence[float],
    own: Sequence[float],
    learning_rate: float,
    variant: str = 'universal',
    mu: float = 0.05,
    smoothing: float = 0.0,
    gains: tuple[float, float] = (0.0, 5.0),
) -> DomainWeights:
    """`target`: of each domain, the product of its gradient with the sum of all (universal) or with the target's (out-of-domain);
    `own`: with itself."""
    present = [d for d, weight in enumerate(state.weights) if weight > 0]
    mean_norm = sum(math.sqrt(own[d]) for d in present) / len(present)
    moves = [0.0] * len(state.weights)
    for d in present:
        elsewhere = target[d] - own[d] if variant == 'universal' else target[d]
        bounded = min(max(elsewhere / (mean_norm + TINY), gains[0]), gains[1])
        moves[d] = learning_rate * bounded / mu
    return exponentiated(state, moves, smoothing)


def _normalized(values: Sequence[float]) -> tuple[float, ...]:
    total = sum(values)
    return tuple(value / total for value in values)
