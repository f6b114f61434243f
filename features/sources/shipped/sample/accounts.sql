-- Companies, customers or not, as `python -m features simulate` writes them. Those that version 0.2 wrote have no owner, parent_id
-- and target_tier.
SELECT * FROM read_parquet('${data}/accounts.parquet')
