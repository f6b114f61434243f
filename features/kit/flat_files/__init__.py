"""Flat files as people have them, one row per lead or account: one reader for fit-table, score-table and the audit.

`reading` opens a file and gives texts as they stand, `values` reads texts and Arrow types as numbers, words and moments,
`kinds` settles what a column of a file holds when no scorer says so.
"""
