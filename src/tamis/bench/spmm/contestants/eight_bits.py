"""Products in 8 and 16 bits: what a user runs who does not prune, and ours.

They round both operands, so it is their distance from the exact product that must keep a bound, and that the row's error is.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

import tamis
from tamis.bench.measurement import Unavailable
from tamis.bench.spmm.contestants.peers import import_or_unavailable
from tamis.bench.spmm.contestants.prepared import Prepared, transposed
from tamis.bench.spmm.operands import Operands
from tamis.formats import BSR, quantize_rows

# Of the distance from the exact product (Operands.distance).
LOST_TO_8_BITS = 0.03
LOST_TO_ONE_SCALE = 0.1  # for all rows of weights and all tokens
QUADS = (1, 4)


def dense_bf16(operands: Operands, planned_n: int) -> Prepared:
    """``F.linear`` in bfloat16, as torch does it on this CPU."""
    a, x = operands.weight.bfloat16(), operands.x.bfloat16()
    return Prepared(
        lambda: nn.functional.linear(x, a),
        transposed,
        a.numel(),
        a.nbytes,
        a.nbytes,
        "F.linear",
        nearness=LOST_TO_8_BITS,
    )


def dense_int8(engine: str) -> Callable[[Operands, int], Prepared]:
    """``torch.ao.quantization.quantize_dynamic`` with one of torch's engines: weights in 8 bits, activations rounded per call."""

    def prepare(operands: Operands, planned_n: int) -> Prepared:
        if engine not in torch.backends.quantized.supported_engines:
            raise Unavailable(f"this torch has no quantized engine {engine}")
        before = torch.backends.quantized.engine
        torch.backends.quantized.engine = engine
        try:
            with warnings.catch_warnings(action="ignore"):  # that torchao is to take over
                layer = torch.ao.quantization.quantize_dynamic(nn.Sequential(_layer(operands)), {nn.Linear})
        finally:
            torch.backends.quantized.engine = before
        a, x = operands.weight, operands.x
        return Prepared(
            lambda: layer(x),
            transposed,
            a.numel(),
            a.numel(),
            a.numel(),
            f"quantize_dynamic, {engine}",
            nearness=LOST_TO_ONE_SCALE,
        )

    return prepare


def dense_int8_onnxruntime(operands: Operands, planned_n: int) -> Prepared:
    """ONNX Runtime's ``quantize_dynamic`` of a MatMul, signed weights; threads of its own."""
    ort, onnx = import_or_unavailable("onnxruntime"), import_or_unavailable("onnx")
    quantization = import_or_unavailable("onnxruntime.quantization")
    helper, kinds = onnx.helper, onnx.TensorProto
    m, k = operands.weight.shape
    product = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", kinds.FLOAT, ["n", k])],
        [helper.make_tensor_value_info("y", kinds.FLOAT, ["n", m])],
        [onnx.numpy_helper.from_array(operands.weight.T.contiguous().numpy(), "w")],
    )
    model = helper.make_model(product, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = ort.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as folder:
        full, rounded = Path(folder) / "full.onnx", Path(folder) / "rounded.onnx"
        onnx.save(model, full)
        quantization.quantize_dynamic(full, rounded, weight_type=quantization.QuantType.QInt8)
        session = ort.InferenceSession(rounded, options, providers=["CPUExecutionProvider"])
    x = operands.x.numpy()
    return Prepared(
        lambda: torch.from_numpy(session.run(None, {"x": x})[0]),
        transposed,
        m * k,
        m * k,
        m * k,
        f"onnxruntime {ort.__version__}",
        "own",
        nearness=LOST_TO_ONE_SCALE,
    )


def tamis_8_bits(operands: Operands, planned_n: int) -> Prepared:
    """``tamis.linear`` with ``compute="int8"``, in quads of weights whatever the pattern of the zeros."""
    weight, x = operands.weight, operands.x
    a = quantize_rows(BSR.from_dense(weight, blocksize=QUADS))
    plan = tamis.plan_spmm(a, planned_n, compute="int8")
    tamis.linear(x[:1], a, plan=plan)  # packs the values
    return Prepared(
        run=lambda: tamis.linear(x, a, plan=plan),
        product=transposed,
        stored=a.values.numel(),
        streamed_bytes=plan.streamed_bytes,
        resident_bytes=a.nbytes + plan.nbytes,
        detail=f"{plan.kernel}: {plan.reason}",
        predicted_us=plan.time_us,
        nearness=LOST_TO_8_BITS,
    )


def _layer(operands: Operands) -> nn.Linear:
    m, k = operands.weight.shape
    layer = nn.Linear(k, m, bias=False, device="meta")
    layer.weight = nn.Parameter(operands.weight)
    return layer
