-- Two versions per contract: as it began, and as it ended (paid through end_date). churn_flag restates end_date;
-- upgrade_flag and downgrade_flag have no date. A version that ends is not known before it does.
SELECT
    subscription_id, account_id, CAST(start_date AS TIMESTAMP) AS event_time,
    CASE WHEN is_trial THEN 'trial' ELSE 'active' END AS status,
    CASE WHEN is_trial THEN 0.0 ELSE CAST(mrr_amount AS DOUBLE) END AS mrr,
    plan_tier AS plan, CAST(seats AS BIGINT) AS seats, auto_renew_flag AS auto_renew
FROM read_csv('${data}/ravenstack_subscriptions.csv', sample_size = -1)
UNION ALL
SELECT
    subscription_id, account_id, CAST(end_date AS TIMESTAMP) + INTERVAL 1 DAY,
    'ended', 0.0, plan_tier, CAST(seats AS BIGINT), auto_renew_flag
FROM read_csv('${data}/ravenstack_subscriptions.csv', sample_size = -1)
WHERE end_date IS NOT NULL
