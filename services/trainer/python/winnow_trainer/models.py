"""Models of transformers, as the exported folder of a run describes them."""

import json
from pathlib import Path
from typing import Any

from winnow_wire.errors import WinnowError


def untrained(folder: str | Path, seed: int = 0, dtype: Any = None) -> Any:
    """The network of the folder's model.json with random weights of a seed, as transformers initializes it; `dtype`: of torch, float32
    by default. Raises WinnowError CONFIGURATION without torch and transformers."""
    try:
        import torch
        import transformers
    except ImportError as error:
        hint = "pip install 'winnow-trainer[hf]'"
        raise WinnowError('CONFIGURATION', f'there is no model without torch and transformers: {error}', hint) from error
    try:
        config = json.loads((Path(folder) / 'model.json').read_text())['config']
    except (OSError, ValueError, KeyError) as error:
        hint = 'It is the folder that services/influence/export writes, the model of the run.'
        raise WinnowError('MODEL_UNUSABLE', f'{folder} has no model.json to build a model of: {error}', hint) from error
    torch.manual_seed(seed)
    # Some versions of transformers have no types, and some that need not be obeyed.
    library: Any = transformers
    model = library.AutoModelForCausalLM.from_config(library.AutoConfig.for_model(**config))
    if dtype is not None:
        # Parameters alone: tables of positions that the model computes itself would lose digits that `from_pretrained` gives them.
        for parameter in model.parameters():
            parameter.data = parameter.data.to(dtype)
    return model
