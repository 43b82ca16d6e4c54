"""Whether tensors are a checkpoint of the run's exported model: what the influence workers would refuse minutes later is refused here."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from winnow_wire.errors import WinnowError

# As services/model/checkpoints/names.ts: what some versions of transformers store besides parameters, and heads that repeat the embedding.
TABLES = re.compile(r'\.(rotary_emb\.inv_freq|(attn|attention)\.(bias|masked_bias))$')
HEADS = re.compile(r'^(lm_head|embed_out)\.weight$')
MOMENTS = ('m.', 'v.')
# As services/model/safetensors-header.ts: data types that become float32 without loss, by their names in safetensors files.
DTYPES = ('F32', 'F16', 'BF16')
NAMES = {'float64': 'F64', 'float32': 'F32', 'float16': 'F16', 'bfloat16': 'BF16'}
SHIPPED = Path(__file__).parents[3] / 'model' / 'shipped'


@dataclass(frozen=True)
class Kind:
    """Of a tensor: its data type as safetensors files name it, and its shape."""

    dtype: str
    shape: list[int]


def kind_of(tensor: Any) -> Kind:
    """Of one of torch or of numpy; of a sharded one that of the whole."""
    dtype = str(tensor.dtype).removeprefix('torch.')
    return Kind(NAMES.get(dtype, dtype), list(tensor.shape))


@dataclass(frozen=True)
class Exported:
    """The run's exported model. `tied`: whether its head may repeat the embedding; `moments`: whether v.NAME is needed too."""

    parameters: Mapping[str, list[int]]
    tied: bool
    moments: bool

    def own(self, names: Iterable[str]) -> dict[str, str]:
        """Names of the model's tensors by those given. A trainer that has the model as a part of something has it under a prefix
        ('net.', 'app.model.'); what does not begin with that is not the model's."""
        given = list(names)
        prefix = self._prefix(set(given))
        if not prefix:
            return {name: name for name in given}
        own = {}
        for name in given:
            if name.startswith(prefix):
                own[name] = name.removeprefix(prefix)
            elif name[:2] in MOMENTS and name[2:].startswith(prefix):
                own[name] = name[:2] + name[2:].removeprefix(prefix)
        return own

    def _prefix(self, given: set[str]) -> str:
        first = next(iter(self.parameters))
        if first in given:
            return ''
        candidates = (name.removesuffix(first) for name in given if name.endswith(f'.{first}'))
        return next((one for one in sorted(candidates) if all(one + name in given for name in self.parameters)), '')

    def refuse_unfit(self, what: str, found: Mapping[str, Kind]) -> None:
        """Raises WinnowError BAD_DATA naming both what was found and what was expected."""
        missing = next((name for name in self.parameters if name not in found), None)
        for name in found:
            known = name in self.parameters or (name[:2] in MOMENTS and name[2:] in self.parameters)
            if not known and not TABLES.search(name) and not (self.tied and HEADS.search(name)):
                lacks = '' if missing is None else f', and its parameter {missing} is missing'
                raise _unfit(what, f'the exported model has no parameter {name}{lacks}')
        expected = list(self.parameters.items())
        for name, shape in expected + [(f'v.{name}', shape) for name, shape in expected if self.moments]:
            if name not in found:
                raise _unfit(what, f'{name} is missing, expected {shape}')
            if found[name].shape != shape:
                raise _unfit(what, f'{name} is {found[name].shape}, expected {shape}')
        for name in [*self.parameters, *found]:
            if found[name].dtype not in DTYPES:
                raise _unfit(what, f'{name} is {found[name].dtype}, expected {" or ".join(DTYPES)}')


def exported_model(model: str, moments: bool) -> Exported | None:
    """The `model` of a run; None where this machine does not see its folder, which is then not compared with."""
    path = model_folder(model) / 'model.json'
    if not path.exists():
        return None
    described = json.loads(path.read_text())
    parameters = {one['name']: list(one['shape']) for one in described['parameters']}
    return Exported(parameters, described['config'].get('tie_word_embeddings') is not False, moments)


def model_folder(model: str) -> Path:
    """Where `model` of a run is. `shipped:NAME` comes with a checkout of winnow."""
    return SHIPPED / model.removeprefix('shipped:') if model.startswith('shipped:') else Path(model)


def _unfit(what: str, reason: str) -> WinnowError:
    hint = (
        'Announce a checkpoint of the model that the run was recorded with, under the names of its Hugging Face model: '
        'of trainers with names of their own (torchtitan, Megatron) what they export for Hugging Face.'
    )
    return WinnowError('BAD_DATA', f'{what} does not fit the model: {reason}', hint)
