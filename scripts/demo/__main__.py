"""`make demo`: the story, act by act; exit code 1 if any act does not end as told."""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

from fledge import atomic
from fledge.problems import reported
from scripts.demo import traffic
from scripts.demo.acts import ACTS, Act
from scripts.demo.stage import TEMPLATE, Story, scratch


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """Tell the acts in a scratch clone and leave a report beside it."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--folder", type=Path, default=TEMPLATE / ".fledge" / "demo", help="wiped, then the stage")
    parser.add_argument("--fault-share", type=float, default=0.2, help="of act 5's requests in production")
    options = parser.parse_args(argv)
    folder: Path = options.folder.resolve()
    story = Story(scratch(folder), options.fault_share)
    began, acts = time.monotonic(), []
    try:
        for number, act in enumerate(ACTS, 1):
            acts.append(told(story, number, act))
    except KeyboardInterrupt:
        story.stage.say("\ninterrupted; everything that was started is ended")
        return 1
    finally:
        story.stage.close()
        atomic.write(folder / "report.json", json.dumps({"acts": acts, "facts": story.facts}, indent=2) + "\n")
    story.stage.say(f"\n[bold green]The story ended as told, in {time.monotonic() - began:.0f} s.[/] ({folder})")
    return 0


def told(story: Story, number: int, act: Act) -> dict[str, object]:
    """One act, its seconds, and the requests that users sent and lost meanwhile."""
    title = (act.__doc__ or "").strip()
    story.stage.say(f"\n[bold cyan]Act {number}. {title}[/]")
    began, clock = time.time(), time.monotonic()
    act(story)
    seen = traffic.counts(traffic.answers(story.log, since=began))
    seconds = time.monotonic() - clock
    story.stage.say(f"  [cyan]act {number}: {seconds:.1f} s; requests sent {seen['sent']}, failed {seen['failed']}[/]")
    return {"act": number, "title": title, "seconds": round(seconds, 1), **seen}


if __name__ == "__main__":
    raise SystemExit(main())
