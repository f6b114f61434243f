-- Bills, as `python -m features simulate` writes them.
SELECT
    invoice_id, account_id, event_time, status, amount, due_time, known_time
FROM read_parquet('${data}/invoices.parquet')
