"""Single edits of the sources of rendered YAML, each with the rule that must refuse what it renders to."""

from pathlib import Path
from typing import NamedTuple

BASE, ONCE, EACH = "manifests/base/", "manifests/platform/once/", "manifests/platform/environment/"
ROLLOUT, JUDGE, GUARDRAIL = f"{BASE}rollout.yaml", f"{BASE}judge.yaml", f"{BASE}guardrail.yaml"
SERVICES, REST, GRPC = f"{BASE}services.yaml", f"{BASE}httproute.yaml", f"{BASE}grpcroute.yaml"
SCALER, BUDGET, POLICY = f"{BASE}autoscaler.yaml", f"{BASE}disruption.yaml", f"{BASE}network.yaml"
ACCOUNT, KNOWN, JOB = f"{BASE}account.yaml", f"{BASE}rollouts.yaml", "manifests/components/replay/metric.yaml"
APPLICATIONS, PROJECT = f"{ONCE}applications.yaml", f"{EACH}project.yaml"
NOTIFIED = "    notifications.argoproj.io/subscribe"
WAVE, HOOK = "argocd.argoproj.io/sync-wave", "argocd.argoproj.io/hook"


class Edit(NamedTuple):
    """`old`, where it stands first in `file`, becomes `new`."""

    rule: str
    file: str
    old: str
    new: str

    def made(self, root: Path) -> None:
        path = root / self.file
        before = path.read_text()
        assert self.old in before, f"{self.file} has no {self.old!r}: the edit no longer fits"
        path.write_text(before.replace(self.old, self.new, 1))


def without(rule: str, file: str, old: str) -> Edit:
    return Edit(rule, file, old, "")


def before(rule: str, file: str, document: str) -> Edit:
    """Another object in front of the first one of a file."""
    return Edit(rule, file, "apiVersion:", f"{document}---\napiVersion:")


def annotated(rule: str, file: str, key: str, value: str) -> Edit:
    """An annotation for the first object of a file that has none."""
    return Edit(rule, file, "metadata:\n", f'metadata:\n  annotations: {{{key}: "{value}"}}\n')


