-- One score a set and metric: the newest version of its scorer, and of that version a value before a NULL.
-- A set is a prompt of a cell, or (prompt_id NULL) the whole cell, with its definition in words.
CREATE OR REPLACE VIEW group_scores AS
SELECT * FROM all_group_scores
QUALIFY row_number() OVER (
    PARTITION BY run_id, cell, prompt_id, "set", metric
    ORDER BY scorer_version DESC, value IS NULL, scorer
) = 1;
