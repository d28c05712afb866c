"""What a canary must be: judged at each weight, stopped for good, and rolled back in seconds. Reasons: the table."""

from collections.abc import Iterator

from fledge.rules.documents import Pair, at

SOURCE = "manifests/base/rollout.yaml"
STEPS = f"{SOURCE}: spec.strategy.canary.steps"
LAST_WEIGHT = 25  # percent that the pods of an old ReplicaSet can carry while the others start (argo-rollouts#3941)
OLD_PODS = 600  # seconds that a person has to see it and revert, the old pods still running
PLUGIN = "argoproj-labs/gatewayAPI"
NOTIFIED = "notifications.argoproj.io/subscribe."
EVENTS = ("on-rollout-aborted", "on-rollout-completed")


def one_action(pair: Pair) -> Iterator[str]:
    """Each step is one action."""
    for number, step in enumerate(pair.steps):
        if len(step) != 1:
            yield pair.line(f"step {number} is {' and '.join(step) or 'empty'}", "one action", f"{STEPS}.{number}")


def weight_first(pair: Pair) -> Iterator[str]:
    """A weight is set before the canary's size follows it."""
    for step in pair.steps:
        if "setWeight" in step:
            return
        if at(step, "setCanaryScale.matchTrafficWeight"):
            yield pair.line("matchTrafficWeight comes before a weight", "setWeight before it", STEPS)


def last_weight(pair: Pair) -> Iterator[str]:
    """The last weight before all is small."""
    weights = [step["setWeight"] for step in pair.steps if "setWeight" in step]
    if pair.canary and (not weights or weights[-1] > LAST_WEIGHT):
        found = f"the last setWeight is {weights[-1]}" if weights else "no setWeight found"
        yield pair.line(found, f"one of at most {LAST_WEIGHT}", STEPS)


def judged_at_each_weight(pair: Pair) -> Iterator[str]:
    """The judge decides at every weight above 0, and is never asked without traffic."""
    weight, judged = 0, True
    for step in [*pair.steps, {"setWeight": 100}]:
        if pair.asks(step.get("analysis", {}), "judge"):
            if not weight:
                yield pair.line("the judge is asked at weight 0", "it after a setWeight", STEPS)
            judged = True
        elif "setWeight" in step:
            if not judged:
                yield pair.line(f"weight {weight} is left unjudged", "the judge before the next weight", STEPS)
            weight, judged = step["setWeight"], not step["setWeight"]


def share_said(pair: Pair) -> Iterator[str]:
    """The judge is told the share that the canary has."""
    share = None
    for step in pair.steps:
        share = step.get("setWeight", share)
        for argument in at(step, "analysis.args") or []:
            if argument["name"] == "weight" and argument.get("value") != str(share):
                yield pair.line(f"the judge is told weight {argument.get('value')}", str(share), SOURCE)


def hashes_said(pair: Pair) -> Iterator[str]:
    """An analysis is told the ReplicaSets' hashes by Argo Rollouts: Stable is stable, Latest is canary."""
    for where, analysis in pair.analyses():
        for argument in analysis.get("args", []):
            expected = {"stable-hash": "Stable", "canary-hash": "Latest"}.get(argument["name"])
            found = at(argument, "valueFrom.podTemplateHashValue")
            if expected and found != expected:
                yield pair.line(f"{argument['name']} of {where} is {found}", expected, SOURCE)


def no_endless_pause(pair: Pair) -> Iterator[str]:
    """No step waits for a person while users get the canary."""
    for number, step in enumerate(pair.steps):
        if "pause" in step and not at(step, "pause.duration"):
            yield pair.line(f"step {number} pauses for ever", "a duration, or the judge", f"{STEPS}.{number}")


def plugin_can(pair: Pair) -> Iterator[str]:
    """No step asks of the Gateway API plugin what it does not do."""
    for number, step in enumerate(pair.steps):
        for action in {"setMirrorRoute", "experiment"} & step.keys():
            yield pair.line(f"step {number} is {action}", "a step that the plugin does", f"{STEPS}.{number}")


def guarded(pair: Pair) -> Iterator[str]:
    """The guardrail watches from the first weight on."""
    if not pair.canary:
        return
    analysis, where = pair.canary.get("analysis", {}), f"{SOURCE}: spec.strategy.canary.analysis"
    if not pair.asks(analysis, "guardrail"):
        yield pair.line("no guardrail found", "it as background analysis", where)
    first = next((number for number, step in enumerate(pair.steps) if "setWeight" in step), 0)
    if analysis.get("startingStep", 0) > first + 1:
        yield pair.line(f"startingStep is {analysis['startingStep']}", f"at most {first + 1}", where)


