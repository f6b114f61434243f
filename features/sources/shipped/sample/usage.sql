-- What people do in the product, as `python -m features simulate` writes them.
-- One file a month, rows in order of time: a window of time reads only its months.
SELECT
    account_id, event_time, user_id, feature, kind, quantity, known_time
FROM read_parquet('${data}/usage/*.parquet')