PLATFORM = [
    Edit("projects_closed", PROJECT, "clusterResourceWhitelist: []", 'clusterResourceWhitelist: [{group: "*", kind: "*"}]'),
    Edit("projects_closed", PROJECT, "      namespace: <environment>", '      namespace: "*"'),
    Edit("projects_closed", f"{ONCE}projects.yaml", "sourceRepos: []", 'sourceRepos: ["*"]'),
    Edit("projects_closed", PROJECT, "defaultServiceAccount: deployer", "defaultServiceAccount: default"),
    Edit("kinds_needed", PROJECT, "kind: PodDisruptionBudget", 'kind: "*"'),
    Edit("kinds_needed", PROJECT, "kind: AnalysisTemplate", "kind: AnalysisTemplate\n    - group: argoproj.io\n      kind: Experiment"),
    Edit("on_call_only", PROJECT, "action/argoproj.io/Rollout/resume", "action/argoproj.io/Rollout/promote-full"),
    Edit("on_call_only", PROJECT, "applications, get,", "applications, sync,"),
    Edit("applications_made", APPLICATIONS, "applicationsSync: create-update", "applicationsSync: sync"),
    Edit("applications_made", APPLICATIONS, "manifests/releases/*/*/release.yaml", "manifests/releases/*/*/*.yaml"),
    Edit("applications_made", APPLICATIONS, "missingkey=error", "missingkey=zero"),
    Edit("applications_made", APPLICATIONS, "prune: true", "prune: false"),
    Edit("applications_made", APPLICATIONS, "prune: true", "prune: true\n          allowEmpty: true"),
    Edit("branch_followed", APPLICATIONS, '"/manifests/rendered/', '"manifests/rendered/'),
    Edit("branch_followed", APPLICATIONS, "targetRevision: <branch>", "targetRevision: HEAD"),
    Edit("branch_followed", APPLICATIONS, "argocd.argoproj.io/manifest-generate-paths", "argocd.argoproj.io/paths"),
    Edit("sync_short", APPLICATIONS, "refresh: true", "refresh: false"),
    Edit("sync_short", APPLICATIONS, "- ApplyOutOfSyncOnly=true", "- ApplyOutOfSyncOnly=true\n          - PruneLast=true"),
    Edit("sync_short", APPLICATIONS, "selfHeal: true", "selfHeal: false"),
    Edit("differences_ignored", APPLICATIONS, "- /spec/replicas", "- /spec"),
    Edit("differences_ignored", APPLICATIONS, "kind: GRPCRoute", "kind: TLSRoute"),
    Edit("differences_ignored", APPLICATIONS, "          - Apply", "          - RespectIgnoreDifferences=true\n          - Apply"),
    Edit("differences_ignored", APPLICATIONS, "ApplyOutOfSyncOnly=true", "ApplyOutOfSyncOnly=false"),
    Edit("listeners_closed", f"{ONCE}gateway.yaml", "from: Selector", "from: All"),
    Edit("listeners_closed", f"{ONCE}gateway.yaml", 'hostname: "*.<domain>"', 'hostname: "*.com"'),
    Edit("rights_named", f"{EACH}gateway-plugin.yaml", "verbs: [get, list, update, patch]", 'verbs: ["*"]'),
    Edit("rights_named", f"{EACH}gateway-plugin.yaml", "resources: [services]", "resources: [services, secrets]"),
    Edit("loop_closed", f"{ONCE}notifications.yaml", "trigger.on-rollout-aborted", "trigger.on-rollout-failed"),
    Edit("loop_closed", f"{ONCE}notifications.yaml", "workflows/auto-revert.yml", "workflows/revert.yml"),
    Edit("loop_closed", f"{ONCE}notifications.yaml", "Bearer $dispatch-token", "Bearer abcd1234"),
    Edit("loop_closed", f"{ONCE}notifications.yaml", "/actions/workflows/auto-revert.yml/dispatches", "/dispatches"),
    Edit("lost_events_found", f"{EACH}reconciler.yaml", "--env=<environment>", "--env=staging"),
    Edit("lost_events_found", f"{EACH}reconciler.yaml", "concurrencyPolicy: Forbid", "concurrencyPolicy: Forbid\n  suspend: true"),
    Edit("lost_events_found", f"{EACH}reconciler.yaml", "fledge.reconcile]", "fledge.health]"),
    Edit("one_judge", f"{ONCE}judge.yaml", "replicas: 1", "replicas: 2"),
    Edit("one_judge", f"{ONCE}judge.yaml", "type: Recreate", "type: RollingUpdate"),
    Edit("strict", APPLICATIONS, "preserveResourcesOnDeletion", "preserveResourceOnDeletion"),
    Edit("strict", f"{ONCE}judge.yaml", "  replicas: 1", "  replica: 1"),
    Edit("no_secret", f"{ONCE}namespaces.yaml", "kind: Namespace", "kind: Secret"),
    Edit("images_named", "project.yaml", "fledge:0.1.0", "fledge:latest"),
    Edit("confined", f"{ONCE}judge.yaml", "runAsNonRoot: true", "runAsNonRoot: false"),
    Edit("off_the_node", f"{ONCE}judge.yaml", "      securityContext:\n        runAs", "      hostPID: true\n      securityContext:\n        runAs"),
    Edit("limited", f"{EACH}reconciler.yaml", "              cpu: 500m\n", ""),
]  # fmt: skip

