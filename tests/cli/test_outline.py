"""Steps as a tree of branches and sub-flows."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from inngest_gen.cli.outline import Branch, guides, merged, outline, parts


def shape(nodes: list[Branch[str] | str]) -> list[Any]:
    return [(node.label, shape(node.children)) if isinstance(node, Branch) else node for node in nodes]


def test_paths_are_split_at_flows_and_branches() -> None:
    assert parts("") == []
    assert parts("parallel[1]/quote/race[slow one]") == ["parallel", "[1]", "quote", "race", "[slow one]"]


def test_branches_take_turns_and_flows_do_not() -> None:
    steps = [
        ("", "load"), ("parallel[1]/quote", "rate"), ("parallel[0]", "stock"), ("parallel[1]/quote", "round"), ("", "pay"), ("parallel[0]", "ship"),
    ]  # fmt: skip
    assert shape(outline(steps)) == [
        "load",
        ("parallel", [("[0]", ["stock"]), ("[1]", [("quote", ["rate", "round"])])]),
        "pay",
        ("parallel", [("[0]", ["ship"])]),
    ]


def test_a_sub_flow_that_comes_again_is_a_node_of_its_own() -> None:
    assert shape(outline([("quote", "a"), ("", "b"), ("quote", "a")])) == [("quote", ["a"]), "b", ("quote", ["a"])]


def test_named_branches_keep_their_order() -> None:
    assert shape(outline([("parallel[b]", "x"), ("parallel[a]", "y")])) == [("parallel", [("[b]", ["x"]), ("[a]", ["y"])])]


def test_numbered_branches_are_sorted_as_numbers() -> None:
    paths = [(f"parallel[{n}]", str(n)) for n in (10, 9, 0)]
    assert shape(outline(paths)) == [("parallel", [("[0]", ["0"]), ("[9]", ["9"]), ("[10]", ["10"])])]


def test_a_branch_with_one_thing_in_it_is_one_line() -> None:
    (group,) = outline([("parallel[0]", "stock"), ("parallel[1]/quote", "rate"), ("parallel[1]/quote", "round")])
    assert isinstance(group, Branch)
    first, second = group.children
    assert isinstance(first, Branch)
    assert isinstance(second, Branch)
    assert merged(first) == ("[0]", [], "stock")
    assert merged(second) == ("[1] quote", ["rate", "round"], None)
    assert merged(group)[0] == "parallel"


def test_a_sub_flow_with_one_step_keeps_its_line() -> None:
    (branch,) = outline([("quote", "rate")])
    assert isinstance(branch, Branch)
    assert merged(branch) == ("quote", ["rate"], None)


segments = st.sampled_from(["", "quote", "parallel[0]", "parallel[1]/quote", "race[a]", "race[b]/parallel[0]/x"])


@given(st.lists(segments))
def test_no_step_is_lost_and_each_is_under_its_path(paths: list[str]) -> None:
    def leaves(nodes: list[Branch[tuple[str, int]] | tuple[str, int]], above: list[str]) -> list[int]:
        found: list[int] = []
        for node in nodes:
            if isinstance(node, Branch):
                found += leaves(node.children, [*above, node.label])
            else:
                assert parts(node[0]) == above
                found.append(node[1])
        return found

    steps = [(path, (path, number)) for number, path in enumerate(paths)]
    assert sorted(leaves(outline(steps), [])) == list(range(len(paths)))


def test_guides_join_a_parent_with_its_children() -> None:
    assert list(guides([0, 1, 2, 2, 1, 2, 0, 1])) == ["", "├─ ", "│  ├─ ", "│  └─ ", "└─ ", "   └─ ", "", "└─ "]
