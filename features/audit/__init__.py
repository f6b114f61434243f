"""Can this input know the outcome? The report that a careful colleague would write about one table with a label.

Every finding has a code, a severity, the columns, the evidence in numbers, and what to do. Two kinds: *proofs*
(`copy_of_outcome`, `presence_gives_outcome`, and of a source `signal_leaks`) are facts about the data, the others are
heuristics. Whatever has severity high blocks promotion until somebody answers for it. No rule knows a column of some dataset; words of the
field in names (`names`) count together with what the values show (`named`, `together`, `families`).

Besides what the outcome shows, `lifecycle` has what a row shows by itself: columns filled in after its begin. The audit of a
source (`source`) looks at the signals and at the files behind them (`raw`), whatever the SELECTs leave out.

The strength of one column alone is its ROC AUC when its values are replaced by the mean outcome of the same value
(quantile bins for numbers, missing as a value of its own), computed out of fold, so that an identifier scores 0.5.
"""

from features.audit.finding import PROOFS, AuditedTable, Finding
from features.audit.leaks import presence, strong_columns
from features.audit.table import as_outcome, audit_table, outcome_of, read_flat, without_open

__all__ = [
    "PROOFS",
    "AuditedTable",
    "Finding",
    "as_outcome",
    "audit_table",
    "outcome_of",
    "presence",
    "read_flat",
    "strong_columns",
    "without_open",
]
