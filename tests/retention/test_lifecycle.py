"""What would take an artifact from under a rollback is refused; what takes nothing that one needs is not."""

import textwrap
from pathlib import Path

import pytest

from fledge import git
from fledge.retention import hcl, lifecycle
from tests.conftest import ROOT


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository whose remote is the folder `models` of the bucket `team`."""
    git.git(tmp_path, "init", "--quiet")
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text(
        (ROOT / ".dvc/config").read_text().replace("../.fledge/remote", "s3://team/models")
    )
    return tmp_path


def said(root: Path, path: str, text: str) -> list[str]:
    """What is said of a repository with one file more."""
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(textwrap.dedent(text).lstrip("\n"))
    return list(lifecycle.retained(root))


COMMANDS = {
    "Makefile": [
        "tidy:\n\tdvc gc --workspace --cloud --force\n",
        "tidy:\n\tdvc gc -w -c -f\n",
        "tidy:\n\t@$(DVC) gc -wcf\n",
    ],
    ".github/workflows/tidy.yml": [
        "jobs: {a: {steps: [{run: dvc gc -a --cloud -f}]}}\n",
        "a:\n  - run: >-\n      dvc gc\n      --all-branches\n      --cloud\n",
        "a:\n  - run: dvc gc -w -f ${{ inputs.more }}\n",
    ],
    "scripts/tidy.py": [
        'subprocess.run(["dvc", "gc", "--all-tags", "--cloud"])\n',
        'subprocess.run([\n    "dvc",\n    "gc",\n    "-w",\n    "--remote",\n    "storage",\n])\n',
        'dvc(root, "gc", "--workspace", "--cloud")\n',
        'run(python, "-m", "dvc", "gc", "-A", "-c")\n',
        "Repo().gc(workspace=True, cloud=True)\n",
    ],
    "tidy.sh": ["dvc gc \\\n  -w \\\n  -c\n", "cd there && dvc gc -r storage -w\n"],
    ".githooks/post-merge": ["#!/bin/sh\ndvc gc -wfc\n"],
    ".pre-commit-config.yaml": ["repos: [{hooks: [{entry: dvc gc -w -c}]}]\n"],
    "manifests/platform/tidy.yaml": ["spec: {containers: [{command: [dvc, gc, -w, --cloud]}]}\n"],
}


@pytest.mark.parametrize(("path", "text"), [(path, text) for path, texts in COMMANDS.items() for text in texts])
def test_a_dvc_gc_of_the_remote_is_refused_wherever_it_stands(root: Path, path: str, text: str) -> None:
    """DVC keeps what commits name in dvc.lock, which is not what environments may roll back to."""
    [line] = said(root, path, text)
    assert line.startswith(f"retention: {path}:")
    assert line.endswith(f" runs `dvc gc` on the remote, expected `make gc` ({path})")


def test_the_line_of_a_dvc_gc_is_told(root: Path) -> None:
    """The number is of the line where the command begins."""
    [line] = said(root, "tidy.sh", "echo\n# dvc gc -c\necho\ndvc gc \\\n  -c -w\n")
    assert line.startswith("retention: tidy.sh:4 runs")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("Makefile", "tidy:\n\tdvc gc --workspace --force\n"),
        ("Makefile", "# dvc gc --cloud\n"),
        ("tidy.sh", "dvc gc -w -f\ncp -r a b\n"),
        ("tidy.sh", "git gc --prune=now; dvc push --remote storage\n"),
        ("scripts/tidy.py", "gc.collect()\ndvc(root, 'push', '--remote', 'storage')\n"),
        ("docs/notes.md", "Never run `dvc gc --cloud`.\n"),
    ],
)
def test_what_leaves_the_remote_alone_passes(root: Path, path: str, text: str) -> None:
    """The cache of a machine may be tidied, and another program's gc is none of ours."""
    assert said(root, path, text) == []


EXPIRING = {
    "aws.json": [
        '{"Rules": [{"Status": "Enabled", "Filter": {}, "Expiration": {"Days": 90}}]}',
        '{"Rules": [{"Status": "Enabled", "Filter": {"Prefix": "models/"}, "Expiration": {"Days": 90}}]}',
        '{"Rules": [{"Status": "Enabled", "Filter": {"And": {"Prefix": "models/files/"}}, "Expiration": {"Date": "2030-01-01"}}]}',
        '{"Rules": [{"Status": "Enabled", "Prefix": "models/signatures/", "Expiration": {"Days": 1}}]}',
        '{"Bucket": "team", "LifecycleConfiguration": {"Rules": [{"Status": "Enabled", "Expiration": {"Days": 90}}]}}',
    ],
    "stack.yaml": [
        """
        Resources:
          Bucket:
            Type: AWS::S3::Bucket
            Properties:
              BucketName: team
              Tags: [{Key: team, Value: !Ref Team}]
              LifecycleConfiguration:
                Rules: [{Id: old, Status: Enabled, ExpirationInDays: 365}]
        """,
        """
        kind: Bucket
        metadata: {name: any}
        spec:
          name: team
          lifecycle: {rules: [{status: Enabled, filter: {prefix: models}, expiration: {days: 30}}]}
        """,
    ],
    "bucket.tf": [
        """
        resource "aws_s3_bucket_lifecycle_configuration" "old" {
          bucket = "team"
          rule {
            id     = "old" # a word { in a comment
            status = "Enabled"
            filter { prefix = "models/" }
            expiration { days = 30 }
          }
        }
        """,
        """
        resource "aws_s3_bucket" "models" { bucket = "team" }
        resource "aws_s3_bucket_lifecycle_configuration" "old" {
          bucket = aws_s3_bucket.models.id
          rule {
            expiration {
              days = var.days
            }
          }
        }
        """,
        """
        resource "aws_s3_bucket" "models" {
          bucket = var.bucket
          lifecycle_rule {
            enabled = true
            expiration { days = 30 }
          }
        }
        """,
    ],
}


