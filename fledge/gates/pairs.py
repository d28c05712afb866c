"""From a change to the pairs that the gates judge: artifacts, rows and contracts by hash, on the branch's terms."""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from fledge import fetch, git, project, release
from fledge.artifact import compatibility
from fledge.artifact.contract import Contract
from fledge.atomic import write
from fledge.branch.affected import Change
from fledge.branch.terms import Terms, terms
from fledge.gates import comparison, limits, notes
from fledge.gates.limits import Limits
from fledge.gates.process import Pair
from fledge.problems import Problem
from fledge.project import parsed_yaml, read_yaml, validated
from fledge.release import Release, contracts, lineage
from fledge.remote.listing import contents


@dataclass(frozen=True)
class Case:
    """A change and the contracts of both sides, as text: `theirs` is the champion's own, None without a champion."""

    root: Path
    base: str
    change: Change
    home: str  # a commit with the candidate's contract
    ours: str
    theirs: str | None

    @property
    def folder(self) -> Path:
        """Where what is not fetched is written for the gates to read."""
        return self.root / ".fledge" / "judged" / f"{self.change.files.environment}-{self.change.files.model}"

    @property
    def name(self) -> str:
        """What its evidence is called."""
        return self.change.evidence

    @property
    def contracts(self) -> tuple[Any, Any]:
        """The champion's and the candidate's, read."""
        file = f"models/{self.change.files.model}/contract.yaml"
        return parsed_yaml(self.theirs or "", file), parsed_yaml(self.ours, file)

    @property
    def major(self) -> bool:
        """Whether the candidate is of a major version after the champion's."""
        champion = self.change.champion
        return champion is not None and comparison.step(champion.version, self.change.candidate.version) == "major"


def pairs(root: Path, base: str, change: Change) -> list[Pair]:
    """The pair that the target branch `base` judges, and, where the branch changes limits or gates, its own.

    Everything is fetched by hash. Raises Problem for an artifact, rows or a contract that is nowhere, for limits that
    are missing or misspelt, and for a pinned anchor that was never healthy.
    """
    home, ours = contracts.home(root, change.files, change.candidate, "HEAD")
    champion = change.champion
    theirs = contracts.home(root, change.files, champion, base)[1] if champion else None
    case = Case(root, base, change, home, ours, theirs)
    _require_contracts(case)
    _forget(case)
    alone = _alone(case)
    return [_pair(case, one, alone is not None) for one in terms(root, change.files.model, base, alone)]


def _require_contracts(case: Case) -> None:
    """Both are compared key by key, so both must be contracts: Problem, a line for each key that is none."""
    file = f"models/{case.change.files.model}/contract.yaml"
    validated(Contract, parsed_yaml(case.ours, file), file)
    if case.change.champion and case.theirs is not None:
        whose = f"{file} of {case.change.champion.version}"
        validated(Contract, parsed_yaml(case.theirs, whose), whose)


def _forget(case: Case) -> None:
    """What an earlier run left must not speak for this one."""
    shutil.rmtree(case.folder, ignore_errors=True)
    for kept in (case.root / ".fledge" / "artifacts").glob(f"{case.name}*"):
        kept.unlink()


def _alone(case: Case) -> str | None:
    """Why a major version is judged without its champion, None where they are compared, as any other version must be.

    A version that is major by its number alone breaks nothing, so it is compared.
    """
    champion, candidate = case.change.champion, case.change.candidate
    why = _unlike(case) if champion and case.major and compatibility.breaks(*case.contracts) else []
    if not (champion and why):
        return None
    found = f"{candidate.version} cannot be compared with the champion {champion.version} ({'; '.join(why)})"
    return f"{found}: judged by its own limits, without a champion."


def _unlike(case: Case) -> list[str]:
    before, after = case.contracts
    path = f"models/{case.change.files.model}/params.yaml"
    there = f"{case.base}:{path}"
    theirs = _gates(parsed_yaml(git.show(case.root, case.base, path) or "", there), there)
    ours = _gates(read_yaml(case.root / path), path)
    reasons = comparison.incomparable(before, after)
    reasons += [f"gates.{key} differs" for key in ("task", "label") if theirs.get(key) != ours.get(key)]
    if reasons:
        return reasons
    # By the limits that would judge, if the champion took part: what is wrong with them is no reason to leave it out.
    known, _ = _limits(case, terms(case.root, case.change.files.model, case.base)[0])
    columns = pq.read_schema(_months(case, known.months[:1], known, "gates.rows")[0]).names
    absent = [name for name in before["inputs"] if name not in columns]
    return [f"the rows have no {', '.join(absent)}"] if absent else []


def _gates(content: Any, file: str) -> Mapping[str, Any]:
    found = content.get("gates") if isinstance(content, Mapping) else content
    if not isinstance(found, Mapping | None):
        raise Problem(f"{file}: found {str(found)[:80]!r}, expected a mapping of limits ({file}: gates)")
    return found or {}


