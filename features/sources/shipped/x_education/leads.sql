-- The set has no dates. `Lead Number` grows with creation; a minute per number stands for that order and no more.
-- Left out, because sales staff fill them in during or after contact: Tags, Lead Quality, Lead Profile; because they are
-- the last state at extraction: Last Activity, Last Notable Activity; because a third party computed them at a time
-- unknown: the four Asymmetrique columns. 'Select' is a form's default choice and means missing.
SELECT
    "Lead Number" AS lead_id,
    TIMESTAMP '2016-01-01' + "Lead Number" * INTERVAL 1 MINUTE AS event_time,
    lower("Lead Source") AS channel,
    "Country" AS country,
    'open' AS status,
    "Lead Origin" AS lead_origin,
    "Do Not Email" AS do_not_email,
    "Do Not Call" AS do_not_call,
    "TotalVisits" AS total_visits,
    "Total Time Spent on Website" AS seconds_on_website,
    "Page Views Per Visit" AS pages_per_visit,
    nullif("Specialization", 'Select') AS specialization,
    nullif("How did you hear about X Education", 'Select') AS heard_through,
    nullif("What is your current occupation", 'Select') AS occupation,
    nullif("What matters most to you in choosing a course", 'Select') AS matters_most,
    nullif("City", 'Select') AS city,
    "Search" AS saw_search_ad,
    "Newspaper Article" AS saw_newspaper_article,
    "X Education Forums" AS saw_forum,
    "Newspaper" AS saw_newspaper,
    "Digital Advertisement" AS saw_digital_ad,
    "Through Recommendations" AS was_recommended,
    "A free copy of Mastering The Interview" AS wants_free_copy
FROM read_csv('${data}/Leads.csv.gz', sample_size = -1)
