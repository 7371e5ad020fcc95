"""Changes of JSON that leave it JSON: types swapped, keys lost and added, numbers and texts that nobody expects."""

import copy
import json

from hypothesis import strategies as st

from fuzzing.damage import PIECES

# What `json.dumps` cannot spell, by what stands for it until the text is there.
_RAW = {
    "@deep list@": "[" * 50_000 + "]" * 50_000,
    "@deep object@": '{"a":' * 50_000 + "1" + "}" * 50_000,
    "@deep@": "[" * 400 + "]" * 400,
    "@digits@": "9" * 5000,
    "@huge@": "1e999",
    "@garbage@": "}",
}
NUMBERS = [0, 1, -1, 2, 2**31, 2**32, 2**63 - 1, 2**63, 2**64, -(2**63), 10**30, 0.5, -0.0, 1e308, 5e-324]
NUMBERS += [float("nan"), float("inf"), float("-inf")]
VALUES = st.one_of(
    st.sampled_from([None, True, False, [], {}, [[]], [None], {"a": 1}, *NUMBERS]),
    st.sampled_from([*PIECES, *_RAW]),
    st.integers(),
    st.text(max_size=20),
    st.lists(st.sampled_from([0, "a", None]), max_size=3),
)
_NODE = st.integers(0, 10_000)
EDITS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), _NODE, VALUES),
        st.tuples(st.just("put"), _NODE, VALUES),
        st.tuples(st.just("drop"), _NODE, st.none()),
        st.tuples(st.just("add"), _NODE, st.tuples(st.sampled_from(["a", "", "__proto__"]) | st.text(), VALUES)),
        st.tuples(st.just("rename"), _NODE, st.sampled_from(PIECES)),
        st.tuples(st.just("wrap"), _NODE, st.booleans()),
        st.tuples(st.just("copy"), _NODE, _NODE),
    ),
    min_size=1,
    max_size=4,
)


def edited_tree(tree, edits):
    """Return a tree of JSON, which may be altered itself, after some changes of its nodes."""
    root = [tree]
    for what, number, how in edits:
        nodes, how = list(_nodes(root)), copy.deepcopy(how)  # a strategy gives the same list again
        parent, key = nodes[number % len(nodes)]
        node = parent[key]
        if what == "put":
            parent[key] = how
        elif what == "drop" and parent is not root:
            del parent[key]
        elif what == "add" and isinstance(node, dict):
            node[how[0]] = how[1]
        elif what == "add" and isinstance(node, list):
            node.append(how[1])
        elif what == "rename" and isinstance(parent, dict):
            parent[how] = parent.pop(key)
        elif what == "wrap":
            parent[key] = [node] if how else {"a": node}
        elif what == "copy":
            other, where = nodes[how % len(nodes)]
            parent[key] = json.loads(json.dumps(other[where]))  # of its own, or the tree would have a ring
    return root[0]


def dumped(tree, *, ascii=False):
    """Return the bytes of a tree; lone surrogates are spelled in ASCII, as JSON can, or as bytes that are no UTF-8."""
    text = json.dumps(tree, ensure_ascii=ascii)
    for name, raw in _RAW.items():
        text = text.replace(f'"{name}"', raw)
    return text.encode("utf-8", "surrogatepass")


def edited_json(data, edits):
    """Return the bytes of a JSON file after some changes of its tree."""
    return dumped(edited_tree(json.loads(data), edits), ascii=len(edits) % 2 == 1)


def _nodes(parent):
    for key in parent if isinstance(parent, dict) else range(len(parent)):
        yield parent, key
        if isinstance(parent[key], dict | list):
            yield from _nodes(parent[key])
