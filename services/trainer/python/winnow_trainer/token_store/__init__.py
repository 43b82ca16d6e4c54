"""Documents as tokens, ready to be packed: a folder of Megatron's data files that follows the corpus, and is read by id."""

from .store import TokenStore

__all__ = ['TokenStore']
