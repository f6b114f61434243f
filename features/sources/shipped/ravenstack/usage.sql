-- Most rows are dated before their subscription starts (the set was generated so); they are kept as they are.
SELECT DISTINCT
    s.account_id,
    CAST(u.usage_date AS TIMESTAMP) AS event_time,
    u.feature_name AS feature,
    CASE WHEN u.error_count > 0 THEN 'error' ELSE 'action' END AS kind,
    CAST(u.usage_count AS BIGINT) AS quantity,
    u.usage_id
FROM read_csv('${data}/ravenstack_feature_usage.csv.gz', sample_size = -1) AS u
JOIN read_csv('${data}/ravenstack_subscriptions.csv', sample_size = -1) AS s USING (subscription_id)