def _pair(case: Case, judging: Terms, alone: bool) -> Pair:
    known, file = _limits(case, judging)
    champion = None if alone else case.change.champion
    anchor = _anchor(case, champion, known) if champion else None
    theirs = case.theirs if champion and case.theirs != case.ours else None
    own = "-own" if judging.own else ""
    place = _place(case)
    return Pair(
        model_dir=place,
        candidate=_artifact(case.root, case.change.candidate),
        champion=_artifact(case.root, champion) if champion else None,
        rows=_months(case, known.months, known, "gates.rows"),
        evidence=case.root / ".fledge" / "artifacts" / f"{case.name}{own}.json",
        training=_months(case, known.training, known, "train.months"),
        anchor=_artifact(case.root, anchor) if anchor else None,
        champion_contract=_written(case, "champion.yaml", theirs) if theirs else None,
        limits=file,
        limits_from=judging.file,
        revision=judging.revision,
        environment=f"{case.change.files.environment}{own}",
        notes=(*_notes(case, champion, anchor), *_differences(case, place, known), *judging.notes),
        checks=_version(case),
    )


def _limits(case: Case, judging: Terms) -> tuple[Limits, Path]:
    """The limits that judge, with the candidate's own recipe: which months it saw is not the target branch's to say."""
    content = {"train": case.change.candidate.parameters, **judging.limits}
    file = _written(case, "own.yaml" if judging.own else "target.yaml", release.dump(content))
    return limits.load(file, judging.file), file


def _written(case: Case, name: str, text: str) -> Path:
    write(case.folder / name, text)
    return case.folder / name


def _place(case: Case) -> Path:
    """models/<model>, or as it was when the release was made, where it has another contract by now."""
    here = Path("models") / case.change.files.model
    contract = case.root / here / "contract.yaml"
    if contract.is_file() and contract.read_text() == case.ours:
        return case.root / here
    git.unpack(case.root, case.home, case.folder, here)
    return case.folder / here


def _artifact(root: Path, one: Release) -> Path:
    return lineage.fetched(root, one.artifact.md5, one.artifact.sha256)


def _months(case: Case, months: Sequence[str], known: Limits, key: str) -> tuple[Path, ...]:
    """The files of some months of the candidate's data. Raises Problem, a line for each month that it lacks."""
    remote, data = project.remote(case.root), case.change.candidate.data.md5
    there, names = contents(remote, data) if months else {}, _named(case, months)
    if absent := [name for name in names if name not in there]:
        who = case.change.files.who
        raise Problem(*(f"{who}: no {name} in data {data}, expected it ({known.file}: {key})" for name in absent))
    kept = case.root / ".fledge" / "artifacts" / data
    for name in names:
        if not _holds(kept / name, there[name]):
            fetch.fetch_one(remote, data, name, kept / name)
    return tuple(kept / name for name in names)


def _other_rows(case: Case, champion: Release, known: Limits) -> list[str]:
    """Which held-out months are not those that the champion was judged on; nothing where its data are the same."""
    ours, theirs = case.change.candidate.data.md5, champion.data.md5
    if ours == theirs:
        return []
    remote, names = project.remote(case.root), _named(case, known.months)
    try:
        before = contents(remote, theirs)
    except Problem as problem:
        return [f"Whether the held-out rows are those of {champion.version} nobody can tell: {problem.lines[0]}."]
    return notes.months(contents(remote, ours), before, names, champion.version)


def _named(case: Case, months: Sequence[str]) -> list[str]:
    return [f"{case.change.files.model}/{month}.parquet" for month in months]


def _holds(file: Path, md5: str) -> bool:
    return file.is_file() and hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest() == md5


def _anchor(case: Case, champion: Release, known: Limits) -> Release | None:
    regression = known.content["gates"].get("regression")
    section = regression.get("anchor") if isinstance(regression, Mapping) else None
    pinned = section.get("version") if isinstance(section, Mapping) else None
    key = f"{known.file}: gates.regression.anchor.version"
    return comparison.anchor(case.root, case.change.files, case.base, champion, pinned and str(pinned), key)


def _version(case: Case) -> tuple[Any, ...]:
    champion = case.change.champion
    if champion is None:
        return ()
    check = comparison.version_check(case.change.files.model, case.change.candidate, champion, *case.contracts)
    return (check,)


def _notes(case: Case, champion: Release | None, anchor: Release | None) -> list[str]:
    change = case.change
    against = f"champion {champion.version}" if champion else "no champion"
    held = f", anchor {anchor.version}" if anchor else ""
    lines = [f"{change.files.who}: {change.kind} {change.candidate.version}, {against}{held}."]
    if change.champion is None:
        lines.append(f"Nothing was healthy in {change.files.environment} yet: judged by absolute limits alone.")
    if case.major:
        broken = "; ".join(compatibility.breaks(*case.contracts)) or "by its number alone"
        lines.append(f"{change.candidate.version} is a major version ({broken}): the contract's owner must review it.")
    return lines


def _differences(case: Case, place: Path, known: Limits) -> list[str]:
    """What differs from the champion's side beside the artifact, and which of the target branch's requests do not ask."""
    folder, champion = f"models/{case.change.files.model}", case.change.champion
    lines = []
    if champion:
        lines += [*notes.data(case.change.candidate, champion), *_other_rows(case, champion, known)]
        lines += notes.contract(*case.contracts, f"{folder}/contract.yaml")
    before = git.show(case.root, case.base, f"{folder}/requests.jsonl") or ""
    asked = place / "requests.jsonl"
    after = asked.read_text() if asked.is_file() else ""
    return lines + notes.requests(before, after, case.base, f"{folder}/requests.jsonl")
