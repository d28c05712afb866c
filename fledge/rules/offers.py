"""A release that is new to the target branch: every field follows once more from where it comes, or names what does."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from fledge import git, project, release
from fledge.artifact import keys
from fledge.differences import differences, said
from fledge.problems import Problem
from fledge.project import read_yaml
from fledge.release import Metadata, Release, history, lineage
from fledge.release.lineage import Trained
from fledge.rules.documents import Pair


@dataclass(frozen=True)
class Offer(Pair):
    """The files of the first environment, where releases begin, and a release.yaml that the target branch never had."""

    @classmethod
    def of(cls, pair: Pair) -> "Offer | None":
        """None where nothing new is offered: what the target branch once had was judged then."""
        path = pair.root / pair.files.release
        if pair.owner.below(pair.files.environment) is not None or path.read_text() in pair.twins:
            return None
        if path.read_text() in history.releases(pair.root, pair.files, pair.base):
            return None
        return cls(pair.root, pair.base, pair.rendered, pair.files)

    @property
    def found(self) -> Release:
        """What release.yaml says. Raises Problem where it is no release."""
        assert self.release  # `of` read it
        return self.release

    @cached_property
    def training(self) -> Trained:
        """What git says of the training that it names. Raises Problem where HEAD's history lacks that commit."""
        git.require_history(self.root, self.who)
        commit = self.found.training.commit
        if not git.contains(self.root, commit):
            expected = "one that neither squash nor rebase took away"
            raise Problem(
                self.line(f"training.commit {commit} is not in HEAD's history", expected, self.key("training.commit"))
            )
        return lineage.trained(self.root, self.files.model, commit)

    @cached_property
    def champion(self) -> Release | None:
        return history.champion(self.root, self.files, self.base)

    @cached_property
    def former(self) -> Release | None:
        """The release of that version and that artifact which the target branch had."""
        line = f"  version: {self.found.version}\n"
        texts = [text for text in history.releases(self.root, self.files, self.base) if line in text]
        known = (release.from_text(text, str(self.files.release)) for text in texts)
        return next((one for one in known if one.artifact.md5 == self.training.artifact), None)

    def key(self, key: str) -> str:
        """Where a field stands, and the verb that writes it."""
        return f"{self.files.release}: spec.{key}; make release MODEL={self.files.model}"


def named(offer: Offer) -> Iterator[str]:
    """A new release has the name of its model, and is no object for a cluster."""
    found = read_yaml(offer.root / offer.files.release)["metadata"]
    for key, was, other in differences(found, Metadata(name=offer.files.model).model_dump()):
        yield offer.line(f"{key} is {said(was)}", said(other), f"{offer.files.release}: metadata.{key}")


def trained(offer: Offer) -> Iterator[str]:
    """The artifact, contract, data, parameters and time of a new release are those of the commit of its training."""
    found, there = offer.found, offer.training
    fields = there.fields | {"artifact": found.artifact.model_copy(update={"md5": there.artifact})}
    if _moment(found.training.time) == _moment(there.training.time):
        fields["training"] = there.training.model_copy(update={"time": found.training.time})
    yield from offer.differing(found.model_copy(update=fields))


def stored(offer: Offer) -> Iterator[str]:
    """The sha256 and the size of a new release are those of the artifact that the remote holds."""
    md5 = offer.training.artifact
    measured = lineage.measured(lineage.fetched(offer.root, md5), offer.found.artifact.md5)
    yield from offer.differing(offer.found.model_copy(update={"artifact": measured}))


def signed(offer: Offer) -> Iterator[str]:
    """The artifact of a new release is signed by one of the repository's keys, where it has any."""
    if known := keys.public(offer.root):
        from fledge.artifact import signing  # and what verifies, which nothing else of `make check` needs

        md5 = offer.training.artifact
        signing.require_signed(lineage.fetched(offer.root, md5), project.remote(offer.root), md5, known)
    yield from ()


def counted(offer: Offer) -> Iterator[str]:
    """The version of a new release is above all others, by no less than contract and recipe ask for.

    One that the target branch has had of the same artifact means that release for ever.
    """
    if offer.former:
        yield from offer.differing(offer.former)
        return
    version = offer.found.version
    found = lineage.differences(offer.root, offer.files, offer.base, offer.champion, offer.training)
    least, why = lineage.version(offer.root, offer.owner, offer.files, offer.base, offer.champion, found)
    if release.parse(version) < release.parse(least):
        yield offer.line(f"version is {version}", f"at least {least}: {why}", offer.key("version"))


def descended(offer: Offer) -> Iterator[str]:
    """The parent of a new release is the champion, which the gates compare it with."""
    parent = offer.champion.version if offer.champion else None
    if offer.former is None and offer.found.parent != parent:
        expected = f"{said(parent)}, last healthy in {offer.files.environment}"
        yield offer.line(f"parent is {said(offer.found.parent)}", expected, f"git fetch --tags; {offer.key('parent')}")


def _moment(time: str) -> datetime | str:
    """Of an instant git has several spellings: Z is +00:00."""
    try:
        return datetime.fromisoformat(time)
    except ValueError:
        return time
