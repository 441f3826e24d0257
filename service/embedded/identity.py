"""Who runs the server: we ourselves or, when we are root, a user without rights.

PostgreSQL refuses to run as root. No OS user is made: one that every system has is borrowed.
"""

import functools
import os
import pwd
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from service.embedded.errors import EmbeddedError


@dataclass(frozen=True)
class Identity:
    """The user the server's programs run as; uid and gid are None when it is the caller."""

    uid: int | None = None
    gid: int | None = None

    @property
    def effective_uid(self) -> int:
        """The uid its files have."""
        return os.geteuid() if self.uid is None else self.uid

    def run(
        self,
        command: Sequence[str | Path],
        *,
        text: str = "",
        env: Mapping[str, str] | None = None,
    ) -> str:
        """Run a program as this user with `text` on its stdin and give its output."""
        try:
            done = subprocess.run(
                command,
                input=text,
                capture_output=True,
                text=True,
                cwd="/",
                env=env,
                umask=0o077,
                user=self.uid,
                group=self.gid,
                extra_groups=None if self.uid is None else (),
                check=False,
            )
        except OSError as error:
            raise EmbeddedError(f"can't run {command[0]} as {self}: {error}") from error
        if done.returncode != 0:
            said = (done.stderr + done.stdout).strip() or "it says nothing"
            raise EmbeddedError(f"{command[0]} failed ({done.returncode}): {said}")
        return done.stdout

    def shell(self, script: str, *arguments: str | Path, text: str = "") -> str:
        """Run a shell script as this user, `arguments` being $1, $2, ..."""
        return self.run(["/bin/sh", "-euc", script, "sh", *arguments], text=text)

    def can(self, script: str, *arguments: str | Path) -> bool:
        """Whether the script succeeds: the only true test of what a user may reach."""
        try:
            self.shell(script, *arguments)
        except EmbeddedError:
            return False
        return True

    def own(self, path: Path) -> None:
        """Hand over a file or directory that we have made."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def __str__(self) -> str:
        return f"uid {self.effective_uid}"


def choose_identity(owned: Sequence[Path]) -> Identity:
    """As root: the owner of the first of `owned` that exists and isn't root's, else `nobody`.

    So data made by a normal user stays that user's when root starts the server once.
    """
    if os.geteuid() != 0:
        return Identity()
    for path in owned:
        if path.exists() and (owner := path.stat()).st_uid != 0 and _has_name(owner.st_uid):
            return Identity(owner.st_uid, owner.st_gid)
    return _unprivileged()


@functools.cache
def _unprivileged() -> Identity:
    for name in ("nobody", "daemon"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return Identity(user.pw_uid, user.pw_gid)
    raise EmbeddedError(
        "PostgreSQL doesn't run as root, and this system has no user `nobody` to run it as. "
        "Start payledger as a normal user, or use a server of your own through PAYLEDGER_DSN."
    )


def _has_name(uid: int) -> bool:
    """Whether initdb will accept the user: it wants one that has an entry in passwd."""
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True
