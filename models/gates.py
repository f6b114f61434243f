"""The conditions for going live that all models share; a model's file lists them and may add its own."""

from __future__ import annotations

from models.definition import Gate


def standard_gates(
    *, positives: int = 50, test_positives: int = 20, calibration: float = 0.03, segment_calibration: float = 0.06
) -> tuple[Gate, ...]:
    """The gates of the house; the arguments are what models differ in.

    Measures that the judgement must report (floats; absent when they cannot be known):

    `positives`, `negatives`      : labels in the training period
    `test_positives`              : outcomes in the untouched test period
    `auc_over_rule_low`           : lower end of the 95 % interval of AUC(model) - AUC(best one-column rule), paired
    `auc_over_champion_high`      : upper end of the same against the champion; absent without one
    `calibration_error`           : 10 equal-count bins, test period; `calibration_noise`: its 95 % bound if perfect
    `calibration_error_segment`   : the worst large segment; `calibration_noise_segment`: the bound of that segment
    `audit_high`                  : open audit findings of high severity
    `selection_ratio`             : lowest selection rate of a stated group over the highest; absent without groups
    """
    return (
        Gate("enough labels", "positives", "a model of fewer outcomes is an anecdote", at_least=positives),
        Gate("enough others", "negatives", "without the other class there is nothing to tell apart", at_least=positives),
        Gate("enough to judge", "test_positives", "fewer outcomes cannot tell good from lucky", at_least=test_positives),
        Gate(
            "better than one column", "auc_over_rule_low",
            "a rule that everybody understands wins a tie", at_least=0.0,
        ),
        Gate(
            "not worse than the champion", "auc_over_champion_high",
            "a challenger may tie with the champion but not lose beyond noise", at_least=0.0, optional=True,
        ),
        Gate(
            "calibrated", "calibration_error",
            "people multiply the probability by money", at_most=calibration, noise="calibration_noise",
        ),
        Gate(
            "calibrated in each large segment", "calibration_error_segment",
            "right on average can be wrong for everybody",
            at_most=segment_calibration, noise="calibration_noise_segment", optional=True,
        ),
        Gate("audit is clean", "audit_high", "an input that knows the outcome makes every other figure a lie", at_most=0.0),
        Gate(
            "even-handed", "selection_ratio",
            "a group chosen at less than four fifths of another's rate needs a written reason", at_least=0.8, optional=True,
        ),
    )  # fmt: skip
