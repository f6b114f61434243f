-- Customers that Stripe bills.
--! needs customer
--! left out: deleted in Stripe, or of test mode | nothing | customer WHERE deleted OR NOT coalesce(live, true)
-- DECIDE: name, country and mail domain are the newest ones, from the creation on. The domain is that of the billing address, unless it is of a free
--   mail provider.
--! if customer.deleted
-- DECIDE: {{count customer WHERE deleted}} deleted customers are left out. Stripe ends their subscriptions when it deletes them: a customer who left
--   so never left, for a model. Do not delete them.
--! end
SELECT
    id AS account_id,
    created AS event_time,
    name, --? customer.name
    CASE
        WHEN NOT regexp_matches(lower(email), '@(gmail|googlemail|yahoo|hotmail|outlook|live|icloud|me|aol|gmx|web|mail|proton|protonmail|qq|163|126)\.')
        THEN lower(split_part(email, '@', 2))
    END AS domain, --? customer.email
    country, --? customer.country
FROM customer
WHERE deleted IS NOT TRUE AND coalesce(live, true)
