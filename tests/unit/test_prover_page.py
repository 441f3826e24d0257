"""The report: one file that needs nothing else, and that a browser shows as it is meant."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import zlib
from html.parser import HTMLParser
from pathlib import Path

import pytest
from support.made_proof import SECONDS, make_proof

from loadgen.prover import page

CHROMIUM_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
]
VOID = {"meta", "br", "line", "rect", "polyline"}


class Tags(HTMLParser):
    """Counts tags, and sees that they are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: dict[str, int] = {}
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen[tag] = self.seen.get(tag, 0) + 1
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen[tag] = self.seen.get(tag, 0) + 1

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parsed(html: str) -> Tags:
    tags = Tags()
    tags.feed(html)
    assert tags.open == []
    return tags


def test_it_is_one_whole_file_that_asks_for_nothing() -> None:
    html = page.render(make_proof())
    tags = parsed(html)
    assert tags.addresses == []
    assert "script" not in tags.seen
    assert not re.search(r"url\(|@import|https?://", html)


def test_it_draws_three_charts_with_a_band_for_each_injection_in_each() -> None:
    tags = parsed(page.render(make_proof()))
    assert tags.seen["svg"] == 3
    assert tags.seen["rect"] == 3 * 3
    assert tags.seen["polyline"] == 3 + 3 + 4


def test_a_point_for_every_second_lies_inside_its_chart() -> None:
    html = page.render(make_proof())
    for points in re.findall(r'points="([^"]+)"', html):
        pairs = [tuple(map(float, pair.split(","))) for pair in points.split()]
        assert len(pairs) == SECONDS
        assert all(
            page.LEFT <= x <= page.WIDTH - page.RIGHT
            and page.TOP - 0.1 <= y <= page.HEIGHT - page.BOTTOM + 0.1
            for x, y in pairs
        )


def test_where_nothing_was_answered_the_latency_has_a_gap() -> None:
    proof = make_proof()
    for second in (50, 51):
        proof.timeline[second] |= {"p50": 0.0, "p99": 0.0, "max": 0.0}
    assert parsed(page.render(proof)).seen["polyline"] == 2 * 3 + 3 + 4


def test_the_verdict_stands_above_everything() -> None:
    sound, broken = page.render(make_proof()), page.render(make_proof(sound=False))
    assert sound.index("Not sound") < sound.index("<svg")  # an injection hit nothing
    assert broken.index("O1 lost") < broken.index("<svg")
    assert "&lt;not&gt; there" in broken
    assert "<not>" not in broken


def test_an_empty_run_can_be_shown_too() -> None:
    proof = make_proof()
    proof.timeline, proof.injections = [], []
    parsed(page.render(proof))


def chromium() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    pytest.skip("no Chromium on this machine (Debian: apt install chromium)")


def browse(tmp_path: Path, *arguments: str) -> str:
    file = tmp_path / "report.html"
    file.write_text(page.render(make_proof(sound=False)), encoding="utf-8")
    done = subprocess.run(
        [
            chromium(),
            *CHROMIUM_FLAGS,
            f"--user-data-dir={tmp_path / 'profile'}",
            *arguments,
            file.as_uri(),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    return done.stdout


def test_a_browser_reads_it_as_it_was_written(tmp_path: Path) -> None:
    dom = browse(tmp_path, "--dump-dom")
    assert dom.count("<svg") == 3
    assert dom.count("<polyline") == 10
    assert "postgres_killed" in dom


def test_a_browser_shows_lines_and_bands_in_their_colours(tmp_path: Path) -> None:
    shot = tmp_path / "shot.png"
    browse(tmp_path, f"--screenshot={shot}", "--window-size=1000,1400")
    colours = colours_of(shot)
    for name in ("--a", "--b", "--d", "--bad"):
        wanted = re.search(rf"{name}: #(\w{{6}})", page.STYLE)
        assert wanted is not None
        assert colours.get(bytes.fromhex(wanted[1]), 0) > 20, name


def colours_of(png: Path) -> dict[bytes, int]:
    """Count the colours of a PNG of 8 bits a channel, without a library."""
    data = png.read_bytes()
    at, packed, channels, width = 8, b"", 3, 0
    while at < len(data):
        (length,) = struct.unpack("!I", data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width = struct.unpack("!I", body[:4])[0]
            channels = {2: 3, 6: 4}[body[9]]
        elif kind == b"IDAT":
            packed += body
        at += 12 + length
    raw, stride = zlib.decompress(packed), width * channels
    counts: dict[bytes, int] = {}
    before = bytearray(stride)
    for start in range(0, len(raw), stride + 1):
        line = unfiltered(
            raw[start], bytearray(raw[start + 1 : start + 1 + stride]), before, channels
        )
        for place in range(0, stride, channels):
            colour = bytes(line[place : place + 3])
            counts[colour] = counts.get(colour, 0) + 1
        before = line
    return counts


def unfiltered(kind: int, line: bytearray, above: bytearray, channels: int) -> bytearray:
    for place in range(len(line)):
        left = line[place - channels] if place >= channels else 0
        corner = above[place - channels] if place >= channels else 0
        match kind:
            case 1:
                guess = left
            case 2:
                guess = above[place]
            case 3:
                guess = (left + above[place]) // 2
            case 4:
                estimate = left + above[place] - corner
                guess = min((left, above[place], corner), key=lambda value: abs(estimate - value))
            case _:
                guess = 0
        line[place] = (line[place] + guess) & 0xFF
    return line