MODEL = [
    Edit("strict", ROLLOUT, "progressDeadlineSeconds", "progressDeadlineSecond"),
    Edit("strict", SERVICES, "targetPort: grpc", "targetport: grpc"),
    Edit("strict", REST, "backendRefs", "backends"),
    Edit("no_empty_map", ROLLOUT, "        fledge.dev/delivery: \"\"\n", "        fledge.dev/delivery: \"\"\n      annotations: {}\n"),
    Edit("no_empty_map", ROLLOUT, "      canaryService: canary", "      canaryMetadata: {}\n      canaryService: canary"),
    before("no_secret", ACCOUNT, "apiVersion: v1\nkind: Secret\nmetadata:\n  name: own\n"),
    before("placed", ACCOUNT, "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: all\nrules: []\n"),
    before("placed", BUDGET, "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: own\n"),
    before("kinds_allowed", ACCOUNT, "apiVersion: v1\nkind: LimitRange\nmetadata:\n  name: own\nspec:\n  limits: [{type: Pod}]\n"),
    Edit("kinds_allowed", f"{BASE}kustomization.yaml", "resources:", "configMapGenerator:\n  - name: settings\n    literals: [a=b]\nresources:"),
    annotated("last_wave", SERVICES, WAVE, "1"),
    annotated("last_wave", POLICY, WAVE, "2"),
    annotated("no_hook", ACCOUNT, HOOK, "PostSync"),
    annotated("no_hook", BUDGET, HOOK, "PreSync"),
    annotated("no_prune_last", SCALER, "argocd.argoproj.io/sync-options", "PruneLast=true"),
    annotated("no_prune_last", POLICY, "argocd.argoproj.io/sync-options", "ServerSideApply=true,PruneLast=true"),
    Edit("one_action", ROLLOUT, "        - setWeight: 5\n", "        - setWeight: 5\n          pause: {duration: 10s}\n"),
    Edit("one_action", ROLLOUT, "        - setWeight: 25\n        - analysis", "        - setWeight: 25\n          analysis"),
    Edit("weight_first", ROLLOUT, "        - setWeight: 5\n        - setCanaryScale:\n            matchTrafficWeight: true\n", "        - setCanaryScale:\n            matchTrafficWeight: true\n        - setWeight: 5\n"),
    Edit("weight_first", ROLLOUT, "        - setCanaryScale:\n            replicas: 2\n", "        - setCanaryScale:\n            matchTrafficWeight: true\n"),
    Edit("last_weight", ROLLOUT, "setWeight: 25", "setWeight: 50"),
    Edit("last_weight", ROLLOUT, "setWeight: 25", "setWeight: 100"),
    Edit("judged_at_each_weight", ROLLOUT, "        - setWeight: 25\n", "        - setWeight: 10\n        - setWeight: 25\n"),
    Edit("judged_at_each_weight", ROLLOUT, "        - setWeight: 5\n", "        - setWeight: 0\n"),
    Edit("judged_at_each_weight", ROLLOUT, "            templates:\n              - templateName: judge", "            templates:\n              - templateName: guardrail"),
    Edit("share_said", ROLLOUT, 'value: "5"', 'value: "50"'),
    Edit("share_said", ROLLOUT, "setWeight: 25", "setWeight: 20"),
    Edit("hashes_said", ROLLOUT, "podTemplateHashValue: Stable", "podTemplateHashValue: Latest"),
    Edit("hashes_said", ROLLOUT, "podTemplateHashValue: Latest", "podTemplateHashValue: Stable"),
    Edit("no_endless_pause", ROLLOUT, "        - setWeight: 25\n", "        - pause: {}\n        - setWeight: 25\n"),
    Edit("no_endless_pause", ROLLOUT, "        - setWeight: 5\n", "        - setWeight: 5\n        - pause: {}\n"),
    Edit("plugin_can", ROLLOUT, "        - setWeight: 5\n", "        - setWeight: 5\n        - setMirrorRoute: {name: shadow, percentage: 10}\n"),
    Edit("plugin_can", ROLLOUT, "        - setWeight: 25\n", "        - setWeight: 25\n        - experiment: {templates: [{name: a, specRef: canary}]}\n"),
    Edit("guarded", ROLLOUT, "startingStep: 2", "startingStep: 5"),
    Edit("guarded", ROLLOUT, "          - templateName: guardrail", "          - templateName: judge"),
    without("rollback_window", ROLLOUT, "  rollbackWindow:\n    revisions: 3\n"),
    Edit("rollback_window", ROLLOUT, "revisionHistoryLimit: 5", "revisionHistoryLimit: 2"),
    Edit("old_pods_stay", ROLLOUT, "scaleDownDelaySeconds: 1800", "scaleDownDelaySeconds: 30"),
    without("old_pods_stay", ROLLOUT, "      scaleDownDelaySeconds: 1800\n"),
    Edit("old_pods_stay", ROLLOUT, "scaleDownDelayRevisionLimit: 2", "scaleDownDelayRevisionLimit: 1"),
    without("enough_pods", ROLLOUT, "      minPodsPerReplicaSet: 2\n"),
    Edit("enough_pods", "manifests/environments/staging/kustomization.yaml", "value: 2", "value: 1"),
    without("deadline_aborts", ROLLOUT, "  progressDeadlineAbort: true\n"),
    Edit("deadline_aborts", ROLLOUT, "failureThreshold: 600", "failureThreshold: 1200"),
    Edit("no_dynamic_scale", ROLLOUT, "      minPods", "      dynamicStableScale: true\n      minPods"),
    Edit("no_dynamic_scale", ROLLOUT, "      canaryService: canary", "      canaryService: canary\n      dynamicStableScale: false"),
    without("route_unlabelled", ROLLOUT, "            disableInProgressLabel: true\n"),
    Edit("route_unlabelled", ROLLOUT, "disableInProgressLabel: true", "disableInProgressLabel: false"),
    without("subscribed", ROLLOUT, f'{NOTIFIED}.on-rollout-aborted.revert: ""\n'),
    Edit("subscribed", ROLLOUT, "on-rollout-completed", "on-rollout-updated"),
    Edit("no_config", ROLLOUT, "          emptyDir:\n            sizeLimit: 256Mi", "          configMap: {name: settings}"),
    Edit("no_config", ROLLOUT, "          command: [tensorflow_model_server]", "          command: [tensorflow_model_server]\n          envFrom: [{secretRef: {name: token}}]"),
    Edit("no_config", JOB, "                  command: [python, -m, fledge.client.replay]", "                  command: [python, -m, fledge.client.replay]\n                  env: [{name: A, valueFrom: {configMapKeyRef: {name: a, key: b}}}]"),
    Edit("images_named", "project.yaml", "serving:2.20.0", "serving"),
    Edit("images_named", "project.yaml", "github.com/example/models", "github.com/somebody/models"),
    Edit("confined", ROLLOUT, "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"),
    without("confined", ROLLOUT, "        runAsNonRoot: true\n"),
    Edit("confined", JOB, "drop: [ALL]", "drop: [NET_RAW]"),
    Edit("off_the_node", ROLLOUT, "      serviceAccountName: model", "      hostNetwork: true\n      serviceAccountName: model"),
    Edit("off_the_node", ROLLOUT, "              containerPort: 8500", "              containerPort: 8500\n              hostPort: 8500"),
    without("limited", ROLLOUT, "            limits:\n              cpu: 500m\n              memory: 512Mi\n"),
    without("limited", JOB, "                      memory: 512Mi\n"),
    Edit("no_token", ACCOUNT, "automountServiceAccountToken: false", "automountServiceAccountToken: true"),
    without("no_token", ROLLOUT, "      automountServiceAccountToken: false\n"),
    without("no_token", JOB, "              serviceAccountName: model\n"),
    Edit("probed", ROLLOUT, "          livenessProbe:\n            tcpSocket:\n              port: grpc", "          livenessProbe:\n            httpGet:\n              port: rest"),
    without("probed", ROLLOUT, "          livenessProbe:\n            tcpSocket:\n              port: grpc\n            periodSeconds: 10\n            failureThreshold: 6\n"),
    Edit("probed", ROLLOUT, "          readinessProbe:\n            httpGet:\n              path: /v1/models/MODEL/versions/NUMBER/metadata", "          readinessProbe:\n            httpGet:\n              path: /v1/models/MODEL/versions/NUMBER/status"),
    without("artifact_fixed", ROLLOUT, "              readOnly: true\n"),
    Edit("artifact_fixed", ROLLOUT, "readOnly: true", "readOnly: false"),
    Edit("probed", ROLLOUT, "/versions/NUMBER/metadata", "/versions/NUMBER/status"),
    Edit("drains", ROLLOUT, "seconds: 5\n", "seconds: 1\n"),
    Edit("drains", ROLLOUT, "terminationGracePeriodSeconds: 30", "terminationGracePeriodSeconds: 5"),
    Edit("flags", ROLLOUT, "--max_num_load_retries=0", "--max_num_load_retries=5"),
    Edit("flags", ROLLOUT, "            - --num_load_threads=2\n", "            - --num_load_threads=2\n            - --enable_batch=true\n"),
    Edit("flags", ROLLOUT, "--rest_api_port=8501", "--rest_api_port 8501"),
    Edit("flags", ROLLOUT, "--grpc_max_threads=16", "--grpc_max_threads=many"),
    without("threads_bounded", ROLLOUT, "            - --tensorflow_intra_op_parallelism=1\n"),
    Edit("threads_bounded", ROLLOUT, "--tensorflow_inter_op_parallelism=1", "--tensorflow_inter_op_parallelism=4"),
    Edit("threads_bounded", ROLLOUT, "--rest_api_num_threads=16", "--rest_api_num_threads=1"),
    without("flags", ROLLOUT, "            - --file_system_poll_wait_seconds=0\n"),
    Edit("no_revision", ROLLOUT, '        fledge.dev/delivery: ""\n', '        fledge.dev/delivery: ""\n        fledge.dev/revision: "5"\n'),
    Edit("no_revision", ROLLOUT, "            - --port=8500", f"            - --port=8500\n            - --commit={'0123456789' * 4}"),
    Edit("names_exist", KNOWN, "path: spec/strategy/canary/canaryService", "path: spec/strategy/canary/canaryServices"),
    Edit("names_exist", ROLLOUT, "serviceAccountName: model", "serviceAccountName: models"),
    Edit("names_exist", SCALER, "    name: model", "    name: models"),
    Edit("names_exist", ROLLOUT, "              - name: grpc\n            disable", "              - name: rest\n            disable"),
    Edit("ports_exist", REST, "port: 8501", "port: 8502"),
    Edit("ports_exist", SERVICES, "targetPort: rest", "targetPort: http"),
    Edit("selectors_select", SERVICES, "    app.kubernetes.io/name: model", "    app.kubernetes.io/name: models"),
    Edit("selectors_select", POLICY, "app.kubernetes.io/name: model", "app.kubernetes.io/name: judge"),
    Edit("selectors_select", BUDGET, "    matchLabels:\n", "    matchExpressions: [{key: role, operator: Exists}]\n    matchLabels:\n"),
    Edit("selectors_select", POLICY, "    matchLabels:\n", "    matchExpressions: [{key: role, operator: Exists}]\n    matchLabels:\n"),
    Edit("selectors_last", SERVICES, "    app.kubernetes.io/name: model", '    app.kubernetes.io/name: model\n    fledge.dev/version: "0.0.0"'),
    Edit("selectors_last", ROLLOUT, "    matchLabels:\n", '    matchLabels:\n      fledge.dev/version: "0.0.0"\n'),
    Edit("arguments_given", GUARDRAIL, "    - name: canary-hash", "    - name: stable-hash"),
    Edit("arguments_given", JUDGE, "    - name: weight\n", "    - name: weight\n    - name: patience\n"),
    without("weights_written", REST, "          weight: 0\n"),
    Edit("weights_written", GRPC, "weight: 100", "weight: 50"),
    Edit("hostnames_apart", "manifests/components/release/kustomization.yaml", "spec.hostnames.grpc", "spec.hostnames.rest"),
    Edit("hostnames_apart", "manifests/components/release/kustomization.yaml", "spec.hostnames.rest", "spec.hostnames.grpc"),
    without("h2c", SERVICES, "      appProtocol: kubernetes.io/h2c\n"),
    Edit("h2c", SERVICES, "kubernetes.io/h2c", "http"),
    Edit("one_gateway", REST, "name: models", "name: others"),
    Edit("one_gateway", GRPC, "namespace: gateway", "namespace: default"),
    without("both_conditions", JUDGE, '      failureCondition: result.verdict == "fail"\n'),
    without("both_conditions", GUARDRAIL, "      successCondition: len(result) == 0 || isNaN(result[0]) || result[0] < 0.1\n"),
    Edit("patient", JUDGE, "inconclusiveLimit: 179", "inconclusiveLimit: 0"),
    without("patient", JUDGE, "      consecutiveSuccessLimit: 1\n"),
    Edit("patient", JUDGE, "interval: 10s", "interval: 10s\n      initialDelay: 10m"),
    Edit("patient", JUDGE, "consecutiveErrorLimit: 29", "consecutiveErrorLimit: 5"),
    without("ends", JUDGE, "      count: 180\n"),
    without("ends", JUDGE, "      interval: 10s\n"),
    Edit("empty_passes", GUARDRAIL, "len(result) == 0 || ", ""),
    Edit("empty_passes", GUARDRAIL, "len(result) > 0 && ", ""),
    Edit("promql_parses", GUARDRAIL, "[2m]))", "[2m])"),
    Edit("promql_parses", GUARDRAIL, "            /\n", "            / /\n"),
    Edit("metrics_exist", GUARDRAIL, ":tensorflow:serving:request_count", "tensorflow_serving_request_count"),
    Edit("metrics_exist", GUARDRAIL, "status!=", "code!="),
    Edit("one_canary", GUARDRAIL, 'rollouts_pod_template_hash="{{args.canary-hash}}",', ""),
    Edit("one_canary", GUARDRAIL, 'rollouts_pod_template_hash="{{args.canary-hash}}"}', 'namespace="{{args.canary-hash}}"}'),
    Edit("jobs_once", JOB, "backoffLimit: 0", "backoffLimit: 3"),
    Edit("jobs_once", JOB, "fledge.dev/job: replay", "fledge.dev/jobs: replay"),
    Edit("jobs_excused", JOB, "type: DisruptionTarget", "type: Ready"),
    Edit("jobs_excused", JOB, "containerName: fetch", "containerName: replay"),
    Edit("jobs_excused", JOB, "- action: Ignore", "- action: FailJob"),
    Edit("scales_rollout", SCALER, "    kind: Rollout", "    kind: Deployment"),
    Edit("scales_rollout", ROLLOUT, "spec:\n", "spec:\n  replicas: 2\n"),
    Edit("drain_allowed", BUDGET, "maxUnavailable: 1", "maxUnavailable: 0"),
    Edit("drain_allowed", BUDGET, "maxUnavailable: 1", "minAvailable: 100%"),
    Edit("drain_allowed", BUDGET, "maxUnavailable: 1", "minAvailable: 2"),
    without("drain_allowed", BUDGET, "  unhealthyPodEvictionPolicy: AlwaysAllow\n"),
    Edit("admits_only", POLICY, "kubernetes.io/metadata.name: monitoring", "kubernetes.io/metadata.name: default"),
    without("admits_only", POLICY, "        - port: 8501\n"),
    Edit("admits_only", POLICY, "values: [judge]", "values: [judge, reconciler]"),
    Edit("admits_only", POLICY, "        - port: 8500\n", "        - port: 8500\n          endPort: 9000\n"),
    Edit("admits_only", POLICY, "  policyTypes:\n    - Ingress", "  policyTypes:\n    - Egress"),
    Edit("admits_only", POLICY, "        - podSelector:\n            matchExpressions:\n              - key: fledge.dev/job\n                operator: Exists\n", "        - podSelector: {}\n"),
]  # fmt: skip

STRATEGY = "manifests/components/blue-green/strategy.yaml"
BLUE_GREEN = [
    Edit("preview_judged", STRATEGY, "          - templateName: judge", "          - templateName: guardrail"),
    Edit("preview_judged", STRATEGY, "autoPromotionEnabled: true", "autoPromotionEnabled: false"),
    Edit("preview_judged", STRATEGY, "          - templateName: guardrail", "          - templateName: judge"),
    Edit("old_pods_stay", STRATEGY, "scaleDownDelaySeconds: 1800", "scaleDownDelaySeconds: 30"),
    Edit("names_exist", STRATEGY, "activeService: stable", "activeService: active"),
    Edit("hashes_said", STRATEGY, "podTemplateHashValue: Latest", "podTemplateHashValue: Stable"),
]
