"""The report of a calibration: Markdown of the numbers that were measured, and nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fledge.calibration import outcomes
from fledge.calibration.noise import BUDGET, Noise, significant
from fledge.calibration.outcomes import COUNTED, SURE, Damage, Outcome
from fledge.calibration.rates import rate

MOST = 3  # checks that are named for each kind of damage


@dataclass(frozen=True)
class Findings:
    """All that a calibration measured. `averaged` is the noise of models that answer the mean of a few retrainings.
    `margins` are those of the gates while they judged; `about` says what was run:
    command, rows, recipe, versions; `picture` is the file of the operating characteristic, beside the report."""

    model: str
    about: Mapping[str, str]
    noises: Sequence[Noise]
    averaged: Sequence[Noise]
    margins: Mapping[str, float]
    checks: int
    outcomes: Sequence[Outcome]
    picture: str


def markdown(found: Findings) -> str:
    """The whole report."""
    parts = [
        f"# {found.model}: what its gates can tell",
        (
            "Measured by retraining the same recipe with other seeds; every figure here is written by the command below, and"
            " none by hand. Intervals are 95 %, of shares Clopper and Pearson's."
        ),
        _table([[f"**{name}**", text] for name, text in found.about.items()], ["what", "which"]),
        *_noise(found),
        *_good(found),
        *_rules(found),
        *_damage(found),
    ]
    return "\n\n".join(parts) + "\n"


def _noise(found: Findings) -> list[str]:
    one = found.noises[0]
    z = one.quantiles(found.checks)[0]
    header = ["metric", "mean", "sigma_seed", "paired SE", "rows independent", "design effect", "least margin"]
    rows = [[*_line(noise, found.checks), f"{found.margins[noise.metric]:g}"] for noise in found.noises]
    parts = [
        "## Noise, and the margin that it asks for",
        (
            f"`sigma_seed` is the standard deviation over {one.seeds} retrainings; the paired standard error is the root"
            f" mean square over {one.pairs} disjoint pairs, with whole clusters independent and, beside it, as if every row"
            " were. The design effect is the square of their ratio. AUC and accuracy in their own unit, losses as shares of"
            " the champion's."
        ),
        _table(rows, [*header, "margin"]),
        (
            f"The least margin is z₁₋β·√2·sigma_seed + t₁₋α·SE. α = {one.alpha:g} is the chance of passing a candidate that"
            f" is worse by the margin. β = 1 − {1 - BUDGET:g}^(1/{found.checks}): the {found.checks} checks that score share a"
            f" budget of {BUDGET:.0%} false blocks, so z₁₋β = {z:.2f}."
        ),
    ]
    if found.averaged:
        mean = found.averaged[0]
        parts += [
            (
                f"A steadier recipe keeps a narrower margin. {mean.seeds} models that answer the mean of"
                f" {one.seeds // mean.seeds} retrainings each:"
            ),
            _table([_line(noise, found.checks) for noise in found.averaged], header),
        ]
    return parts


def _line(noise: Noise, checks: int) -> list[str]:
    return [
        noise.metric,
        f"{noise.mean:.4f}",
        f"{significant(noise.sigma_seed)} [{', '.join(significant(bound) for bound in noise.sigma_interval)}]",
        significant(noise.error),
        significant(noise.single_error),
        f"{noise.design_effect:.1f}",
        noise.derivation(checks),
    ]


def _good(found: Findings) -> list[str]:
    same, benign = (outcomes.of(found.outcomes, family) for family in ("same recipe", "benign"))
    kinds = [("same recipe, another seed", same), *outcomes.named(benign).items()]
    if benign:
        kinds.append(("**all benign changes**", benign))
    shown = [f"regression.{metric}" for metric in found.margins]
    rows = [
        [name, len(pairs), *(f"{outcomes.effects(pairs)[check]:+.2f}" for check in shown), str(outcomes.passed(pairs))]
        for name, pairs in kinds
        if pairs
    ]
    per = {name: outcomes.blocked_by(pairs) for name, pairs in (("same", same), ("benign", benign)) if pairs}
    table = [[check, *(str(one.get(check, "–")) for one in per.values())] for check in per["same"]]
    return [
        "## Good candidates",
        (
            "No two pairs of a line share a model. Every check is the gates' own code with the limits of `params.yaml`; a"
            " candidate passes when none blocks. The effects are the mean estimates in margins: below 0 the candidates are"
            " better."
        ),
        _table(rows, ["candidate", "pairs", *shown, "passed"]),
        "Which check blocked them:",
        _table(table, ["check", *(f"blocks, {name}" for name in per)]),
    ]


def _rules(found: Findings) -> list[str]:
    families = {
        "same recipe": outcomes.of(found.outcomes, "same recipe"),
        "benign": outcomes.of(found.outcomes, "benign"),
    }
    usual = {name: outcomes.blocked_usually(pairs) for name, pairs in families.items() if pairs}
    ours = {name: rate(bool(one.blocked) for one in families[name]) for name in usual}
    rows = [[rule, *(str(one[rule]) for one in usual.values())] for rule in usual["same recipe"]]
    rows.append(["**these gates**", *(str(one) for one in ours.values())])
    return [
        "## The usual rules on the same pairs",
        "Share of good candidates that each rule blocks, on the primary metric.",
        _table(rows, ["rule", *(f"blocks, {name}" for name in usual)]),
    ]


def _damage(found: Findings) -> list[str]:
    damages = outcomes.damages(found.outcomes)
    if not damages:
        return []
    shown = list(dict.fromkeys(check for one in damages for check in one.effects))
    pairs, large = outcomes.of(found.outcomes, "damaged"), outcomes.counted(found.outcomes)
    every = rate(bool(one.blocked) for one in pairs if one.large)
    rows = [[check, len(mine), str(outcomes.detected(mine))] for check, mine in large.items()]
    return [
        "## What damage is seen",
        (
            "Each kind of damage is done to the candidates of the same disjoint pairs, whose champion is another retraining."
            " An effect is what that did to the very network, in margins: its answers beside those without the damage, on"
            " the same rows; 1 is as much worse as is allowed. The slope is the damaged network's own. Shown are means over the pairs; the size is the largest."
        ),
        f"![Share of damaged candidates that are blocked, by the size of the damage]({found.picture})",
        (
            f"Of AUC and losses a candidate must show that it is not worse, and damage of {COUNTED:g} margins must be seen."
            " Of a segment the gate must show that it is, beyond the margin and over all segments at once: what it shows"
            f" {SURE:.0%} of the time begins where the segment's own error says, in the table behind `from`. Damage to a"
            " segment counts from there on; less this rule cannot promise to see on these rows."
        ),
        (
            f"Of the pairs whose damage counts {outcomes.detected(pairs)} were blocked; of all with damage of {COUNTED:g}"
            f" margins, whatever these rows can show, {every}. By the check that promises most to see it (all kinds share"
            " their models, so the intervals are narrower than independent ones would be):"
        ),
        _table(
            [*rows, ["**all**", sum(map(len, large.values())), str(outcomes.detected(pairs))]],
            ["check", "pairs", "blocked"],
        ),
        _table(
            [_row(one, shown) for one in damages],
            ["damage", "size", *shown, "blocked", "of those that count", "most often by"],
        ),
    ]


def _row(damage: Damage, shown: Sequence[str]) -> list[str]:
    by = sorted(damage.by.items(), key=lambda item: -item[1])[:MOST]
    size = f"**{damage.size:.2f}**" if damage.counted.tries else f"{damage.size:.2f}"
    return [
        damage.name,
        size,
        *(_effect(damage, check) for check in shown),
        str(damage.blocked),
        f"{damage.counted.count} of {damage.counted.tries}" if damage.counted.tries else "–",
        ", ".join(f"{check} {count}" for check, count in by) or "–",
    ]


def _effect(damage: Damage, check: str) -> str:
    if check not in damage.effects:
        return "–"
    size = f"{damage.effects[check]:.2f}"
    return f"{size} (from {damage.shown[check]:.2f})" if check in damage.shown else size


def _table(rows: Sequence[Sequence[object]], header: Sequence[str]) -> str:
    # Not padded to columns: one long cell would change every line of the next report's difference.
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)
