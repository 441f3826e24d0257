"""The catalogue of mutants fits the code and the page, and what tries them can tell."""

from __future__ import annotations

import ast
import json
from typing import TYPE_CHECKING

import pytest
from mutants import page, tree, trial
from mutants.__main__ import chosen
from mutants.catalogue import MUTANTS
from mutants.mutant import Mutant, StaleError
from mutants.records import Records
from mutants.tree import REPO, Copy
from mutants.trial import Outcome, Verdict

if TYPE_CHECKING:
    from pathlib import Path

TRIED = [mutant for mutant in MUTANTS if not mutant.equivalent]


# -- the catalogue -------------------------------------------------------------------------------


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_mutant_applies_to_the_code_as_it_is(mutant: Mutant) -> None:
    """If this fails, the code has changed: say anew what the mutant replaces, or drop it."""
    whole = (REPO / mutant.file).read_text(encoding="utf-8")
    broken = mutant.applied_to(whole)
    assert broken != whole
    if mutant.file.endswith(".py"):
        ast.parse(broken)


def test_there_are_many_and_each_says_what_it_breaks() -> None:
    names = [mutant.name for mutant in MUTANTS]
    assert len(set(names)) == len(names)
    assert len(TRIED) >= 50
    assert [mutant.name for mutant in MUTANTS if not mutant.breach] == []
    assert [mutant.name for mutant in TRIED if not mutant.tests] == []
    assert [mutant.name for mutant in TRIED if not trial.around(mutant.file)] == []


def test_every_test_that_a_mutant_names_exists() -> None:
    named = {test for mutant in TRIED for test in mutant.tests}
    assert sorted(test for test in named if not is_there(test)) == []


def test_a_text_that_is_not_there_as_often_as_told_is_stale() -> None:
    with pytest.raises(StaleError):
        make("nothing of the kind").applied_to("return a + b\n")
    with pytest.raises(StaleError):
        make("a").applied_to("a a")
    assert make("a", times=2).applied_to("a a") == "broken broken"


# -- the page ------------------------------------------------------------------------------------


def test_the_page_tells_of_the_catalogue_as_it_is() -> None:
    """`make mutants` writes it when every mutant has been killed."""
    killed, equivalent = page.read(page.PAGE.read_text(encoding="utf-8"))
    assert [row[:3] for row in killed] == [(m.name, m.file, m.breach) for m in TRIED]
    assert equivalent == [(m.name, m.file, m.equivalent) for m in MUTANTS if m.equivalent]
    killers = {row.killed_by for row in killed} - {trial.PROVE}
    assert sorted(test for test in killers if not is_there(test)) == []


def test_what_is_written_to_a_page_can_be_read_from_it() -> None:
    mutants = [make("a | b", name="one"), make("b", name="two", equivalent="it | is")]
    verdict = Verdict(Outcome.KILLED, "tests/x.py::y[wheel18-a|b]", 1.0)
    text = page.render(mutants, {"one": verdict})
    assert page.read(text) == (
        [("one", "summing.py", "it breaks", "tests/x.py::y[a|b]")],
        [("two", "summing.py", "it | is")],
    )


@pytest.mark.parametrize(
    ("by", "shown"),
    [
        ("tests/x.py::y[system15]", "tests/x.py::y"),
        (f"{trial.TAP_RUNNER}[wheel18-20_api/x.sql]", "db/tests/20_api/x.sql"),
        (trial.PROVE, trial.PROVE),
    ],
)
def test_the_page_names_tests_as_mutants_do(by: str, shown: str) -> None:
    text = page.render([make("a")], {"a-mutant": Verdict(Outcome.KILLED, by, 1.0)})
    assert [row.killed_by for row in page.read(text)[0]] == [shown]


