"""What is true of the whole repository: derived from project.yaml, never from 2,000 rendered files."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import chain

from fledge import git
from fledge.artifact import keys
from fledge.release import Files, everywhere
from fledge.retention import lifecycle
from fledge.rules.documents import Platform
from fledge.rules.pods import unnamed


def listed(of: Platform) -> Iterator[str]:
    """Every release and rendered file is of an (environment, model) that project.yaml lists."""
    rendered = of.root.glob("manifests/rendered/*/*.yaml")
    releases = (path.parent for path in of.root.glob("manifests/releases/*/*/*"))
    known = set(everywhere(of.owner))
    found = {Files(path.parent.name, path.name.removesuffix(".yaml")) for path in chain(rendered, releases)}
    for files in sorted(found - known, key=lambda files: files.who):
        yield f"{files.who}: has files under manifests/, expected them listed or removed (project.yaml: models, environments)"


def hostnames_differ(of: Platform) -> Iterator[str]:
    """No hostname is of two models, two environments or two protocols."""
    takers = defaultdict(list)
    for environment in of.owner.environments:
        for model in of.owner.models:
            for protocol, name in environment.hostnames(model).items():
                takers[name].append(f"{environment.name}/{model} ({protocol})")
    for name, who in takers.items():
        if len(who) > 1:
            yield f"{name}: is the hostname of {' and '.join(who)}, expected one (project.yaml: domain, models)"


def images_pinned(of: Platform) -> Iterator[str]:
    """project.yaml names images by digest, in the template itself at least by tag."""
    for name, image in of.owner.images:
        if wrong := unnamed(image, of.owner.repository):
            yield f"project: the image is {image}, expected {wrong} (project.yaml: images.{name})"


def retained(of: Platform) -> Iterator[str]:
    """Nothing here removes from DVC's remote what a rollback needs: no `dvc gc` there, no expiration of its objects."""
    yield from lifecycle.retained(of.root)


def keys_kept(of: Platform) -> Iterator[str]:
    """Once artifacts are signed, pods go on asking for a signature: a public key stays."""
    if git.show(of.root, of.base, keys.PUBLIC) and not keys.public(of.root):
        yield f"signing: {keys.PUBLIC} is gone, expected at least one public key (git restore; docs/signing.md)"
