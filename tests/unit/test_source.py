"""The SQL tree: its order, and what is refused before any database is asked."""

from pathlib import Path

import pytest

from service.database import source
from service.database.source import SourceError, load


def write(root: Path, **files: str) -> Path:
    """Writes files given as folder__name."""
    for key, text in files.items():
        path = root / (key.replace("__", "/") + ".sql")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_migrations_come_by_number_and_functions_by_path_with_the_grants_last(
    tmp_path: Path,
) -> None:
    tree = load(
        write(
            tmp_path,
            migrations__0002_two="2",
            migrations__0001_one="1",
            functions__90_grants="g",
            functions__20_api__a="a",
            functions__10_private__z="z",
            functions__10_private__b="b",
            functions__30_triggers__t="t",
        )
    )
    assert [file.name for file in tree.migrations] == ["0001_one.sql", "0002_two.sql"]
    assert [file.name for file in tree.functions] == [
        "10_private/b.sql",
        "10_private/z.sql",
        "20_api/a.sql",
        "30_triggers/t.sql",
        "90_grants.sql",
    ]
    assert tree.functions[0].shown == "db/functions/10_private/b.sql"


@pytest.mark.parametrize(
    "names",
    [
        ("0001_a", "0003_c"),
        ("0001_a", "0001_b"),
        ("0002_a",),
        ("1_a",),
        ("0001_A",),
        ("0001-a",),
    ],
)
def test_a_migration_with_a_wrong_name_or_number_is_refused_by_name(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    for name in names:
        write(tmp_path, **{f"migrations__{name}": "select 1;"})
    with pytest.raises(SourceError, match=f"db/migrations/{names[-1]}.sql"):
        load(tmp_path)


def test_a_tree_without_migrations_is_refused(tmp_path: Path) -> None:
    (tmp_path / "migrations").mkdir()
    with pytest.raises(SourceError, match="no migrations"):
        load(tmp_path)


@pytest.mark.parametrize(
    "command",
    [
        "begin;",
        "COMMIT;",
        "rollback ;",
        "start transaction read write;",
        "commit and chain;",
        "end work;",
    ],
)
def test_a_file_may_not_end_the_transaction_around_it(tmp_path: Path, command: str) -> None:
    write(tmp_path, migrations__0001_a=f"select 1;\n{command}\nselect 2;\n")
    with pytest.raises(SourceError, match=r"db/migrations/0001_a\.sql:2: "):
        load(tmp_path)


def test_the_blocks_of_a_function_body_are_no_transaction_commands(tmp_path: Path) -> None:
    body = "do $$\nbegin\n  begin\n    null;\n  end;\nend;\n$$;\n"
    write(tmp_path, migrations__0001_a=body)
    assert load(tmp_path).migrations[0].text == body


def test_line_ends_do_not_change_the_checksum(tmp_path: Path) -> None:
    (tmp_path / "migrations").mkdir()
    file = tmp_path / "migrations" / "0001_a.sql"
    file.write_bytes(b"select 1;\nselect 2;\n")
    unix = load(tmp_path).migrations[0].checksum
    file.write_bytes(b"select 1;\r\nselect 2;\r\n")
    assert load(tmp_path).migrations[0].checksum == unix
    file.write_bytes(b"select 1;\nselect 3;\n")
    assert load(tmp_path).migrations[0].checksum != unix


def test_a_file_in_another_encoding_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "0001_a.sql").write_bytes(b"-- caf\xe9\n")
    with pytest.raises(SourceError, match=r"0001_a\.sql: not UTF-8"):
        load(tmp_path)


def test_the_tree_inside_an_installed_package_comes_before_a_folder_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "service" / "database" / "source.py"
    monkeypatch.setattr(source, "__file__", str(module))
    with pytest.raises(SourceError, match="no SQL files"):
        source.find_root()
    (tmp_path / "db" / "migrations").mkdir(parents=True)
    assert source.find_root() == tmp_path / "db"
    (tmp_path / "service" / "_db" / "migrations").mkdir(parents=True)
    assert source.find_root() == tmp_path / "service" / "_db"


def test_the_shipped_tree_is_fit() -> None:
    assert load().migrations[0].name.startswith("0001_")
