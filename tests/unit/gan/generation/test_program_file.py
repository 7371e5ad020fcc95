"""Programs from files of anyone: those of our generators load, and what could run anything is refused."""

import contextlib
import io
import json
import logging
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gan.configuration.config import NetworkConfig
from gan.errors import UnsafeModelError
from gan.generation.export import SeededGenerator, export_program
from gan.generation.program_file import (
    forget_places,
    load_program_bytes,
    load_program_file,
    read_program_file,
    require_plain_program,
)
from gan.networks.build import build_generator

GRAPH = "model/models/model.json"
WEIGHTS = "model/data/weights/model_weights_config.json"
CONSTANTS = "model/data/constants/model_constants_config.json"
INPUTS = "model/data/sample_inputs/model.pt"
ROWS = torch.tensor([[0, 1], [2**40, -1], [7, 2]])
SMALL: dict[str, Any] = {"widths": (8, 16), "latent_dim": 4, "embedding_dim": 4}
NETWORKS = [
    (SMALL | {"architecture": "dcgan"}, 3),
    (SMALL | {"architecture": "dcgan", "base": 7}, 0),
    (SMALL | {"group_width": 4, "blocks_per_stage": 2}, 3),
    (SMALL | {"group_width": 10_000, "expansion": 1, "patch": 2, "base": 7}, 0),
    (SMALL | {"patch": 4}, 3),
    (SMALL | {"architecture": "projected", "widths": (4,) * 6}, 3),  # with one stage that is averaged to excite another
]


def export(network: dict[str, Any], num_classes: int, file: Path) -> None:
    torch.manual_seed(0)
    generator = build_generator(NetworkConfig(**network), channels=1, num_classes=num_classes)
    torch.export.save(export_program(SeededGenerator(generator)), file)


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> bytes:
    file = tmp_path_factory.mktemp("good") / "model.pt2"
    export(*NETWORKS[0], file)
    return file.read_bytes()


@pytest.mark.parametrize(("network", "num_classes"), NETWORKS, ids=str)
def test_every_generator_of_ours_is_a_plain_program(network, num_classes, tmp_path):
    file = tmp_path / "model.pt2"
    export(network, num_classes, file)
    assert torch.equal(load_program_file(file)(ROWS), torch.export.load(file).module()(ROWS))


def test_a_program_forgets_where_it_was_made_and_stays_the_same(good, tmp_path):
    file = tmp_path / "model.pt2"
    file.write_bytes(good)
    here = str(Path(__file__).parents[4]).encode()
    assert here in good
    wanted = load_program_file(file)(ROWS)
    forget_places(file)
    assert here not in file.read_bytes()
    assert b"site-packages" not in file.read_bytes()
    assert torch.equal(load_program_file(file)(ROWS), wanted)


