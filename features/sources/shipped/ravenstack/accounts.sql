-- churn_flag, plan_tier, seats and is_trial of this file are undated last states: each may know the outcome.
SELECT
    account_id,
    CAST(signup_date AS TIMESTAMP) AS event_time,
    account_name AS name,
    industry,
    country,
    referral_source AS channel
FROM read_csv('${data}/ravenstack_accounts.csv', sample_size = -1)
