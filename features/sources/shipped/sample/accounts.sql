-- Companies, customers or not, as `python -m features simulate` writes them.
SELECT
    account_id, event_time, name, domain, kind, founded_time, industry, region, country, employees,
    annual_revenue, channel, campaign_kind, partner, is_trial, opted_out, known_time
FROM read_parquet('${data}/accounts.parquet')
