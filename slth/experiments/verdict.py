"""What a counted proportion says about a claim: verified, refuted, or undecided and what would settle it."""

from __future__ import annotations

from typing import Literal

from slth.experiments.claims import Claim
from slth.experiments.intervals import Proportion, high_limit, low_limit, trials_needed
from slth.experiments.sequence import sequence_high, sequence_low

Verdict = Literal["verified", "refuted", "undecided"] | None


def judge(claim: Claim | None, p: Proportion) -> tuple[Verdict, str, int | None]:
    """Verdict, its reason in words, and the trials a fresh run would need to settle an undecided one."""
    if claim is None:
        return None, "Nothing was claimed: this is an estimate.", None
    if not claim.applies:
        return "undecided", f"{claim.text}. There is nothing to verify.", None
    if p.low >= claim.probability:
        return "verified", f"The interval lies at or above the claimed {claim.probability:.4g}.", None
    if p.high < claim.probability:
        return "refuted", f"The interval lies below the claimed {claim.probability:.4g}.", None
    low, high = (sequence_low, sequence_high) if p.always else (low_limit, high_limit)
    needed = trials_needed(p.estimate, claim.probability, confidence=p.confidence, low=low, high=high)
    if needed is None:
        return (
            "undecided",
            f"The estimate equals the claimed {claim.probability:.4g} too closely to plan a run.",
            None,
        )
    text = f"The interval contains the claimed {claim.probability:.4g}. "
    if p.undecided:
        text += f"{p.undecided} trial(s) could not be decided. "
    if p.always:
        more = max(1, needed - p.trials)
        return "undecided", text + f"About {more} further trials would probably settle it.", needed
    return (
        "undecided",
        text + f"A fresh run (another seed) of about {needed} trials would probably settle it.",
        needed,
    )