@pytest.mark.parametrize(("path", "text"), [(path, text) for path, texts in EXPIRING.items() for text in texts])
def test_a_rule_that_lets_artifacts_expire_is_refused(root: Path, path: str, text: str) -> None:
    """A rule of the remote's bucket, or of one that is not named, that reaches DVC's objects or their signatures."""
    [line] = said(root, path, text)
    assert line.startswith(f"retention: {path} lets objects below ")
    assert line.endswith(f" expire, expected none of team/models ({path}; make gc)")


HARMLESS = {
    "aws.json": [
        '{"Rules": [{"Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 90}}]}',
        '{"Rules": [{"Status": "Enabled", "Filter": {"Prefix": "models/evidence/"}, "Expiration": {"Days": 90}}]}',
        '{"Rules": [{"Status": "Disabled", "Filter": {}, "Expiration": {"Days": 90}}]}',
        '{"Rules": [{"Status": "Enabled", "Filter": {}, "Expiration": {"ExpiredObjectDeleteMarker": true}}]}',
        '{"Rules": [{"Status": "Enabled", "Filter": {}, "NoncurrentVersionExpiration": {"NoncurrentDays": 30}}]}',
        '{"Rules": [{"Status": "Enabled", "Filter": {"Tag": {"Key": "tmp", "Value": "1"}}, "Expiration": {"Days": 1}}]}',
        '{"Bucket": "logs", "LifecycleConfiguration": {"Rules": [{"Status": "Enabled", "Expiration": {"Days": 90}}]}}',
        '{"token": {"expiration": "never"}}',
    ],
    "bucket.tf": [
        """
        resource "aws_s3_bucket" "logs" {
          bucket = "logs"
        }
        resource "aws_s3_bucket_lifecycle_configuration" "old" {
          bucket = aws_s3_bucket.logs.id
          rule {
            status = "Enabled"
            expiration { days = 30 }
          }
        }
        """,
        """
        resource "aws_s3_bucket_lifecycle_configuration" "old" {
          bucket = "team"
          rule {
            status = "Disabled"
            expiration { days = 30 }
          }
        }
        """,
    ],
}


@pytest.mark.parametrize(("path", "text"), [(path, text) for path, texts in HARMLESS.items() for text in texts])
def test_a_rule_that_takes_nothing_that_a_rollback_needs_passes(root: Path, path: str, text: str) -> None:
    """Other prefixes and buckets, evidence, old versions, tagged objects and rules that are off are the owner's own."""
    assert said(root, path, text) == []


GOOGLE = """
    resource "google_storage_bucket" "models" {
      name = "team"
      lifecycle_rule {
        condition { %s }
        action { type = "Delete" }
      }
    }
"""


@pytest.mark.parametrize(
    ("condition", "refused"),
    [
        ("age = 30", True),
        ('matches_prefix = ["models/"]', True),
        ('matches_prefix = ["logs/"]', False),
        ('with_state = "ARCHIVED"', False),
    ],
)
def test_google_lets_objects_expire_in_its_own_words(root: Path, condition: str, refused: bool) -> None:
    """On gs:// the action Delete is what Expiration is on S3."""
    (root / ".dvc/config").write_text((root / ".dvc/config").read_text().replace("s3://", "gs://"))
    assert bool(said(root, "bucket.tf", GOOGLE % condition)) == refused
    text = '{"lifecycle": {"rule": [{"action": {"type": "Delete"}, "condition": {"age": 30, "isLive": %s}}]}}'
    (root / "bucket.tf").unlink()
    assert said(root, "google.json", text % "false") == []
    assert len(said(root, "google.json", text % "true")) == 1


@pytest.mark.parametrize(
    ("path", "text"), [("aws.json", '{"Expiration": '), ("a.yaml", "a: [Expiration"), ("a.tf", "expiration {")]
)
def test_a_rule_that_cannot_be_read_is_no_pass(root: Path, path: str, text: str) -> None:
    """What speaks of expiration and is not understood is said, in one line."""
    [line] = said(root, path, text)
    assert line.startswith(f"retention: {path} speaks of expiration and cannot be read")


def test_a_remote_without_a_bucket_has_no_rules(root: Path) -> None:
    """A folder's files do not expire by a bucket's rule."""
    (root / ".dvc/config").write_text((root / ".dvc/config").read_text().replace("s3://team/models", "/srv/models"))
    assert said(root, "aws.json", EXPIRING["aws.json"][0]) == []


def test_terraform_is_read_as_nested_blocks() -> None:
    """Labels, arguments over several lines, lists, maps and comments come as they stand."""
    text = """
    /* a { comment */
    resource "kind" "name" {
      a = "text" // more }
      b = ["x",
           "y"]
      c = { d = 1, e = "f" }
      g = merge(var.h, { i = 2 })
      inner { days = 30 }
      inner {}
    }
    """
    [found] = hcl.read(text)["resource"]
    assert found["labels"] == ["kind", "name"]
    assert (found["a"], found["b"]) == ("text", ["x", "y"])
    assert found["c"] == {"d": "1", "e": "f"}
    assert found["inner"] == [{"days": "30", "labels": []}, {"labels": []}]


def test_this_template_removes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file of the template runs `dvc gc` on the remote or lets its objects expire."""
    assert list(lifecycle.retained(ROOT)) == []