# -- trying one ----------------------------------------------------------------------------------


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Copy:
    """A tree of one function, and a test with two cases."""
    # Its tests need no plugins but those whose options are given: the others take half a second.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p pytest_timeout -p _hypothesis_pytestplugin")
    (tmp_path / "tests").mkdir()
    (tmp_path / "summing.py").write_text("def add(a, b):\n    return a + b\n")
    (tmp_path / "tests" / "test_code.py").write_text(
        "import pytest\nfrom summing import add\n\n"
        "@pytest.mark.parametrize('a', [1, 2], ids=['one', 'two'])\n"
        "def test_add(a):\n    assert add(a, 2) == a + 2\n"
    )
    return Copy(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "case", "outcome"),
    [
        ("a + b", "3", "[two]", Outcome.KILLED),
        ("def add", "def sub", "", Outcome.UNTRIED),  # nothing can be told from this
        ("a + b", "3", "[three]", Outcome.UNTRIED),
        ("nothing of the kind", "", "", Outcome.UNTRIED),
    ],
)
def test_a_mutant_is_killed_by_a_failing_test_and_by_nothing_else(
    copy: Copy, old: str, new: str, case: str, outcome: Outcome
) -> None:
    whole = (copy.root / "summing.py").read_text()
    mutant = make(old, new=new, tests=(f"tests/test_code.py::test_add{case}",))
    verdict = trial.attempt(mutant, copy, widen=False)
    assert verdict.outcome is outcome
    if outcome is Outcome.KILLED:
        assert verdict.by == "tests/test_code.py::test_add[two]"
    assert (copy.root / "summing.py").read_text() == whole


def test_what_its_tests_leave_alive_is_tried_on_those_around_it(
    copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "_AROUND", (("summing", ("tests",)),))
    mutant = make("a + b", new="3", tests=("tests/test_code.py::test_add[one]",))
    verdict = trial.attempt(mutant, copy)
    assert verdict[:2] == (Outcome.KILLED, "tests/test_code.py::test_add[two]")

    (copy.root / "tests" / "test_broken.py").write_text("def test_it():\n    assert False\n")
    assert trial.attempt(mutant, copy).outcome is Outcome.UNTRIED


def test_what_is_tried_is_a_copy_without_what_was_made(tmp_path: Path) -> None:
    (tmp_path / "service" / "__pycache__").mkdir(parents=True)
    (tmp_path / "service" / "a.py").write_text("a")
    (tmp_path / ".venv").mkdir()
    with tree.copied(tmp_path) as copy:
        found = sorted(path.name for path in copy.root.rglob("*"))
        (copy.root / "service" / "a.py").write_text("broken")
    assert found == [".cache", "a.py", "service"]
    assert (tmp_path / "service" / "a.py").read_text() == "a"
    assert not copy.root.exists()


# -- verdicts ------------------------------------------------------------------------------------


def test_a_verdict_is_kept_for_the_same_mutant_of_the_same_tree(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    killed, unsaid = Verdict(Outcome.KILLED, "a test", 1.0), Verdict(Outcome.UNTRIED, "", 1.0)
    records = Records(path, "a tree")
    records.add(make("a"), killed)
    records.add(make("b"), unsaid)
    records.add_sound(["x"])
    with path.open("a") as file:
        file.write('{"mutant": "cut off')
    again = Records(path, "a tree")
    assert again.verdict(make("a")) == killed
    assert again.verdict(make("a", new="otherwise broken")) is None
    assert again.verdict(make("b")) is None
    assert again.unsound(["y", "x"]) == ["y"]
    other = Records(path, "another tree")
    assert other.verdict(make("a")) is None
    assert other.unsound(["x"]) == ["x"]
    assert json.loads(path.read_text().splitlines()[0])["outcome"] == "killed"


def test_other_code_and_other_tests_are_another_tree(tmp_path: Path) -> None:
    (tmp_path / "service").mkdir()
    (tmp_path / "tests" / "mutants").mkdir(parents=True)
    digests = {tree.digest(tmp_path)}
    for name in ("service/a.py", "tests/test_a.py", "tests/conftest.py"):
        (tmp_path / name).write_text("a")
        digests.add(tree.digest(tmp_path))
    assert len(digests) == 4
    (tmp_path / "README.md").write_text("a")
    (tmp_path / "tests" / "mutants" / "a.py").write_text("a")
    assert tree.digest(tmp_path) in digests


def test_a_sample_is_the_same_for_one_tree_and_another_for_the_next() -> None:
    one = chosen((), 5, "a tree")
    assert one == chosen((), 5, "a tree")
    assert len({mutant.name for mutant in one}) == 5
    assert one != chosen((), 5, "another tree")


def is_there(test: str) -> bool:
    """Whether there is a test of that name, whatever its cases are."""
    file, _, name = test.partition("[")[0].partition("::")
    path = REPO / file
    return path.is_file() and (not name or f"def {name}(" in path.read_text(encoding="utf-8"))


def make(old: str, *, new: str = "broken", name: str = "a-mutant", **rest: object) -> Mutant:
    return Mutant(name=name, file="summing.py", old=old, new=new, breach="it breaks", **rest)  # type: ignore[arg-type]
