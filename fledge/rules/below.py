"""What a promotion is rendered from: no later environment is the first to try another base, image or flag."""

from collections.abc import Iterator

from fledge.release import Files, history, render
from fledge.rules.documents import Pair


def sources_below(pair: Pair) -> Iterator[str]:
    """What is new to a later environment was healthy one environment below on the same sources. A rollback is not new."""
    below, wanted = pair.owner.below(pair.files.environment), pair.release
    if below is None or wanted is None or pair.twins:
        return
    source = Files(below.name, pair.files.model)
    delivery, _ = render.delivered(render.render(pair.root, source, wanted))
    if delivery not in {one.delivery for one in history.healthy(pair.root, source, pair.base)}:
        found = f"{wanted.version} was never healthy in {below.name} as it renders now"
        yield pair.line(found, f"delivery {delivery} healthy there first", "make render; make promote")
