"""Exported programs read from files that may come from anyone: refused unless they hold tensors and a graph alone.

`torch.export.load` trusts its file. It unpickles payloads that say so, and sample inputs that are more than tensors; it
runs the file's `guards_code` through `exec` and its sizes through sympy, which is `eval`; it calls any function of
`torch` that a node names; and it writes names of the graph into Python source. So everything that such a file may hold
is listed here, and what is not listed is refused before PyTorch sees the file.
"""

import contextlib
import io
import json
import logging
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch.export.passes import move_to_device_pass

from gan.configuration.vocabulary import Precision
from gan.errors import UnsafeModelError
from gan.generation.precision import in_bf16
from gan.generation.sampling import Program

MAX_GRAPH_BYTES = 64 * 2**20
"""Of the graph's JSON; that of the digits' generator has half a megabyte."""
_MEMBERS = re.compile(
    r"(archive_format|archive_version|byteorder|\.data/version|\.data/serialization_id|\.format_version"
    r"|\.storage_alignment|models/model\.json|data/sample_inputs/model\.pt"
    r"|data/weights/(weight_\d+|model_weights_config\.json)|data/constants/(tensor_\d+|model_constants_config\.json))"
)
_OPERATORS = """
__and__ __lshift__ __or__ __rshift__ __xor__ _assert_tensor_metadata add arange avg_pool2d batch_norm bitwise_and
bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor cat clamp clone contiguous conv2d conv_transpose2d cos
div embedding eq expand full_like glu leaky_relu linear log mul permute pixel_shuffle relu reshape round select
sigmoid silu slice sqrt sub tanh to unsqueeze upsample_bilinear2d upsample_nearest2d view where zeros_like
"""
"""What a generator computes, by the names of `torch.ops.aten`; others there open files."""
_TARGET = re.compile(r"torch\.ops\.aten\.(\w+)\.\w+")
_NAME = re.compile(r"[A-Za-z_]\w{0,199}", re.ASCII)
_DOTTED_NAME = re.compile(r"([A-Za-z_]\w*(\.\w+)*)?", re.ASCII)
_SIZE = re.compile(r"(?:Symbol\('[su]\d{1,6}', positive=True, integer=True\)|[su]\d{1,6}|-?\d{1,18})")
_ARGUMENTS = """
as_none as_tensor as_tensors as_optional_tensors as_int as_ints as_float as_floats as_bool as_bools as_scalar_type
as_memory_format as_layout as_device as_sym_int as_sym_ints
"""
_CONTAINERS = {None, "builtins.tuple", "builtins.list", "builtins.dict"}
_TAGS = {"nn_module_stack", "stack_trace", "torch_fn"}
"""What a node may say of where it comes from: text that PyTorch keeps and never runs."""


def load_program_file(path: Path) -> Program:
    """Load a program exported by `torch.export.save`, on the CPU.

    Args:
        path: the `.pt2` file.

    Returns:
        The function from [N, 2] int64 (seed, label) to [N, H, W, C] uint8.

    Raises:
        UnsafeModelError: the file is damaged, or holds more than the tensors and the graph of a generator.
    """
    return load_program_bytes(read_program_file(path), str(path))


def load_program_bytes(
    content: bytes, name: str, device: torch.device | None = None, precision: Precision = "fp32"
) -> Program:
    """As `load_program_file`, from the bytes of the file.

    Args:
        content: of the `.pt2` file.
        name: what the file is called in a sentence.
        device: where the program is to run; the CPU if not given.
        precision: of its convolutions and matrix products.

    Raises:
        UnsafeModelError: as of `load_program_file`.
    """
    exported = load_exported(content, name)
    if device is not None and device.type != "cpu":
        exported = move_to_device_pass(exported, device)
    if precision == "bf16":
        return in_bf16(exported, device or torch.device("cpu"))
    program: Program = exported.module()
    return program


def load_exported(content: bytes, name: str) -> torch.export.ExportedProgram:
    """As `load_program_bytes`, with the weights by their names, on the CPU."""
    require_plain_program(content, name)
    try:
        with _silent_loader():
            return torch.export.load(io.BytesIO(content))
    except Exception as error:  # whatever PyTorch makes of a graph that does not fit together
        raise _refusal(name, f"PyTorch cannot read it: {type(error).__name__}") from None


@contextlib.contextmanager
def _silent_loader() -> Iterator[None]:
    """Keep PyTorch from logging a traceback of what is about to be a sentence."""
    logger = logging.getLogger("torch.export")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def forget_places(path: Path) -> torch.export.ExportedProgram:
    """Take the source files and lines that each node came from out of a program that was exported here; returns it."""
    program = torch.export.load(path)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)
    torch.export.save(program, path)
    return program


def require_plain_program(content: bytes, name: str) -> None:
    """Check that a program's file holds tensors and a graph of known operators, and nothing that could run.

    Args:
        content: the bytes of the file.
        name: what the file is called in the sentence.

    Raises:
        UnsafeModelError: it holds something else.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _require_plain(_members(archive))
    except UnlistedError as found:
        raise _refusal(name, str(found)) from None
    except (zipfile.BadZipFile, ValueError, LookupError, TypeError, AttributeError, RecursionError, EOFError) as error:
        raise _refusal(name, f"it is damaged: {type(error).__name__}") from None


class UnlistedError(Exception):
    """What was found that a plain program does not hold."""


def _refusal(name: str, reason: str) -> UnsafeModelError:
    return UnsafeModelError(
        f"{name} was not loaded, for it is no plain program of a generator ({reason}): register the training run "
        "again, and ask who may write to the registry"
    )


def read_program_file(path: Path) -> bytes:
    """Return a program's file as it is.

    Raises:
        UnsafeModelError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise _refusal(str(path), f"it cannot be read: {error.strerror}") from None


