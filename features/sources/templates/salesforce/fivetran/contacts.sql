-- People at companies.
--! only if contact or contact_history
--! if contact_history
--! left out: deleted in Salesforce | nothing | (SELECT 1 FROM contact_history GROUP BY id HAVING arg_max(deleted, since))
-- DECIDE: versions are those of the history table; the first stands for the time back to the creation.
--! else
--! left out: deleted in Salesforce | nothing | contact WHERE deleted
-- DECIDE: title and department are the newest ones, from the day of creation on: who was promoted since was always a director. Switch on
--   history mode.
--! end
WITH version AS (
    --! if contact_history
    SELECT * FROM contact_history
    QUALIFY NOT coalesce(last_value(deleted) OVER (PARTITION BY id ORDER BY since ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING), false)
    --! else
    SELECT *, created AS since FROM contact WHERE deleted IS NOT TRUE
    --! end
)
SELECT
    id AS contact_id,
    CASE WHEN row_number() OVER (PARTITION BY id ORDER BY since) = 1 THEN least(created, since) ELSE since END AS event_time,
    account AS account_id, --? contact.account or contact_history.account
    email, --? contact.email or contact_history.email
    title, --? contact.title or contact_history.title
    department, --? contact.department or contact_history.department
    left_company AS has_left, --? contact_history.left_company
FROM version
