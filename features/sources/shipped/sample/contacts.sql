-- People at accounts: the buying committee, as `python -m features simulate` writes them.
SELECT
    contact_id, event_time, account_id, email, title, department, seniority, is_decision_maker,
    has_left, known_time
FROM read_parquet('${data}/contacts.parquet')
