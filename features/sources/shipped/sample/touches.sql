-- Contacts between a lead or account and us, as `python -m features simulate` writes them.
SELECT
    event_time, kind, account_id, lead_id, contact_id, direction, known_time
FROM read_parquet('${data}/touches.parquet')
