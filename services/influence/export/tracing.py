"""From a torch function to an ONNX graph that onnxruntime's CPU kernels run correctly.

make_fx over fake tensors traces autograd.grad inside the function away; torch's exporter then writes plain operators.
"""

import os

import onnx
import torch
import torch.nn.functional as F
from onnx import helper, numpy_helper
from torch._decomp import core_aten_decompositions
from torch._dispatch.python import enable_python_dispatcher
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.experimental.symbolic_shapes import DimDynamic, ShapeEnv, StatelessSymbolicContext

OPSET = 21
# Sequences of fewer tokens are padded by the caller: torch's tracer treats sizes 0 and 1 as constants.
LENGTH_MIN = 4


def embedding_backward(gradient, indices, rows, padding_index, scale_by_frequency):
    """Scatter-add of the rows. torch's own rule becomes ScatterND(reduction=add), which races in onnxruntime's CPU kernel
    when an index occurs twice and more than one thread runs; scatter_add becomes ScatterElements(add), which is serial."""
    assert not scale_by_frequency, 'embeddings scaled by frequency are not supported'
    width = gradient.shape[-1]
    flat, index = gradient.reshape(-1, width), indices.reshape(-1, 1)
    if padding_index >= 0:
        flat = torch.where(index == padding_index, torch.zeros_like(flat), flat)
    return gradient.new_zeros(rows, width).scatter_add(0, index.expand(-1, width), flat)


def slice_backward(gradient, sizes, dim, start, end, step):
    """x[..., a:b] backwards is a Pad; torch's own rule scatters into a zero tensor, which is slow."""
    size = sizes[dim]
    if step != 1 or isinstance(size, torch.SymInt):
        return NotImplemented
    dim = dim % len(sizes)
    start = min(max(start + size if start < 0 else start, 0), size)
    end = min(max(end + size if end < 0 else end, start), size)
    return F.pad(gradient, [0, 0] * (len(sizes) - 1 - dim) + [start, size - end])


def decompositions():
    table = core_aten_decompositions()
    table[torch.ops.aten.slice_backward.default] = slice_backward
    table[torch.ops.aten.embedding_dense_backward.default] = embedding_backward
    return table


def traced(function, arguments, dynamic):
    """The function as a graph of aten operators. `dynamic`: {index of argument: its dimensions that may vary}."""
    fake_mode = FakeTensorMode(shape_env=ShapeEnv(), allow_non_fake_inputs=True)

    def fake(index, tensor):
        if index not in dynamic:
            return fake_mode.from_tensor(tensor, static_shapes=True)
        sizes = [DimDynamic.DYNAMIC if d in dynamic[index] else DimDynamic.STATIC for d in range(tensor.ndim)]
        return fake_mode.from_tensor(tensor, symbolic_context=StatelessSymbolicContext(dynamic_sizes=sizes))

    fakes = [fake(index, tensor) for index, tensor in enumerate(arguments)]
    with fake_mode, enable_python_dispatcher():
        graph = make_fx(function, decompositions(), tracing_mode='real', _allow_non_fake_inputs=True)(*fakes)
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return graph


def with_zeros_made_at_run_time(model, bytes_min=4096):
    """The exporter folds the zero table of an embedding's gradient into the file; a ConstantOfShape takes its place."""
    kept = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.nbytes < bytes_min or values.any():
            kept.append(tensor)
            continue
        shape = numpy_helper.from_array(torch.tensor(values.shape).numpy(), tensor.name + '.shape')
        value = helper.make_tensor('value', tensor.data_type, [1], [0])
        kept.append(shape)
        model.graph.node.insert(0, helper.make_node('ConstantOfShape', [shape.name], [tensor.name], value=value))
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    return model


def without_provenance(model):
    """Drops each node's scope and source lines: half of the file, and paths of the exporting machine."""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.graph.value_info[:]
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ''
    for value in [*model.graph.input, *model.graph.output, *model.graph.initializer]:
        del value.metadata_props[:]
    return model


def write_graph(function, arguments, ids_index, input_names, output_names, path):
    """Traces and writes one graph; arguments[ids_index] and the next are ids and mask, of dynamic shape [B, L]."""
    assert len({id(t) for t in arguments}) == len(arguments), 'one tensor stands for two inputs'
    dynamic = {ids_index: (0, 1), ids_index + 1: (0, 1)}
    graph = traced(function, arguments, dynamic)
    names = {0: torch.export.Dim('batch', min=1, max=65536), 1: torch.export.Dim('length', min=LENGTH_MIN, max=65536)}
    shapes = tuple({d: names[d] for d in dynamic[i]} if i in dynamic else None for i in range(len(arguments)))
    with torch.no_grad():
        program = torch.export.export(
            graph,
            tuple(t.detach() for t in arguments),
            dynamic_shapes=shapes,
            strict=False,
            prefer_deferred_runtime_asserts_over_guards=True,
        )
    exported = torch.onnx.export(
        program,
        (),
        dynamo=True,
        input_names=input_names,
        output_names=output_names,
        opset_version=OPSET,
        optimize=True,
        verbose=False,
    )
    exported.save(path, external_data=False)
    model = without_provenance(with_zeros_made_at_run_time(onnx.load(path)))
    check(model, input_names)
    onnx.save(model, path)
    print(f'{path}: {len(model.graph.node)} nodes, {os.path.getsize(path) // 1024} KiB', flush=True)


def check(model, input_names):
    """Checks that no racy scatter is left, and no input was optimized away."""
    for node in model.graph.node:
        racy = node.op_type == 'ScatterND' and any(a.name == 'reduction' and a.s not in (b'', b'none') for a in node.attribute)
        assert not racy, f'{node.name}: ScatterND with a reduction races when indices repeat'
    found = {value.name for value in model.graph.input}
    assert found == set(input_names), f'inputs differ: {found ^ set(input_names)}'
    onnx.checker.check_model(model)
