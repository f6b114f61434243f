"""Writes a source from a template: `python -m features init DIR --from salesforce:export --data DATA`.

A template (`features/sources/templates/<system>/<layout>/`) knows the files and columns of one system in one layout. `layouts` reads
it, `files` finds its files in a folder, `values` reads their dates and numbers, `render` writes the SELECTs, and `write` puts them
into a folder that its owner edits.
"""
