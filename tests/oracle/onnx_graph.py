"""Writes tests/golden/onnx_graph.onnx: a small graph as onnx's own helper writes it, with every kind of attribute and constant.

Run from the root of the checkout: python tests/oracle/onnx_graph.py (needs onnx 1.23.2, numpy)
"""
import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

weight = np.array([0.5, -1.25, 3.0, 1e-6], "<f4").reshape(1, 1, 2, 2)
nodes = [
    helper.make_node("Cast", ["image"], ["v1"], name="Cast_0", to=TensorProto.FLOAT),
    helper.make_node("Pad", ["v1", "c2"], ["v3"], name="Pad_1", mode="reflect"),
    helper.make_node("Conv", ["v3", "c4"], ["v5"], name="Conv_2", dilations=[1, 1], group=1, kernel_shape=[2, 2], pads=[0] * 4, strides=[1, 1]),
    helper.make_node("LeakyRelu", ["v5"], ["v6"], name="LeakyRelu_3", alpha=0.01),
    helper.make_node("Softmax", ["v6"], ["v7"], name="Softmax_4", axis=-1),
    helper.make_node("Identity", ["v7"], ["map"], name="Identity_5"),
]
constants = [numpy_helper.from_array(np.array([0, 0, 1, 1, 0, 0, 2, 2], "<i8"), "c2"), numpy_helper.from_array(weight, "c4")]
inputs = [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, 1, 4, 300])]
outputs = [helper.make_tensor_value_info("map", TensorProto.FLOAT, [1, 1, 6, 302])]
graph = helper.make_graph(nodes, "tiny", inputs, outputs, constants)
operators = [helper.make_opsetid("", 18)]
model = helper.make_model(graph, opset_imports=operators, ir_version=8, producer_name="harness", producer_version="0.1.0")
helper.set_model_props(model, {"harness.run": "a/b-s0", "harness.map": "A"})
checker.check_model(model, full_check=True)
with open("tests/golden/onnx_graph.onnx", "wb") as out:
    out.write(model.SerializeToString(deterministic=True))
