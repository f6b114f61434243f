"""Reads flat files with one row per lead or account: one reader for fit-table, score-table and the audit.

`reading` opens a file and gives CSV values as text; `headers` finds its column names, `bounds` and `footer` refuse files that ask for
absurdly much memory. `values` reads columns as numbers, words and flags, `moments` as times, and `kinds` decides what a column
holds when no scorer says it.
"""
