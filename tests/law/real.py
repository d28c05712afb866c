"""git as it is: the shipped scripts in people's clones and in the app's checkouts, with a bare remote between them.

What the law is held against is read with plain git and YAML, by none of the functions that the scripts decide with.
"""

import contextlib
import hashlib
import pickle
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import pytest
from ruamel.yaml import YAML

from fledge import atomic, git, kustomize
from fledge.artifact import versioning
from fledge.problems import Problem
from fledge.rehearsal.objects import template_hash
from fledge.release import Files, history, render
from fledge.remote import address
from fledge.remote.listing import contents
from fledge.retention import garbage
from scripts import auto_revert, check, gc, healthy, promote, rollback
from scripts import render as rendering
from tests.conftest import PARTS, ROOT
from tests.law.acts import ENVIRONMENTS, MODELS, PAIRS, Back, Base, Change, Edit, Promote, Release, Revert, Rollback
from tests.law.cluster import Told
from tests.law.process import DIED, run
from tests.repository import Repository

Value = TypeVar("Value")
MAIN = "origin/main"


class Real:
    """`origin` is bare, `person` and `second` are clones; `open` are the proposals' branches.

    `remote` is DVC's, at one place for all stories, because rendered files name it: one story is told at a time.
    `heads` and `tags` are all that the origin ever had; `died` counts the processes that were ended in the middle.
    """

    def __init__(self, folder: Path, before: Path, remote: Path) -> None:
        self.folder, self.origin, self.remote = folder, folder / "origin.git", remote
        shutil.copytree(before / "origin.git", self.origin)
        shutil.rmtree(remote, ignore_errors=True)
        shutil.copytree(before / "remote", remote)
        self.person, self.second = self._clone("person"), self._clone("second")
        self.open: list[str] = []
        self.count = 0
        self.checkouts = count()
        self.said: list[str] = []
        self.heads: list[str] = []
        self.tags: dict[str, str] = {}
        self.died = 0
        self._memory: dict[object, Any] = {}
        self._refs = ""
        self._forget()

    @property
    def proposals(self) -> list[str]:
        return self.open

    # What people do.

    def propose(self, change: Change) -> str | None:
        root, name = self.person, f"proposal-{self.count + 1}"
        git.git(root, "fetch", "--quiet", "--tags", "origin")
        git.git(root, "checkout", "--quiet", "-B", name, MAIN)
        self._change(root, change)
        assert git.git(root, "status", "--porcelain") == "", f"{change} left something behind"
        if git.git(root, "rev-parse", "HEAD") == git.git(root, "rev-parse", MAIN):
            return None
        git.git(root, "push", "--quiet", "origin", name)
        self.count += 1
        self.open.append(name)
        return name

    def offered(self, name: str, model: str) -> str:
        found = history.release_at(self.origin, Files(ENVIRONMENTS[0], model), name)
        assert found
        return found.version

    def merge(self, name: str, root: Path | None = None) -> bool:
        root = root or self.person
        self.open.remove(name)
        git.git(root, "fetch", "--quiet", "--tags", "origin")
        git.git(root, "checkout", "--quiet", "--detach", MAIN)
        try:
            git.git(root, "merge", "--quiet", "--no-ff", "-m", f"Merge {name}", f"origin/{name}")
        except Problem:
            git.git(root, "merge", "--abort")
            return False
        code, said = run(check.main, [], root)
        self.said.append(said)
        if code == 0:
            git.git(root, "push", "--quiet", "origin", "HEAD:main")
        self._forget()
        return code == 0

    def _change(self, root: Path, change: Change) -> None:
        match change:
            case Release(models):
                for model in models:
                    self._release(root, model)
            case Promote(models, crash):
                for model in models:
                    self._verb(promote.main, ["--model", model, "--to", ENVIRONMENTS[1]], crash)
            case Rollback(files, nth, crash):
                would_do = self._would_do(root, files)
                version = ["--to", would_do[nth % len(would_do)]] if would_do else []
                self._verb(rollback.main, ["--model", files.model, "--env", files.environment, *version], crash)
            case Revert(nth):
                self._revert(root, nth)
            case Back(files, nth):
                came = history.deliveries(root, files, MAIN)
                if came:
                    self._commit(root, "By hand", *render.restore(root, files, came[nth % len(came)].commit))
            case Base(part):
                self._base(root, part)
            case Edit():
                (root / "NOTES.md").write_text(f"{self.count + 1}\n")
                self._commit(root, "A note", "NOTES.md")

    def _verb(self, main: Callable[..., int], arguments: list[str], crash: int | None) -> None:
        """A person's verb; when the machine dies, they clean up and run it again."""
        code, said = run(main, arguments, self.person, crash)
        if code == DIED:
            self.died += 1
            git.git(self.person, "restore", "--staged", "--worktree", ".")
            git.git(self.person, "clean", "-d", "--force", "--quiet")
            code, said = run(main, arguments, self.person)
        self.said.append(said)

    def _release(self, root: Path, model: str) -> None:
        """`make release` after a training, without the training."""
        files = Files(ENVIRONMENTS[0], model)
        taken = history.versions(root, model, list(ENVIRONMENTS), MAIN)
        best = history.last_healthy(root, files, MAIN)
        version = versioning.next_version(taken[-1] if taken else None, "patch" if best else "minor")
        wanted = Repository(root, self.remote).release(version, model)
        self._commit(root, f"Release {model} {version}", *render.write(root, files, wanted))

    def _would_do(self, root: Path, files: Files) -> list[str]:
        """The versions that a rollback may go to, most recently served first."""
        text = git.show(root, MAIN, files.rendered)
        current = render.delivered(text)[0] if text else None
        known = {one.delivery: one.version for one in history.restorable(root, files, MAIN)}
        order = dict.fromkeys(one.delivery for one in history.deliveries(root, files, MAIN))
        return [known[one] for one in order if one in known and one != current]

    def _revert(self, root: Path, nth: int) -> None:
        commits = git.git(root, "rev-list", "--first-parent", MAIN).split()
        if nth + 1 >= len(commits):
            return
        merge = len(git.git(root, "rev-list", "--parents", "-1", commits[nth]).split()) > 2
        try:
            git.git(root, "revert", "--no-edit", *(["-m", "1"] if merge else []), commits[nth])
        except Problem:  # a conflict, or nothing left to revert
            git.git(root, "reset", "--hard", "--quiet")

    def _base(self, root: Path, part: str) -> None:
        file = root / "manifests/base/rollout.yaml"
        text = file.read_text()
        if part == "template":
            text = _counted(text, r"(terminationGracePeriodSeconds: )(\d+)")
        else:
            weight = re.findall(r"setWeight: (\d+)", text)[-1]
            text = _counted(_counted(text, rf"(setWeight: )({weight})\b"), rf'(value: ")({weight})\b')
        file.write_text(text)
        run(rendering.main, [], root)
        self._commit(root, "Another stack", "manifests")

    def _commit(self, root: Path, message: str, *paths: Path | str) -> None:
        if git.git(root, "status", "--porcelain"):
            git.commit(root, message, *paths)

    # What the app does, each time in a fresh checkout.

    def abort(self, files: Files, delivery: str, crash: int | None, race: int) -> None:
        self._app(auto_revert.main, files, delivery, ["--reason", "the sequence picked it"], crash, race)

    def complete(self, files: Files, delivery: str, crash: int | None, race: int) -> None:
        self._app(healthy.main, files, delivery, [], crash, race)

    def _app(
        self, main: Callable[..., int], files: Files, delivery: str, more: list[str], crash: int | None, race: int
    ) -> None:
        checkout = self._clone(f"app-{next(self.checkouts)}")
        arguments = ["--model", files.model, "--env", files.environment, "--delivery", delivery, *more]
        with self._raced(race if crash is None else 0):
            code, said = run(main, arguments, checkout, crash)
        self.died += code == DIED
        self.said.append(said)
        shutil.rmtree(checkout)
        self._forget()

    def tidy(self) -> None:
        """`make gc` without its patience, where GitHub has removed the branches of what was merged or closed."""
        for name in git.git(self.origin, "for-each-ref", "--format=%(refname:short)", "refs/heads").split():
            if name != "main" and name not in self.open:
                git.git(self.origin, "branch", "--quiet", "-D", name)
        checkout = self._clone("tidy")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(garbage, "GRACE", timedelta(0))
            code, said = run(gc.main, ["--apply"], checkout)
        shutil.rmtree(checkout)
        assert code == 0, said

    @contextlib.contextmanager
    def _raced(self, race: int) -> Iterator[None]:
        """Others merge just before the app pushes for the first time; afterwards, if it never does."""
        push = git.git
        left = race

        def others() -> None:
            nonlocal left
            while left:
                left -= 1
                if self.open:
                    self.merge(self.open[0], self.second)
                else:
                    git.git(self.second, "fetch", "--quiet", "origin")
                    git.git(self.second, "checkout", "--quiet", "--detach", MAIN)
                    git.git(self.second, "commit", "--quiet", "--allow-empty", "-m", "Nothing")
                    git.git(self.second, "push", "--quiet", "origin", "HEAD:main")

        def pushed(root: Path, *words: str) -> str:
            if words[0] == "push" and root != self.second:
                others()
            return push(root, *words)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(git, "git", pushed)
            yield
            others()

    # What git remembers.

    def _forget(self) -> None:
        """The target branch or a tag may have moved: then nothing that was asked of them counts any more."""
        refs = git.git(self.origin, "for-each-ref", "--format=%(objectname) %(refname)", "refs/heads/main", "refs/tags")
        if refs != self._refs:
            self._memory.clear()
            self._refs = refs
            self.heads.append(refs.partition(" ")[0])
            found = self._tags()
            assert self.tags.items() <= found.items(), "a healthy tag was moved or is gone"
            self.tags = found

    def _tags(self) -> dict[str, str]:
        """The commit of every healthy tag, by name."""
        lines = git.git(self.origin, "for-each-ref", "--format=%(refname:short) %(objectname)", "refs/tags/healthy")
        return dict(line.split() for line in lines.splitlines())

    def told(self, files: Files) -> Told | None:
        text = self._held(files.rendered)
        return _told(text) if text else None

    def healthy(self, files: Files) -> list[str]:
        return [name.rpartition("-")[2] for name in self.tags if name.startswith(f"healthy/{files.who}/")]

    def denied(self, files: Files) -> list[str]:
        return self._remembered("denied", files, lambda: self._denied(files))

    def _denied(self, files: Files) -> list[str]:
        text = self._held(files.denied)
        return [one["delivery"] for one in YAML(typ="safe").load(text)["spec"]["deliveries"]] if text else []

    def whole(self) -> None:
        kept = git.git(self.origin, "rev-list", "--first-parent", "main").split()
        assert set(self.heads) <= set(kept), "somebody's merge is gone"
        assert set(self.tags.values()) <= set(kept), "a tag is on another commit than the target branch's own"
        names = git.git(self.origin, "ls-tree", "-r", "--name-only", "main", "manifests").splitlines()
        assert not [name for name in names if Path(name).name.startswith(".")], "something was written aside and stayed"
        for files in PAIRS:
            told, text = self.told(files), git.show(self.origin, "main", files.release)
            found = YAML(typ="safe").load(text)["spec"]["version"] if text else None
            assert (told and told.version) == found, f"{files.who}: half a change"
            for commit in self._wanted(files):
                self._require_fetchable(files, commit)
        for tree in (self.person, self.second):
            assert git.git(tree, "status", "--porcelain") == ""

    def _held(self, path: Path) -> str | None:
        """What the target branch holds of a rendered file or a deny list; of all of them git is asked at once."""
        paths = [path for files in PAIRS for path in (files.rendered, files.denied)]
        return self._remembered(
            "held",
            None,
            lambda: dict(zip(paths, git.blobs(self.origin, [f"main:{path}" for path in paths]), strict=True)),
        )[path]

    def _wanted(self, files: Files) -> list[str]:
        """Of what serves, and of the last three healthy deliveries that are not denied, a commit that holds them."""
        log = ["log", "--first-parent", "--diff-merges=first-parent", "--format=%H", "main", "--", str(files.rendered)]
        commits = git.git(self.origin, *log).split()
        found: dict[str, str] = {}
        for commit, text in zip(commits, git.shows(self.origin, commits, files.rendered), strict=True):
            if text:
                found.setdefault(_told(text).delivery, commit)
        good = set(self.healthy(files)) - set(self.denied(files))
        return [*commits[:1], *[commit for delivery, commit in found.items() if delivery in good][:3]]

    def _require_fetchable(self, files: Files, commit: str) -> None:
        """Raises for an artifact or rows that are not in DVC's remote, file by file."""
        text = git.show(self.origin, commit, files.release)
        assert text, f"{files.who}: no release at {commit}"
        spec = YAML(typ="safe").load(text)["spec"]
        for folder in (spec["artifact"]["md5"], spec["data"]["md5"]):
            for name, md5 in contents(str(self.remote), folder).items():
                assert (self.remote / address(md5)).exists(), f"{files.who}: {name} of {spec['version']} is gone"

    def _remembered(self, what: str, files: Files | None, asked: Callable[[], Value]) -> Value:
        if (what, files) not in self._memory:
            self._memory[what, files] = asked()
        found: Value = self._memory[what, files]
        return found

    def _clone(self, name: str) -> Path:
        # --shared: what origin has is not copied. Nothing is ever tidied away there.
        subprocess.run(["git", "clone", "--quiet", "--shared", self.origin, self.folder / name], check=True)
        return self.folder / name


