"""Where the commits of submodules lie on this machine; nothing is fetched."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from delivery.errors import CommandFailed, Misconfigured
from delivery.programs.git_command import TIMEOUT_SECONDS, ask_git, unquoted

GITLINK = "160000"
SYMLINK = "120000"


@dataclass(frozen=True)
class Repository:
    """A repository by its own folder (`.git`), what linked work trees share, and a work tree when there is one."""

    git_dir: Path
    common_dir: Path
    work_tree: Path | None

    @classmethod
    def at(cls, work_tree: Path) -> "Repository":
        """Return the repository whose work tree begins at `work_tree`; CommandFailed when there is none."""
        return cls._told(ask_git(work_tree, "rev-parse", "--git-dir", "--git-common-dir"), work_tree, work_tree)

    @classmethod
    def bare(cls, git_dir: Path, work_tree: Path | None) -> "Repository":
        """Return the repository that lies in `git_dir`; CommandFailed when none does."""
        env = {"GIT_DIR": str(git_dir), "GIT_WORK_TREE": str(git_dir)}  # the one it is set to may be gone
        told = ask_git(git_dir, "rev-parse", "--git-dir", "--git-common-dir", env=env)
        return cls._told(told, git_dir, work_tree)

    @classmethod
    def _told(cls, told: str, asked_in: Path, work_tree: Path | None) -> "Repository":
        own, common = told.split("\n")[:2]
        return cls((asked_in / own).resolve(), (asked_in / common).resolve(), work_tree)

    def ask(self, *arguments: str, timeout_seconds: float = TIMEOUT_SECONDS) -> str:
        """Return what git prints about what is in the repository, wherever its work tree is set to be."""
        env = {"GIT_DIR": str(self.git_dir), "GIT_WORK_TREE": str(self.git_dir)}
        return ask_git(self.git_dir, *arguments, env=env, timeout_seconds=timeout_seconds)

    def has(self, commit: str) -> bool:
        """Whether the commit is here."""
        try:
            self.ask("cat-file", "-e", f"{commit}^{{commit}}")
        except CommandFailed:
            return False
        return True


@dataclass(frozen=True)
class Entry:
    """What a commit has at one path, below its root."""

    mode: str
    hash: str
    quoted: str

    @property
    def path(self) -> str:
        """The path as this machine takes it."""
        return unquoted(self.quoted)


def entries(repository: Repository, commit: str, folder: str) -> list[Entry]:
    """Return everything but folders that the commit has below `folder`."""
    lines = repository.ask("ls-tree", "-r", "--full-tree", commit, *below(folder)).split("\n")[:-1]
    parts = (line.partition("\t")[::2] for line in lines)
    return [Entry(mode=facts.split()[0], hash=facts.split()[2], quoted=quoted) for facts, quoted in parts]


def below(folder: str) -> list[str]:
    """Return the arguments that limit a command of git to what is below `folder`."""
    return [] if folder == "." else ["--", folder]


def check_submodules(repository: Repository, commit: str, folder: str, *, outer: str = "") -> None:
    """Return when the commits of all submodules below `folder` are here; Misconfigured otherwise."""
    for gitlink in entries(repository, commit, folder):
        if gitlink.mode == GITLINK:
            inner = find_submodule(repository, commit, gitlink, outer=outer)
            if inner:
                check_submodules(inner, gitlink.hash, ".", outer=outer or gitlink.path)


def find_submodule(repository: Repository, commit: str, gitlink: Entry, *, outer: str = "") -> Repository | None:
    """Return the repository that has the submodule's commit; none for one that is never to be checked out.

    Raises Misconfigured when no repository on this machine has it. `outer` is the path of the submodule this one is in.
    """
    settings = _settings(repository, commit, gitlink)
    found = list(_candidates(repository, settings.get("name"), gitlink.path))
    for candidate in found:
        if candidate.has(gitlink.hash):
            return candidate
    if settings.get("update") == "none":
        return None
    path = outer or gitlink.path
    where = f"submodule {gitlink.path}" + (f" of {outer}" if outer else "")
    if "name" not in settings:
        raise Misconfigured(
            where,
            f"commit {gitlink.hash[:12]} is recorded, but .gitmodules of {commit[:7]} does not say where it comes from",
            "an entry in .gitmodules",
            f"git submodule add URL {gitlink.path}; or git rm --cached {gitlink.path}, when it is none",
        )
    next_step = f"git submodule update --init --recursive {path}"
    if found:
        next_step += f"; or git -C {path} fetch, when {commit[:7]} is not what is checked out"
    problem = "is not in its repository" if found else "is not here: the submodule was not checked out"
    raise Misconfigured(where, f"commit {gitlink.hash[:12]} {problem}", next_step=next_step)


def _candidates(repository: Repository, name: str | None, path: str) -> Iterator[Repository]:
    """Yield the repositories in which git keeps the submodule, also those of other work trees of the same one."""
    checked_out = repository.work_tree / path if repository.work_tree else None
    if checked_out and not checked_out.is_dir():
        checked_out = None
    folders: list[Path] = []
    if name and ".." not in PurePosixPath(name).parts:
        keepers = [repository.git_dir, repository.common_dir, *sorted(repository.common_dir.glob("worktrees/*"))]
        folders = [keeper / "modules" / name for keeper in dict.fromkeys(keepers)]
    for folder in folders:
        if (folder / "HEAD").is_file():
            yield Repository.bare(folder, checked_out)
    main = repository.common_dir.parent if repository.common_dir.name == ".git" else None
    for work_tree in dict.fromkeys(filter(None, [repository.work_tree, main])):
        if (work_tree / path / ".git").exists():  # else git would take the repository above for it
            yield Repository.at(work_tree / path)


def _settings(repository: Repository, commit: str, gitlink: Entry) -> dict[str, str]:
    """Return what the commit's .gitmodules says of the submodule, and its `name`; nothing when it says nothing."""
    try:
        text = repository.ask("config", "--blob", f"{commit}:.gitmodules", "--null", "--list")
    except CommandFailed as error:
        if not repository.ask("ls-tree", "--full-tree", commit, "--", ".gitmodules"):
            return {}
        raise Misconfigured(f".gitmodules of {commit[:7]}", f"cannot be read: {error.last_lines}") from error
    told: dict[str, dict[str, str]] = {}
    for line in text.split("\0")[:-1]:
        key, _, value = line.partition("\n")
        section, _, rest = key.partition(".")
        name, _, setting = rest.rpartition(".")
        if section == "submodule" and name:
            told.setdefault(name, {"name": name})[setting] = value
    path = _as_printed(gitlink.path)
    return next((settings for settings in told.values() if settings.get("path", "").rstrip("/") == path), {})


def _as_printed(path: str) -> str:
    """Return a path as it reads in the output of a program, where bytes that are no text are lost."""
    return path.encode(errors="surrogateescape").decode(errors="replace")
