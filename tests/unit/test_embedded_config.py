"""The embedded server's settings: durable, scaled to the machine, quoted."""

import pytest

from service.embedded import EmbeddedError
from service.embedded.config import default_settings, machine_memory, render

GIB = 1024**3


@pytest.mark.parametrize(
    ("memory", "shared_buffers"),
    [(GIB // 2, "128MB"), (4 * GIB, "512MB"), (16 * GIB, "2048MB"), (512 * GIB, "2048MB")],
)
def test_shared_buffers_follow_the_memory_within_bounds(memory: int, shared_buffers: str) -> None:
    assert default_settings(memory)["shared_buffers"] == shared_buffers


def test_the_machine_has_some_memory() -> None:
    assert machine_memory() > 100 * 1024**2


@pytest.mark.parametrize("name", ["fsync", "full_page_writes", "synchronous_commit", "autovacuum"])
def test_the_defaults_are_durable(name: str) -> None:
    assert default_settings()[name] == "on"


def test_values_are_quoted() -> None:
    assert "a.b = 'it''s \\\\ a'\n" in render({"a.b": "it's \\ a"})


@pytest.mark.parametrize("name", ["port", "Listen_Addresses", "unix_socket_directories"])
def test_the_supervisors_own_settings_are_refused(name: str) -> None:
    with pytest.raises(EmbeddedError, match="supervisor's own"):
        render({name: "1"})


@pytest.mark.parametrize(
    ("name", "value"), [("work mem", "1"), ("x = 1\ny", "1"), ("work_mem", "1'\nfsync = 'off")]
)
def test_what_could_not_be_a_setting_is_refused(name: str, value: str) -> None:
    with pytest.raises(EmbeddedError, match="no setting"):
        render({name: value})