class Touch:
    """What a pickle does when it is read: it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def pickled(mark: Path) -> bytes:
    file = io.BytesIO()
    torch.save(Touch(mark), file)
    return file.getvalue()


def in_json(member: str, change: Callable[[Any], None]) -> Callable[[dict[str, bytes]], None]:
    def rewrite(members: dict[str, bytes]) -> None:
        tree = json.loads(members[member])
        change(tree)
        members[member] = json.dumps(tree).encode()

    return rewrite


def rewritten(
    content: bytes, change: Callable[[dict[str, bytes]], None], compression: int = zipfile.ZIP_STORED
) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {each.filename: archive.read(each) for each in archive.infolist()}
    change(members)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def attacks(mark: Path) -> dict[str, Callable[[dict[str, bytes]], None]]:
    """Ways in which a file has something run by `torch.export.load`, or might."""
    code = f"__import__('os').mkdir({str(mark)!r})"

    def of_graph(change: Callable[[Any], None]) -> Callable[[dict[str, bytes]], None]:
        return in_json(GRAPH, lambda tree: change(tree["graph_module"]))

    def first_node(**facts: Any) -> Callable[[dict[str, bytes]], None]:
        return of_graph(lambda module: module["graph"]["nodes"][0].update(facts))

    def with_pickled_weight(members: dict[str, bytes]) -> None:
        in_json(WEIGHTS, lambda tree: next(iter(tree["config"].values())).update(use_pickle=True))(members)
        members["model/data/weights/weight_0"] = pickled(mark)

    def with_object(members: dict[str, bytes]) -> None:
        payload = {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": True, "tensor_meta": None}
        in_json(CONSTANTS, lambda tree: tree["config"].update(object=payload))(members)
        members["model/data/constants/opaque_obj_0"] = pickled(mark)

    def size(module: Any) -> None:
        module["graph"]["tensor_values"]["seed_label"]["sizes"][0]["as_expr"]["expr_str"] = code

    def named(members: dict[str, bytes]) -> None:
        members[GRAPH] = members[GRAPH].replace(b'"seed_label"', json.dumps(f"seed_label={code}").encode())

    spec = json.dumps([1, {"type": "os.system", "context": "null", "children_spec": []}])
    return {
        "guards": in_json(GRAPH, lambda tree: tree.update(guards_code=[code])),
        "size": of_graph(size),
        "range": in_json(GRAPH, lambda tree: tree["range_constraints"].update({code: {"min_val": 2, "max_val": None}})),
        "inputs": lambda members: members.update({INPUTS: pickled(mark)}),
        "weight": with_pickled_weight,
        "object": with_object,
        "name": named,
        "target": first_node(target="torch.utils.collect_env.run"),
        "file": first_node(target="torch.ops.aten.from_file.default"),
        "extension": first_node(target="#os.system"),
        "metadata": first_node(metadata={"source_fn_stack": "a,torch.hub.load"}),
        "argument": first_node(inputs=[{"name": "self", "arg": {"as_operator": "torch.hub.load"}, "kind": 1}]),
        "spec": of_graph(lambda module: module["module_call_graph"][0]["signature"].update(in_spec=spec)),
        "classes": of_graph(lambda module: module.update(treespec_namedtuple_fields={"os.system": {"fields": []}})),
        "library": lambda members: members.update({"model/data/aotinductor/model/a.so": b"\x7fELF"}),
        "outside": lambda members: members.update({"model/../../outside": b""}),
        "another": lambda members: members.update({"other/models/model.json": members[GRAPH]}),
        "no graph": lambda members: members.pop(GRAPH) and None,
        "deep": lambda members: members.update({GRAPH: b"[" * 100_000}),
    }


@pytest.mark.parametrize("name", attacks(Path()))
def test_what_could_run_is_refused_and_does_not_run(name, good, tmp_path):
    mark = tmp_path / "ran"
    file = tmp_path / "model.pt2"
    file.write_bytes(rewritten(good, attacks(mark)[name]))
    with pytest.raises(UnsafeModelError, match="no plain program of a generator") as caught:
        load_program_file(file)
    assert not mark.exists()
    assert len(str(caught.value)) < 500 + len(str(tmp_path))


@pytest.mark.parametrize("name", ["guards", "size", "inputs", "name"])
@pytest.mark.filterwarnings("ignore")
def test_pytorch_itself_would_have_run_it(name, good, tmp_path):
    mark = tmp_path / "ran"
    file = tmp_path / "model.pt2"
    file.write_bytes(rewritten(good, attacks(mark)[name]))
    with open(os.devnull, "w") as nowhere, pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stderr", nowhere)  # its own log line cannot be formatted
        with contextlib.suppress(Exception):  # after it ran
            torch.export.load(file).module()(ROWS)
    assert mark.exists(), "a check that is no longer needed"


def test_a_compressed_archive_is_refused(good):
    with pytest.raises(UnsafeModelError, match="compressed"):
        require_plain_program(rewritten(good, lambda members: None, zipfile.ZIP_DEFLATED), "model.pt2")


@given(data=st.data())
def test_damage_is_a_sentence(good, data):
    position = data.draw(st.integers(0, len(good) - 1))
    damaged = bytearray(good)
    damaged[position : position + data.draw(st.integers(1, 40))] = data.draw(st.binary(min_size=1, max_size=40))
    with contextlib.suppress(UnsafeModelError):
        require_plain_program(bytes(damaged[: data.draw(st.integers(0, len(damaged)))]), "model.pt2")


def test_a_missing_file_is_a_sentence(tmp_path):
    with pytest.raises(UnsafeModelError, match="cannot be read"):
        load_program_file(tmp_path / "model.pt2")


def test_what_pytorch_cannot_read_is_a_sentence_and_no_traceback_in_a_log(good, tmp_path):
    """Python reads an archive that has something before it; PyTorch does not, and logs why."""
    logger, said = logging.getLogger("torch.export"), []
    handler = logging.Handler()
    handler.emit = said.append
    logger.addHandler(handler)
    try:
        (tmp_path / "model.pt2").write_bytes(b"x" + good)
        with pytest.raises(UnsafeModelError, match="PyTorch cannot read it"):
            load_program_file(tmp_path / "model.pt2")
    finally:
        logger.removeHandler(handler)
    assert said == []
    assert not logger.disabled


def test_bytes_are_judged_as_their_file_is(tmp_path):
    file = tmp_path / "model.pt2"
    export(*NETWORKS[2], file)
    content = read_program_file(file)
    program = load_program_bytes(content, "the program", torch.device("cpu"))
    assert torch.equal(program(ROWS), load_program_file(file)(ROWS))
    with pytest.raises(UnsafeModelError, match="the program was not loaded, for it is no plain program"):
        load_program_bytes(content[:-100], "the program")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_program_draws_on_a_gpu(tmp_path):
    file = tmp_path / "model.pt2"
    export(*NETWORKS[2], file)
    program = load_program_bytes(read_program_file(file), "the program", torch.device("cuda"))
    images = program(ROWS.cuda())
    assert images.is_cuda
    assert (images.cpu().int() - load_program_file(file)(ROWS).int()).abs().max() <= 1
