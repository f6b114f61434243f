-- People or companies that might buy, as `python -m features simulate` writes them.
SELECT
    lead_id, event_time, account_id, company, email, title, department, seniority, industry,
    region, country, employees, annual_revenue, channel, campaign_kind, partner, is_trial,
    opted_out, status, known_time
FROM read_parquet('${data}/leads.parquet')
