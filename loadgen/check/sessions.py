"""O5, session by session: what a client has seen, it is never shown less than."""

from __future__ import annotations

from loadgen.check.findings import Breach, Findings
from loadgen.check.index import Index, Read
from loadgen.headers import parts


def check_sessions(index: Index, findings: Findings) -> None:
    """Walk through the reads of every session in their order."""
    session = 0
    seen: dict[tuple[int, str], Read] = {}
    for read in index.reads_by_session():
        if read.session != session:
            session, seen = read.session, {}
        if read.status != 200:
            continue
        for breach in _of_read(read, seen):
            findings.add(breach)


def _of_read(read: Read, seen: dict[tuple[int, str], Read]) -> list[Breach]:
    found = []
    asked, told = parts(read.token), parts(read.etag)
    epoch = "" if told is None else told[1]
    if asked is not None and told is not None and asked[1] != told[1]:
        found.append(_breach(read, "other_epoch", "a token of another history was served", None))
    elif asked is not None and read.version < asked[0]:
        found.append(_breach(read, "below_token", f"the token asks for {asked[0]}", None))
    last = seen.get((read.account_id, epoch))
    if last is not None and read.version < last.version:
        found.append(_breach(read, "went_back", f"version {last.version} was seen before", last))
    if last is None or read.version > last.version:
        seen[read.account_id, epoch] = read
    return found


def _breach(read: Read, rule: str, says: str, earlier: Read | None) -> Breach:
    lines = (read.place,) if earlier is None else (earlier.place, read.place)
    return Breach(
        "O5",
        rule,
        f"session {read.session} was shown version {read.version}: {says}",
        account=read.account,
        lines=lines,
        evidence={"read": read._asdict()},
    )
