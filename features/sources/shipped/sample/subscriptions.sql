-- Contracts for recurring service, as `python -m features simulate` writes them.
SELECT
    subscription_id, account_id, event_time, status, mrr, plan, product, seats, discount,
    term_months, term_end, auto_renew
FROM read_parquet('${data}/subscriptions.parquet')
