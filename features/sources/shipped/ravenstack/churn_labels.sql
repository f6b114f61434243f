-- The dated events of leaving; the undated churn_flag of accounts agrees with them for 37.6 % of accounts only.
SELECT account_id, CAST(churn_date AS TIMESTAMP) AS event_time, true AS churned
FROM read_csv('${data}/ravenstack_churn_events.csv', sample_size = -1)