def _counted(text: str, pattern: str) -> str:
    """The text with the number in the pattern's second group one higher."""
    return re.sub(pattern, lambda match: f"{match[1]}{int(match[2]) + 1}", text)


@cache
def _told(text: str) -> Told:
    [spec] = [one["spec"] for one in YAML(typ="safe").load_all(text) if one["kind"] == "Rollout"]
    labels = spec["template"]["metadata"]["labels"]
    return Told(labels["fledge.dev/delivery"], labels["fledge.dev/version"], template_hash(spec["template"]), spec)


def a_template(folder: Path) -> Path:
    """A folder with the bare repository `origin.git`, the template as an owner of two models has it, and an empty `remote`.

    Its releases will be fetched from `remote` in `folder`.
    """
    made = folder / "template"
    root, remote = made / "clone", folder / "remote"
    for part in PARTS:
        (root / part).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, root / part)
    shutil.rmtree(root / "manifests" / "releases", ignore_errors=True)
    for environment in ENVIRONMENTS:
        shutil.rmtree(root / "manifests" / "rendered" / environment, ignore_errors=True)
    shutil.copytree(root / "models" / MODELS[0], root / "models" / MODELS[1])
    owner = root / "project.yaml"
    owner.write_text(owner.read_text().replace(f"  - {MODELS[0]}\n", "".join(f"  - {model}\n" for model in MODELS)))
    git.git(made, "init", "--quiet", "-b", "main", str(root))
    Repository(root, remote).fetched_from(str(remote))
    run(rendering.main, [], root)  # the platform follows from project.yaml
    git.commit(root, "Start from the template", ".")
    git.git(made, "clone", "--quiet", "--bare", "--no-local", str(root), str(made / "origin.git"))
    (made / "remote").mkdir()
    return made