def rollback_window(pair: Pair) -> Iterator[str]:
    """A revert skips the steps, for as many ReplicaSets as are kept."""
    revisions = at(pair.rollout, "spec.rollbackWindow.revisions") or 0
    kept = at(pair.rollout, "spec.revisionHistoryLimit")
    if revisions < 1:
        yield pair.line("no rollbackWindow found", "revisions: 3", f"{SOURCE}: spec.rollbackWindow")
    if kept is not None and kept <= revisions:
        expected = f"more than the rollbackWindow's {revisions}"
        yield pair.line(f"revisionHistoryLimit is {kept}", expected, f"{SOURCE}: spec.revisionHistoryLimit")


def old_pods_stay(pair: Pair) -> Iterator[str]:
    """The pods that a revert goes back to are still running."""
    strategy = pair.rollout["spec"]["strategy"]
    for name, one in strategy.items():
        delay, limit = one.get("scaleDownDelaySeconds", 30), one.get("scaleDownDelayRevisionLimit")
        if delay < OLD_PODS:
            where = f"{SOURCE}: spec.strategy.{name}.scaleDownDelaySeconds"
            yield pair.line(f"scaleDownDelaySeconds is {delay}", f"at least {OLD_PODS}", where)
        if limit is None or limit < 2:
            where = f"{SOURCE}: spec.strategy.{name}.scaleDownDelayRevisionLimit"
            yield pair.line(f"scaleDownDelayRevisionLimit is {limit}", "2", where)


def enough_pods(pair: Pair) -> Iterator[str]:
    """A canary has two pods, and a model no fewer than a canary."""
    if not pair.canary:
        return
    least = pair.canary.get("minPodsPerReplicaSet", 1)
    if least < 2:
        where = f"{SOURCE}: spec.strategy.canary.minPodsPerReplicaSet"
        yield pair.line(f"minPodsPerReplicaSet is {least}", "at least 2", where)
    for one in pair.kind("HorizontalPodAutoscaler"):
        if (size := one["spec"].get("minReplicas", 1)) < least:
            where = f"manifests/environments/{pair.files.environment}"
            yield pair.line(f"minReplicas is {size}", f"at least {least}, minPodsPerReplicaSet", where)


def deadline_aborts(pair: Pair) -> Iterator[str]:
    """A canary that never gets ready is aborted, after the time that a start may take."""
    spec = pair.rollout["spec"]
    if spec.get("progressDeadlineAbort") is not True:
        yield pair.line("progressDeadlineAbort is not set", "true", f"{SOURCE}: spec.progressDeadlineAbort")
    deadline = spec.get("progressDeadlineSeconds", 600)
    for one in pair.template["spec"]["containers"]:
        probe = one.get("startupProbe", {})
        start = probe.get("failureThreshold", 3) * probe.get("periodSeconds", 10)
        if deadline <= start:
            expected = f"more than the {start} s that the startupProbe allows"
            yield pair.line(
                f"progressDeadlineSeconds is {deadline}", expected, f"{SOURCE}: spec.progressDeadlineSeconds"
            )


def no_dynamic_scale(pair: Pair) -> Iterator[str]:
    """The stable pods keep their number during a canary."""
    if "dynamicStableScale" in pair.canary:
        where = f"{SOURCE}: spec.strategy.canary.dynamicStableScale"
        yield pair.line("dynamicStableScale is set", "it left out", where)


def route_unlabelled(pair: Pair) -> Iterator[str]:
    """The plugin moves weights in this environment's routes and writes no label on them."""
    if not pair.canary:
        return
    plugin = (at(pair.canary, "trafficRouting.plugins") or {}).get(PLUGIN)
    where = f"{SOURCE}: spec.strategy.canary.trafficRouting.plugins"
    if plugin is None:
        yield pair.line("no traffic routing found", f"the plugin {PLUGIN}", where)
        return
    if plugin.get("disableInProgressLabel") is not True:
        yield pair.line("disableInProgressLabel is not set", "true", where)
    if plugin.get("namespace") != pair.files.environment:
        yield pair.line(f"the plugin's namespace is {plugin.get('namespace')}", pair.files.environment, where)


def subscribed(pair: Pair) -> Iterator[str]:
    """An abort and a completion are told to those who close the loop."""
    annotations = pair.rollout["metadata"].get("annotations", {})
    for event in EVENTS:
        if not any(key.startswith(f"{NOTIFIED}{event}.") for key in annotations):
            yield pair.line(f"nobody is told {event}", f"the annotation {NOTIFIED}{event}.<service>", SOURCE)


def preview_judged(pair: Pair) -> Iterator[str]:
    """Blue-green: the judge decides before users switch, the guardrail watches after, and nobody is waited for."""
    strategy = at(pair.rollout, "spec.strategy.blueGreen")
    if not strategy:
        return
    where = "manifests/components/blue-green/strategy.yaml"
    for key, template in (("prePromotionAnalysis", "judge"), ("postPromotionAnalysis", "guardrail")):
        if not pair.asks(strategy.get(key, {}), template):
            yield pair.line(f"{key} does not ask the {template}", "it among the templates", where)
    if strategy.get("autoPromotionEnabled") is False:
        yield pair.line("the switch waits for a person", "autoPromotionEnabled: true", where)
