-- Deals, as `python -m features simulate` writes them.
SELECT
    opportunity_id, event_time, account_id, lead_id, stage, status, kind, amount
FROM read_parquet('${data}/opportunities.parquet')
