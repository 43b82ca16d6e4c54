"""Makes the int8 graph of an encoder whose labels do not depend on the processor's instruction set.

    python quantize.py IN/model.onnx OUT/model_quantized.onnx        (needs onnx and onnxruntime, see requirements.txt)

Weights are int8 and activations uint8, scaled at run time ("dynamic quantization"). Processors with AVX2 but without VNNI add two uint8 x int8
products in 16 bits and saturate: 255 * 127 * 2 exceeds 32767. Weights of 7 bits (onnxruntime's `reduce_range`) cannot:
255 * 64 * 2 = 32640, so every processor computes the same integers.
"""

import argparse
import os
import tempfile

# Before onnxruntime is imported: it would report to Microsoft.
os.environ['ORT_DISABLE_TELEMETRY'] = '1'

import numpy as np
import onnx
from onnx import numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

WEIGHT_MAX = 64
INTEGER_PRODUCTS = ('MatMulInteger', 'ConvInteger', 'DynamicQuantizeMatMul', 'QLinearMatMul', 'QLinearConv', 'QGemm')


def quantize(source, target):
    """Writes the int8 graph of the float32 graph `source` to `target`. Raises ValueError where a weight of it could saturate."""
    graph = onnx.load(source)
    # The exporter's inferred shapes do not always agree with those that the quantizer infers.
    del graph.graph.value_info[:]
    with tempfile.TemporaryDirectory() as folder:
        plain = os.path.join(folder, 'plain.onnx')
        onnx.save(graph, plain, save_as_external_data=graph.ByteSize() > 2**31 - 2**20)
        quantize_dynamic(plain, target, weight_type=QuantType.QInt8, reduce_range=True)
    check(target)


def check(file):
    """Raises ValueError naming the int8 weights of integer products in `file` that can saturate."""
    graph = onnx.load(file).graph
    inputs = {name for node in graph.node if node.op_type in INTEGER_PRODUCTS for name in node.input}
    wide = []
    for tensor in graph.initializer:
        if tensor.name in inputs and tensor.data_type == onnx.TensorProto.INT8:
            largest = int(np.abs(numpy_helper.to_array(tensor).astype(np.int32)).max(initial=0))
            if largest > WEIGHT_MAX:
                wide.append(f'{tensor.name} (up to {largest})')
    if wide:
        raise ValueError(f'{file}: int8 weights over {WEIGHT_MAX} saturate on processors without VNNI: {", ".join(wide)}')


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', help='the graph in float32')
    parser.add_argument('target', help='the int8 graph that is written')
    arguments = parser.parse_args()
    quantize(arguments.source, arguments.target)
