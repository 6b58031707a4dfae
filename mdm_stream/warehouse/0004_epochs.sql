-- Which rules, under which F, each epoch's golden records come from: two epochs whose rules_digest differs behind the "+" are of
-- two F's. An epoch that has told nothing is not in it. Built from the history, so a question for people, not for a service.
CREATE OR REPLACE VIEW golden_epoch $view_options AS
SELECT
    domain, epoch, rules_version,
    REPLACE(CAST(payload['rules_digest'] AS $text), '"', '') AS rules_digest,
    MIN(sequence) AS first_sequence, MAX(sequence) AS last_sequence, MAX(committed_at) AS last_committed_at
FROM golden_history
WHERE status <> 'erased'
GROUP BY 1, 2, 3, 4;
