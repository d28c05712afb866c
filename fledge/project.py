"""`project.yaml`, `params.yaml` and `.dvc/config`: what an owner says, checked on the way in."""

import configparser
import os
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from fledge.problems import Problem

# RFC 1123 label: a model's name is part of Kubernetes names and of hostnames.
Name = Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]{0,40}[a-z0-9])?$")]


class Strict(BaseModel):
    """A record of a YAML file in which an unknown key is a mistake, not a comment."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Environment(Strict):
    name: Name
    domain: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
    traffic: Literal["users", "replay"]
    # How long a canary that the judge could not decide about may wait: Argo Rollouts would pause it for ever.
    inconclusive: Annotated[str, Field(pattern=r"^(hold|[1-9][0-9]{0,3}[mh])$")] = "30m"

    def hostnames(self, model: str) -> dict[str, str]:
        """The two hostnames of a model: REST and gRPC never share one (Gateway API)."""
        return {"rest": f"{model}.{self.domain}", "grpc": f"grpc.{model}.{self.domain}"}


class Images(Strict):
    serving: str
    fledge: str
    replay: str


class Project(Strict):
    models: Annotated[list[Name], Field(min_length=1)]
    environments: Annotated[list[Environment], Field(min_length=1)]
    # GitHub, or a GitHub Enterprise server: the workflows that close the loop run there.
    repository: Annotated[str, Field(pattern=r"^https://[a-z0-9.-]+(:[0-9]+)?/[A-Za-z0-9-]+/[A-Za-z0-9._-]+$")]
    branch: str
    images: Images

    @property
    def api(self) -> str:
        """Where GitHub's REST API has this repository; a server of one's own has it below /api/v3."""
        host, _, name = self.repository.removeprefix("https://").removesuffix(".git").partition("/")
        return f"https://{f'api.{host}' if host == 'github.com' else f'{host}/api/v3'}/repos/{name}"

    def environment(self, name: str) -> Environment:
        """Raises Problem for a name that is not on the promotion path."""
        for environment in self.environments:
            if environment.name == name:
                return environment
        known = _some([environment.name for environment in self.environments])
        raise Problem(
            f"{name or '(no name)'}: no such environment, expected one of {known} (project.yaml: environments)"
        )

    def model(self, name: str) -> str:
        """Raises Problem for a name that project.yaml does not list."""
        if name in self.models:
            return name
        raise Problem(
            f"{name or '(no name)'}: no such model, expected one of {_some(self.models)} (project.yaml: models)"
        )

    def below(self, name: str) -> Environment | None:
        """The environment before `name` on the promotion path, None for the first one."""
        index = self.environments.index(self.environment(name))
        return self.environments[index - 1] if index else None


def _some(names: list[str], most: int = 10) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def load(root: Path) -> Project:
    """Read `project.yaml`. Raises Problem with one line per wrong, missing or unknown key."""
    return _project(read_text(root / "project.yaml"))


@lru_cache(maxsize=4)  # of a thousand models it takes 60 ms, and every rule asks
def _project(text: str) -> Project:
    return validated(Project, parsed_yaml(text, "project.yaml"), "project.yaml")


def read_yaml(path: Path) -> Any:
    """The plain content of a YAML file. Raises Problem where there is none or it does not parse."""
    try:
        return YAML(typ="safe").load(read_text(path))
    except YAMLError as error:
        raise _no_yaml(error, path.name, str(path)) from None


def read_text(path: Path) -> str:
    """A file of an owner's. Raises Problem where there is none, and for one that is no text."""
    try:
        return path.read_text()
    except FileNotFoundError:
        raise Problem(f"{path.name}: no such file, expected one ({path})") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(f"{path.name}: {error}, expected a text ({path})") from None


def parsed_yaml(text: str, file: str) -> Any:
    """As `read_yaml`, of a text that messages call `file`."""
    try:
        return YAML(typ="safe").load(text)
    except YAMLError as error:
        raise _no_yaml(error, file, file) from None


def _no_yaml(error: YAMLError, name: str, file: str) -> Problem:
    return Problem(f"{name}: {' '.join(str(error).split())}, expected YAML ({file})")


Record = TypeVar("Record", bound=BaseModel)


def validated(kind: type[Record], content: Any, file: str) -> Record:
    """`content` as a record. Raises Problem naming file and key of everything that does not fit."""
    try:
        return kind.model_validate(content)
    except ValidationError as errors:
        raise Problem(*(_line(error, file) for error in errors.errors())) from None


def _line(error: Any, file: str) -> str:
    key = ".".join(str(part) for part in error["loc"]) or "(whole file)"
    found = {"missing": "key is missing", "extra_forbidden": "unknown key"}.get(
        error["type"], f"found {error['input']!r}"
    )
    expected = {
        "missing": "a value",
        "extra_forbidden": "only the keys that the file's comments describe",
    }.get(error["type"], error["msg"].removeprefix("Input should be "))
    return f"{file}: {found}, expected {expected} ({file}: {key})"


def error_ratio(root: Path, model: str) -> float:
    """The share of bad requests that a model may show, `slo.error_ratio` of its params.yaml (0 to 1)."""
    file = f"models/{model}/params.yaml"
    try:
        value = float(read_yaml(root / file)["slo"]["error_ratio"])
    except (KeyError, TypeError, ValueError):
        raise Problem(f"{model}: no number found, expected a ratio like 0.01 ({file}: slo.error_ratio)") from None
    if not 0 < value < 1:
        raise Problem(f"{model}: found {value}, expected a ratio between 0 and 1 ({file}: slo.error_ratio)")
    return value


def replayed(root: Path, model: str) -> str:
    """The month whose rows feed an environment without users: the first of `gates.rows` in a model's params.yaml."""
    file = f"models/{model}/params.yaml"
    gates = read_yaml(root / file).get("gates")
    months = gates.get("rows") if isinstance(gates, dict) else None
    if not isinstance(months, list) or not months:
        raise Problem(f"{model}: found {months!r}, expected a list of months like [2013-07] ({file}: gates.rows)")
    return str(months[0])


def remote(root: Path) -> str:
    """The URL of DVC's default remote; a folder relative to `.dvc/` is resolved."""
    _, url = _default_remote(root)
    return url if _reaches_far(url) else str((root / ".dvc" / url).resolve())


def shared_remote(root: Path) -> str:
    """As `remote`, but raises Problem for a relative folder: no pod and no colleague can reach it."""
    name, url = _default_remote(root)
    if not _reaches_far(url):
        raise Problem(
            f"dvc: the default remote is the folder {url} of this clone, expected an address that pods reach, "
            f"such as s3://bucket/models (.dvc/config: remote.{name}.url)"
        )
    return url


def _reaches_far(url: str) -> bool:
    return "://" in url or os.path.isabs(url)


def _default_remote(root: Path) -> tuple[str, str]:
    # .dvc/config.local, which is never in git, does not count: git decides what serves.
    config = configparser.ConfigParser()
    config.read(root / ".dvc" / "config")
    name = config.get("core", "remote", fallback="")
    url = config.get(f"'remote \"{name}\"'", "url", fallback="")
    if not url:
        raise Problem("dvc: no default remote found, expected one (.dvc/config: core.remote)")
    return name, url
