"""What TensorFlow Serving is told to serve: its configuration lies beside the model.

A pod uses no ConfigMap, because one that is pruned with its release breaks the rollback (argo-rollouts#2669).
"""

from pathlib import Path

from fledge.atomic import write
from fledge.fetch.aside import writing

MODELS = """model_config_list {{
  config {{
    name: "{model}"
    base_path: "{base}"
    model_platform: "tensorflow"
    model_version_policy {{ specific {{ versions: {number} }} }}
  }}
}}
"""
MONITORING = """prometheus_config { enable: true path: "/monitoring/prometheus/metrics" }
"""


def configure(folder: Path, model: str, number: int) -> None:
    """Write models.config and monitoring.config for one version of one model below `folder`. Raises Problem as `fetch`."""
    with writing(folder):
        write(folder / "models.config", MODELS.format(model=model, base=folder / model, number=number))
        write(folder / "monitoring.config", MONITORING)
