"""Whether a server of this pod answers: `python -m fledge.health http://127.0.0.1:8080/healthz`. Standard library alone."""

import sys
import urllib.error
import urllib.request
from collections.abc import Sequence

from fledge.problems import Problem, reported

SECONDS = 2.0


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0 for an answer of 200, else 1 and one line."""
    url = (sys.argv[1:] if argv is None else argv)[0]
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as answer:
            found = str(answer.status)
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        found = str(getattr(error, "code", error))
    if found != "200":
        raise Problem(f"health: {url} answers {found}, expected 200")
    print(f"{url} answers {found}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