def asked_once(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """The same answers sooner: kustomize's for each set of sources, kept in `folder`, and YAML's for each text."""
    build = kustomize.build

    def built(sources: Path, root: Path) -> str:
        asked = hashlib.sha256()
        for top in (sources, *(root / "manifests" / name for name in ("base", "components", "environments"))):
            for file in sorted(top.rglob("*.yaml")):
                # What a release was made from, apart from the data, is in no rendered file.
                text = re.sub(
                    r"(?m)^  ((contract|parent): .*|(training|parameters):\n(    .*\n)+)", "", file.read_text()
                )
                asked.update(f"{file.relative_to(top)}\n{text}\n".encode())
        answer = folder / "renderings" / f"{asked.hexdigest()}.yaml"
        if not answer.exists():
            atomic.write(answer, build(sources, root))
        return answer.read_text()

    patch.setattr(kustomize, "build", built)
    for name in ("load", "load_all"):
        patch.setattr(YAML, name, _parsed_once(getattr(YAML, name)))


def _parsed_once(load: Callable[..., Any]) -> Callable[..., Any]:
    known: dict[str, bytes] = {}

    def loaded(self: YAML, stream: Path | str) -> Any:
        text = stream.read_text() if isinstance(stream, Path) else stream
        if text not in known:
            content = load(self, text)
            known[text] = pickle.dumps(list(content) if load.__name__ == "load_all" else content)
        return pickle.loads(known[text])

    return loaded
