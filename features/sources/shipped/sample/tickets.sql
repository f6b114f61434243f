-- Calls for help, as `python -m features simulate` writes them.
SELECT
    ticket_id, account_id, event_time, status, priority, escalated, first_response_minutes,
    satisfaction, known_time
FROM read_parquet('${data}/tickets.parquet')
