"""The exported program as an ONNX file: the same graph for those who have no PyTorch, held against the program."""

import contextlib
import logging
import math
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    import onnx_ir

OPSET, IR_VERSION = 18, 10
"""Of every file, whatever the exporter's version takes by itself; ONNX Runtime 1.18 reads them."""
INPUT, OUTPUT = "seed_label", "images"
_SEEDS = (5, -(2**63), -1, 2**62 + 2**33 + 3)


def write_onnx(program: torch.export.ExportedProgram, path: Path) -> None:
    """Write a program as one file that maps `seed_label` [batch, 2] int64 to `images` [batch, H, W, C] uint8.

    The same program and versions give the same bytes, and nothing in them tells where they were made.

    Raises:
        ImportError: onnxscript is not installed.
    """
    with _silent_exporter():
        made = torch.onnx.export(
            program,
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: "batch"},),
            custom_translation_table=_translations(),
        )
    assert made is not None
    made.model.ir_version = IR_VERSION
    _forget_places(made.model)
    made.save(path, external_data=False)


def _translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """Operators of the noise that are not to be translated as the exporter does by itself."""
    from onnxscript import ir, opset18

    def constant(value: float, dtype: int) -> Any:
        return opset18.Constant(value=ir.tensor(value, dtype=ir.DataType(dtype)))  # type: ignore[arg-type]

    def scalar_tensor(s: float, dtype: int, layout: str = "", device: str = "", pin_memory: bool = False) -> Any:
        # The exporter's own goes through float32: of Box and Muller's 2π too little is left for the last bits of z.
        return constant(s, dtype)

    def cos(self: Any) -> Any:
        # ONNX Runtime has no cosine of float64 up to 1.28. π/2 in two parts, since a float64 has not enough of it.
        double = ir.DataType.DOUBLE
        quarter = opset18.Sub(constant(math.pi / 2, double), self)
        return opset18.Sin(opset18.Add(quarter, constant(6.123233995736766e-17, double)))

    return {torch.ops.aten.scalar_tensor.default: scalar_tensor, torch.ops.aten.cos.default: cos}


def _forget_places(model: "onnx_ir.Model") -> None:
    """Take out what the exporter notes of each node: source lines of this machine, and names of our classes."""
    model.metadata_props.clear()
    model.graph.metadata_props.clear()
    values = [*model.graph.inputs, *model.graph.initializers.values()]
    for node in model.graph.all_nodes():
        node.metadata_props.clear()
        node.doc_string = None
        values += node.outputs
    for value in values:
        value.metadata_props.clear()


@contextlib.contextmanager
def _silent_exporter() -> Iterator[None]:
    """Keep the exporter from telling of packages that it looked for, and of what it has deprecated itself."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


def check_rows(num_classes: int) -> Tensor:
    """Rows [4, 2] int64 to compare a file and its program on: seeds of all kinds, -1, the first and the last classes.

    Few, because a network of 64x64 pixels takes seconds for each of them on a CPU.
    """
    labels = [index % (num_classes + 1) - 1 for index in range(len(_SEEDS) - 1)] + [num_classes - 1]
    return torch.tensor([*zip(_SEEDS, labels, strict=True)])


@torch.no_grad()
def onnx_difference(path: Path, program: torch.export.ExportedProgram, rows: Tensor) -> int:
    """How far a file's images in ONNX Runtime, on the CPU, are from the program's at most, in grey levels.

    Args:
        path: the ONNX file.
        program: what it was made from.
        rows: [N, 2] int64; they are passed all at once, and the first one once more alone.

    Raises:
        ImportError: onnxruntime is not installed.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()  # by itself it binds a thread to each core of the machine
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    module = program.module()
    apart = 0
    for part in (rows, rows[:1]):
        wanted, found = module(part), torch.from_numpy(session.run([OUTPUT], {INPUT: part.numpy()})[0])
        apart = max(apart, int((found.int() - wanted.int()).abs().max()))
    return apart
