"""Evidence beside the artifact in the remote: CI's own artifacts expire, this does not.

    where = stored.store(remote, found, environment, page.page(found))   # remote: project.remote(root)
    found = stored.recall(remote, candidate_md5, champion_md5_or_None, environment)

Where: <remote>/evidence/<candidate's md5>/<champion's md5, or none>-<environment>.json, and the page beside it as .html.
"""

import re

import fsspec

from fledge.evidence import Evidence, from_json, to_json
from fledge.problems import Problem
from fledge.remote import ANSWERS, answering, write

MD5 = r"[0-9a-f]{32}(\.dir)?"
ENVIRONMENT = r"[a-z]([a-z0-9-]*[a-z0-9])?"
ABSENT = "evidence: none found, expected it stored with `make gates STORE=1`"


def store(remote: str, evidence: Evidence, environment: str, page: str) -> str:
    """Write evidence and its `page` (HTML) below `remote` (any fsspec address); where the JSON is, as an address.

    What was stored of the same pair and environment before is replaced. The JSON comes last and in one step: who finds
    it finds its page too. Raises Problem for a remote that does not answer or may not be written.
    """
    champion = evidence.champion["md5"] if evidence.champion else None
    where = address(remote, evidence.candidate["md5"], champion, environment)
    for name, text in ((where.removesuffix(".json") + ".html", page), (where, to_json(evidence))):
        with answering("evidence", where, ABSENT, "an address that may be written"):
            write(name, text)
    return where


def recall(remote: str, candidate: str, champion: str | None, environment: str) -> Evidence:
    """The evidence of a pair, by DVC's md5 of the artifacts. Raises Problem where there is none, or it is damaged."""
    where = address(remote, candidate, champion, environment)
    with answering("evidence", where, ABSENT, ANSWERS):
        filesystem, path = fsspec.core.url_to_fs(where)
        text = filesystem.cat_file(path).decode()
    return from_json(text, where)


def address(remote: str, candidate: str, champion: str | None, environment: str) -> str:
    """Where the evidence of a pair is. Raises Problem for what is no DVC hash or no environment's name."""
    for who, found in (("candidate", candidate), ("champion", champion)):
        if found is not None and not re.fullmatch(MD5, found):
            raise Problem(f"evidence: found {found!r}, expected DVC's md5 of an artifact ({who}.md5)")
    if not re.fullmatch(ENVIRONMENT, environment):
        raise Problem(f"evidence: found {environment!r}, expected an environment (project.yaml: environments)")
    return f"{remote.rstrip('/')}/evidence/{candidate}/{champion or 'none'}-{environment}.json"
