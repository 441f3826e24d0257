"""The state directory: lock, passwords, port, log, and the way to the server's data.

    STATE_DIR/                 lock, port, *.log, passwords/USER            the caller's
    STATE_DIR/postgres/data/   the cluster                                  the server's user's
    STATE_DIR/valkey/          the cache server's socket                    the caller's

When the server's user can't reach STATE_DIR (root's home, say), `postgres` is a link to a
directory that it can reach. No directory that others made gets another mode.
"""

import fcntl
import logging
import os
import re
import secrets
import shutil
import stat
import tempfile
import time
from pathlib import Path

from service.embedded.elsewhere import make_elsewhere
from service.embedded.errors import EmbeddedError
from service.embedded.identity import Identity, choose_identity

log = logging.getLogger("payledger.embedded")

# Linux takes 107 bytes for a socket's path; PostgreSQL adds /.s.PGSQL.65535 to its directory.
LONGEST_SOCKET_DIR = 107 - len("/.s.PGSQL.65535")
MAX_LOG_BYTES = 16 * 1024 * 1024


class StateDir:
    """Everything on disk that belongs to one embedded cluster."""

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.abspath(path))
        self.log = self.path / "postgres.log"
        self._locks: list[int] = []

    # -- the lock ----------------------------------------------------------------------------

    def lock(self) -> None:
        """Make sure nobody else runs this cluster; the kernel forgets the lock when we die."""
        self.make()
        fd = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._locks.append(fd)
        deadline = time.monotonic() + 0.3  # somebody may just be asking for the holder()
        while not _flock(fd, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                holder = os.pread(fd, 32, 0).decode().strip() or "unknown"
                self.unlock()
                raise EmbeddedError(
                    f"the embedded PostgreSQL in {self.path} is already in use by process "
                    f"{holder}. Stop that one first, or choose another directory with "
                    "PAYLEDGER_STATE_DIR."
                )
            time.sleep(0.01)
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self._give_to_owner(self.path / "lock")

    def lock_data(self) -> None:
        """Lock the data too: a copied state directory may have a link to the same."""
        fd = os.open(self.server_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._locks.append(fd)
        if not _flock(fd, fcntl.LOCK_EX):
            raise EmbeddedError(
                f"the data in {self.server_dir} is already in use through another state "
                f"directory than {self.path}, which seems to be a copy of that one"
            )

    def unlock(self) -> None:
        """Let others use the cluster."""
        while self._locks:
            os.close(self._locks.pop())

    def holder(self) -> int | None:
        """The process that runs this cluster, if any."""
        try:
            fd = os.open(self.path / "lock", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except PermissionError as error:
            raise EmbeddedError(f"{self.path} is another user's: {error}") from error
        try:
            if _flock(fd, fcntl.LOCK_SH):
                return None
            return int(os.pread(fd, 32, 0).decode().strip() or 0) or None
        finally:
            os.close(fd)

    # -- our own files -----------------------------------------------------------------------

    def make(self) -> None:
        """Make the directory. As root, others may pass through it, but not list it."""
        if os.path.exists(self.path) and not os.access(self.path, os.W_OK | os.X_OK):
            raise EmbeddedError(
                f"{self.path} belongs to uid {self.path.stat().st_uid} and can't be written as "
                f"uid {os.geteuid()}. Choose another directory with PAYLEDGER_STATE_DIR."
            )
        if os.path.exists(self.path):
            return
        try:
            self.path.mkdir(parents=True)
            self.path.chmod(0o711 if os.geteuid() == 0 else 0o700)
        except OSError as error:
            raise EmbeddedError(f"can't make the state directory {self.path}: {error}") from error

    def write(self, name: str, text: str) -> None:
        """Write a private file, all of it or nothing."""
        target = self.path / name
        target.parent.mkdir(mode=0o700, exist_ok=True)
        self._give_to_owner(target.parent)
        fd, temporary = tempfile.mkstemp(dir=target.parent)  # mode 0600
        with os.fdopen(fd, "w") as file:
            file.write(text)
        self._give_to_owner(Path(temporary))
        os.replace(temporary, target)

    def read(self, name: str) -> str | None:
        """What a file of ours says, without the white space around it."""
        try:
            return (self.path / name).read_text().strip()
        except FileNotFoundError:
            return None
        except PermissionError as error:
            raise EmbeddedError(f"{self.path} is another user's: {error}") from error

    def has(self, name: str) -> bool:
        """Whether the file is there."""
        return (self.path / name).exists()

    def remove(self, name: str) -> None:
        """Remove a file of ours, if it is there."""
        (self.path / name).unlink(missing_ok=True)

    def password(self, user: str, *, make: bool = False) -> str:
        """The user's password, kept in a file that only we can read."""
        password = self.read(f"passwords/{user}")
        if password is None and make:
            password = secrets.token_urlsafe(24)
            self.write(f"passwords/{user}", password + "\n")
        if password is None:
            raise EmbeddedError(
                f"there is no password for {user} in {self.path / 'passwords'}: either the "
                "cluster was never started, or its password file was lost"
            )
        return password

    def open_log(self, name: str) -> int:
        """A descriptor to append to a server's log; a big log is put aside first."""
        file = self.path / name
        if file.exists() and file.stat().st_size > MAX_LOG_BYTES:
            file.replace(file.with_suffix(".log.1"))
        fd = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._give_to_owner(file)
        return fd

    def make_private_dir(self, name: str) -> Path:
        """A directory that only we can enter."""
        made = self.path / name
        made.mkdir(mode=0o700, exist_ok=True)
        self._give_to_owner(made)
        return made

    def _give_to_owner(self, path: Path) -> None:
        """What root makes in a normal user's directory is that user's."""
        if os.geteuid() == 0:
            owner = self.path.stat()
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)

    # -- the server's files ------------------------------------------------------------------

    @property
    def server_dir(self) -> Path:
        """The directory that belongs to the server's user, where it really is."""
        return (self.path / "postgres").resolve()

    @property
    def data_dir(self) -> Path:
        """PGDATA."""
        return self.server_dir / "data"

    def identity(self) -> Identity:
        """The user that runs the server here."""
        return choose_identity([self.server_dir, self.path])

    def make_server_dir(self, identity: Identity) -> None:
        """Make the server's directory, in place or where its user can reach it."""
        link = self.path / "postgres"
        if link.is_symlink() and not link.exists():
            raise EmbeddedError(
                f"the data was in {self.server_dir} and is no longer there. "
                f"Bring it back, or remove {link} to begin with an empty database."
            )
        if not link.exists():
            if identity.can('cd "$1"', self.path):
                link.mkdir(mode=0o700)
            else:
                link.symlink_to(make_elsewhere(identity, self.path.parent.name or "root"))
                log.warning(
                    "%s can't reach %s: the data is kept in %s",
                    identity,
                    self.path,
                    self.server_dir,
                )
        if not any(self.server_dir.iterdir()):  # new, or its maker was killed
            identity.own(self.server_dir)
        if not identity.can('cd "$1" && test -w .', self.server_dir):
            raise EmbeddedError(
                f"the data is in {self.server_dir} (of uid {self.server_dir.stat().st_uid}), "
                f"which {identity} can't reach: start as its owner or as root, and "
                "let that user pass through the directories above it"
            )

    def make_socket_dir(self, identity: Identity) -> Path:
        """A directory for PostgreSQL's socket: its own, if that path is short and plain."""
        here = str(self.server_dir)
        if len(os.fsencode(here)) <= LONGEST_SOCKET_DIR and re.fullmatch(r"[\w./-]+", here):
            return self.server_dir
        return self.make_short_dir("postgres", identity)

    def make_short_dir(self, server: str, identity: Identity) -> Path:
        """A private directory with a short path, used again by the server's next start."""
        before = self.read(f"{server}_socket_dir")
        if before and _is_private(Path(before), identity):
            return Path(before)
        made = Path(tempfile.mkdtemp(prefix="payledger-", dir="/tmp"))
        identity.own(made)
        self.write(f"{server}_socket_dir", f"{made}\n")
        return made

    def drop_socket_dir(self, server: str = "postgres") -> None:
        """Leave no empty directory in /tmp."""
        if made := self.read(f"{server}_socket_dir"):
            shutil.rmtree(made, ignore_errors=True)
            self.remove(f"{server}_socket_dir")

    def remove_data(self) -> None:
        """Delete the cluster, wherever it is, and what only made sense with it."""
        for server in ("postgres", "valkey"):
            self.drop_socket_dir(server)
            for log_file in (f"{server}.log", f"{server}.log.1"):
                self.remove(log_file)
        shutil.rmtree(self.server_dir, ignore_errors=True)
        for name in ("passwords", "postgres", "valkey"):
            shutil.rmtree(self.path / name, ignore_errors=True)
        for name in ("postgres", "port", "prepared"):
            self.remove(name)


def _flock(fd: int, kind: int) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_private(path: Path, identity: Identity) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False
    return found.st_uid == identity.effective_uid and found.st_mode == stat.S_IFDIR | 0o700