def _members(archive: zipfile.ZipFile) -> dict[str, bytes]:
    """Read the files of the archive by their path below its one folder."""
    found: dict[str, bytes] = {}
    folders = set()
    for each in archive.infolist():
        folder, _, inner = each.filename.partition("/")
        folders.add(folder)
        if not _MEMBERS.fullmatch(inner) or inner in found or len(folders) > 1:
            raise UnlistedError(f"its archive holds {each.filename[:100]!r}")
        if each.compress_type != zipfile.ZIP_STORED:  # and so no larger than the file
            raise UnlistedError("its archive is compressed")
        found[inner] = archive.read(each)
    return found


def _require_plain(members: dict[str, bytes]) -> None:
    for kind in ("weights", "constants"):
        config = json.loads(members[f"data/{kind}/model_{kind}_config.json"])["config"]
        for name, payload in config.items():
            _require_match(_DOTTED_NAME, name, "a name")
            if payload["use_pickle"] is not False:
                raise UnlistedError("it holds a pickle")
            _require_match(_NAME, payload["path_name"], "a file name")
            _require_tensor(payload["tensor_meta"])
    _require_tensors(members["data/sample_inputs/model.pt"])
    if len(members["models/model.json"]) > MAX_GRAPH_BYTES:
        raise UnlistedError(f"its graph is larger than {MAX_GRAPH_BYTES:,} bytes")
    _require_program(json.loads(members["models/model.json"]))


def _require_tensors(content: bytes) -> None:
    try:
        torch.load(io.BytesIO(content), weights_only=True)
    except Exception:  # PyTorch would now unpickle it
        raise UnlistedError("its sample inputs are more than tensors") from None


def _require_program(program: dict[str, Any]) -> None:
    if program.get("guards_code"):
        raise UnlistedError("it brings Python code")
    for symbol in program["range_constraints"]:
        _require_match(_SIZE, symbol, "a size")
    module = program["graph_module"]
    if module.get("treespec_namedtuple_fields"):
        raise UnlistedError("it brings classes")
    graph = module["graph"]
    for kind in ("sym_bool_values", "sym_float_values", "custom_obj_values"):
        if graph.get(kind):
            raise UnlistedError(f"its graph has {kind}")
    for name, tensor in graph["tensor_values"].items():
        _require_match(_NAME, name, "a name")
        _require_tensor(tensor)
    for name, size in graph["sym_int_values"].items():
        _require_match(_NAME, name, "a name")
        _require_size(size)
    for value in (*graph["inputs"], *graph["outputs"]):
        _require_argument(value)
    for node in graph["nodes"]:
        _require_node(node)
    for call in module["module_call_graph"]:
        _require_call(call)
    for text in _strings(module["signature"]):
        _require_match(_DOTTED_NAME, text, "a name")


def _require_node(node: dict[str, Any]) -> None:
    target = _TARGET.fullmatch(node["target"])
    if not target or target[1] not in _OPERATORS.split():
        raise UnlistedError(f"a node calls {str(node['target'])[:100]!r}")
    if node.get("name") is not None:
        _require_match(_NAME, node["name"], "a name")
    for each in node["inputs"]:
        _require_match(_NAME, each["name"], "a name")
        _require_argument(each["arg"])
    for value in node["outputs"]:
        _require_argument(value)
    if not node["metadata"].keys() <= _TAGS:
        raise UnlistedError("a node says more of itself than it may")


def _require_argument(argument: dict[str, Any]) -> None:
    if len(argument) != 1 or not argument.keys() <= set(_ARGUMENTS.split()):
        raise UnlistedError(f"a node takes {', '.join(argument)[:100]!r}")
    for text in _strings(argument):
        _require_match(_NAME, text, "a name")


def _require_tensor(meta: dict[str, Any]) -> None:
    for size in (*meta["sizes"], *meta["strides"], meta["storage_offset"]):
        _require_size(size)
    if meta["device"]["type"] != "cpu":
        raise UnlistedError(f"it lies on {str(meta['device']['type'])[:20]!r}")


def _require_size(size: dict[str, Any]) -> None:
    for text in _strings(size):
        _require_match(_SIZE, text, "a size")


def _require_call(call: dict[str, Any]) -> None:
    _require_match(_DOTTED_NAME, call["fqn"], "a name")
    signature = call.get("signature") or {}
    for text in _strings({key: signature.get(key) for key in ("inputs", "outputs", "forward_arg_names")}):
        _require_match(_NAME, text, "a name")
    for key in ("in_spec", "out_spec"):
        if signature.get(key):
            _, tree = json.loads(signature[key])
            _require_containers(tree)


def _require_containers(tree: dict[str, Any]) -> None:
    context = tree["context"]
    if tree["type"] not in _CONTAINERS or (context not in (None, "null") and json.loads(context) != []):
        raise UnlistedError(f"it takes or returns {str(tree['type'])[:100]!r}")
    for child in tree["children_spec"]:
        _require_containers(child)


def _require_match(pattern: re.Pattern[str], text: str, what: str) -> None:
    if not pattern.fullmatch(text):
        raise UnlistedError(f"{text[:100]!r} stands where {what} should")


def _strings(tree: object) -> Iterator[str]:
    """Yield every text in a tree of JSON, but for the keys, which PyTorch looks up and does not run."""
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, dict):
        for value in tree.values():
            yield from _strings(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _strings(value)
