"""The TAP parser: it must not let a failure through."""

import pytest
from support.tap import problems

PASS = "1..2\n\nok 1 - one\n# a remark\nok 2 - two\n"


def test_a_complete_run_has_no_problems() -> None:
    assert problems(PASS) == []


@pytest.mark.parametrize(
    ("output", "problem"),
    [
        ("", "no plan"),
        ("ok 1 - one\n", "no plan"),
        ("1..3\nok 1 - one\nok 2 - two\n", "planned 3 tests, ran 2"),
        ("1..1\nok 1 - one\nok 2 - two\n", "planned 1 tests, ran 2"),
        ("1..2\nok 1 - one\nnot ok 2 - two\n", "not ok 2 - two"),
        ("1..2\nok 1 - one\nok 1 - one\n", "test 2 is numbered 1"),
        ("ok 1 - one\n1..1\n", "a test before the plan: ok 1 - one"),
        ("1..1\n1..1\nok 1 - one\n", "a second plan: 1..1"),
        ("1..1\nok 1\n", "proves nothing: ok 1"),
        ("1..1\nok 1 - one # TODO later\n", "proves nothing: ok 1 - one # TODO later"),
        ("1..1\nok 1 - # SKIP never\n", "proves nothing: ok 1 - # SKIP never"),
        ("1..0 # SKIP no server\n", "everything skipped: no server"),
        ("1..1\nok 1 - one\nt\n", "no TAP: t"),
        ("1..1\nok 1 - one\nERROR:  gone\n", "no TAP: ERROR:  gone"),
    ],
)
def test_everything_else_is_one(output: str, problem: str) -> None:
    assert problem in problems(output)


def test_what_is_said_after_a_failure_is_reported_with_it() -> None:
    output = "1..1\n# before\nnot ok 1 - one\n# Failed test 1\n"
    assert problems(output) == ["not ok 1 - one", "# Failed test 1"]
