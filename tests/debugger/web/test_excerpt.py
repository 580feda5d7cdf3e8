"""Excerpts of source files."""

from inngest_gen.debugger.web.excerpt import excerpt


def test_a_short_file_is_given_whole() -> None:
    assert excerpt(["a", "b"], [1]) == [{"first": 1, "lines": ["a", "b"]}]
    assert excerpt([], [1]) == []


def test_of_a_long_file_there_is_what_is_around_the_places() -> None:
    lines = [str(n) for n in range(1, 5_001)]
    pieces = excerpt(lines, [1_000, 1_050, 4_990])
    assert [(piece["first"], piece["lines"][0], piece["lines"][-1]) for piece in pieces] == [(940, "940", "1110"), (4_930, "4930", "5000")]


def test_a_place_past_the_end_is_passed_over() -> None:
    assert excerpt(["x"] * 2_000, [9_000]) == []


def test_long_lines_are_cut() -> None:
    assert excerpt(["x" * 9_000], [1])[0]["lines"] == [f"{'x' * 500}…"]
