"""Leakage audit: can an input know the outcome? Works on one table with a label, or on a source.

Every finding has a code, a severity, the columns, the evidence in numbers, and what to do. Two kinds: *proofs*
(`copy_of_outcome`, `presence_gives_outcome`, and of a source `signal_leaks`) are facts about the data, the others are
heuristics. A finding of high severity blocks promotion until somebody accepts it. No rule is made for a column of a
certain dataset; words of the field in names (`names`) count together with what the values show (`named`, `together`,
`families`).

`lifecycle` needs no outcome: it finds columns filled in after the begin of their row. The audit of a source (`source`)
covers the signals and the files behind them (`raw`), with columns that the SELECTs leave out.

The strength of one column alone is its ROC AUC when its values are replaced by the mean outcome of the same value
(quantile bins for numbers, missing as a value of its own), computed out of fold, so that an identifier scores 0.5.
"""
