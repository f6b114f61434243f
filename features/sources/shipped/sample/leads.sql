-- People or companies that might buy, as `python -m features simulate` writes them. Those that version 0.2 wrote have no owner.
SELECT * FROM read_parquet('${data}/leads.parquet')
